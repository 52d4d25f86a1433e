"""Cosigns logs' checkpoints: each must be signed by the log's key, and the tree that was cosigned
last must be its beginning (`platewarden audit witness`).

One log that cannot be cosigned costs that one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.audit.found_logs import logs_at
from agent.audit.proofs.proof_check import signed_by
from agent.audit.proofs.proof_maker import ProofMaker
from agent.audit.witnesses.cosigner import cosign
from agent.audit.witnesses.witness_folder import Last, WitnessFolder
from agent.core.log.checkpoint import MAX_SIGNATURES, Checkpoint, note, parse_note
from agent.core.log.merkle import verify_consistency
from agent.core.log.tlog_proof import (
    HEADER,
    MAX_PROOF_BYTES,
    ConsistencyProof,
    InclusionProof,
    parse_proof,
)
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import from_posix_s
from agent.disk.atomic_file import read_bounded
from agent.errors import LogRefusedError, PlatewardenError, UsageError
from agent.storage.log_key import TrustedLogKeys

_SQLITE = b"SQLite format 3\0"
_BOM = b"\xef\xbb\xbf"
_WORST_FIRST = (3, 1, 2)
_EVIDENCE = "keep both checkpoints: together they show it to anybody; tell the city and its auditor"


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of one path. `signed`: the checkpoint that it offers; `last`: what this witness
    had cosigned before; `file`: the new cosigned checkpoint; `error`: why there is none.
    """

    path: Path
    signed: Checkpoint | None = None
    last: Last | None = None
    at_s: int | None = None
    file: Path | None = None
    error: PlatewardenError | None = None


@dataclass(frozen=True, slots=True)
class _Offer:
    """A checkpoint that the log's key signed. `proof`: that it has grown from an older one."""

    note: bytes
    signed: Checkpoint
    proof: ConsistencyProof | None = None


def witness_all(
    paths: Sequence[Path], folder: WitnessFolder, keys: TrustedLogKeys, now_s: Callable[[], int]
) -> tuple[Looked, ...]:
    """`paths`: logs, folders above, proofs that a log has grown (`audit prove --grown`), or
    checkpoints. Raises StorageError for more logs than any city has.
    """
    files = [path for path in paths if path.is_file() and not _is_log(path)]
    logs, faults = logs_at(path for path in paths if path not in files)
    looked = [Looked(Path(fault.where), error=fault) for fault in faults]
    looked += [_one(path, folder, keys, now_s) for path in (*logs, *files)]
    return tuple(looked)


def exit_code_of(looked: Sequence[Looked]) -> int:
    """The worst: 3 a refusal, 1 unreadable, 2 nothing verified, 0 all cosigned."""
    codes = {one.error.exit_code for one in looked if one.error}
    return next((code for code in _WORST_FIRST if code in codes), 0)


def _is_log(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _one(
    path: Path, folder: WitnessFolder, keys: TrustedLogKeys, now_s: Callable[[], int]
) -> Looked:
    looked = Looked(path)
    try:
        maker = ProofMaker(path, keys) if path.is_dir() or _is_log(path) else None
        offer = _offer_of_log(maker) if maker else _offer_of_file(path, keys)
        looked = replace(looked, signed=offer.signed)
        last = folder.last(offer.signed.origin)
        looked = replace(looked, last=last)
        if last is not None:
            offer = _grown(path, maker, offer, last, folder)
        at_s = now_s()
        if last is not None and at_s < last.at_s:
            raise UsageError(
                f"this machine's clock says {from_posix_s(at_s)}, and the last cosignature is of "
                f"{from_posix_s(last.at_s)}",
                where=last.file,
                fix="set the clock: a cosignature tells a time",
            )
        file = folder.keep(offer.signed.origin, _cosigned(offer, folder, at_s))
        return replace(looked, signed=offer.signed, at_s=at_s, file=file)
    except PlatewardenError as error:
        return replace(looked, error=error)
    except OSError as error:
        return replace(looked, error=UsageError(f"cannot be read: {error.strerror}", where=path))


def _offer_of_log(maker: ProofMaker) -> _Offer:
    return _Offer(*maker.newest())


def _offer_of_file(path: Path, keys: TrustedLogKeys) -> _Offer:
    """A checkpoint, or a proof with one in it. Line ends that a mail program changed are put
    right: what is verified then is what was signed, or nothing.
    """
    data = read_bounded(path, MAX_PROOF_BYTES).removeprefix(_BOM).replace(b"\r\n", b"\n")
    proof: ConsistencyProof | InclusionProof | None = None
    if data.startswith((b"old ", HEADER.encode())):
        try:
            proof = parse_proof(data)
        except ValueError as error:
            raise UsageError(
                f"is no proof: {error}", where=path, fix="fetch it again, byte by byte"
            ) from None
    note = proof.note if proof else data
    _, signed = signed_by(path, note, keys)
    return _Offer(note, signed, proof if isinstance(proof, ConsistencyProof) else None)


def _grown(
    path: Path, maker: ProofMaker | None, offer: _Offer, last: Last, folder: WitnessFolder
) -> _Offer:
    """The offer, or the log's newest one, of which the last cosigned tree is the beginning.

    Raises LogRefusedError for a rollback or a fork, UsageError for a proof that does not fit.
    """
    old, new = last.checkpoint, offer.signed
    if new.size < old.size:
        raise LogRefusedError(
            Reason.LOG_TRUNCATED,
            f"shows {_told(new)}, and this witness cosigned {_told(old)} on "
            f"{from_posix_s(last.at_s)}: an older copy lies here, or the end was cut off",
            where=path,
            fix=f"give the log as it is now; if that is all there is, {_EVIDENCE}",
        )
    if new.size == old.size:
        if new.root != old.root:
            raise _fork(path, offer, last, folder)
        return offer
    if maker is not None:
        return _grown_log(path, maker, offer, last, folder)
    if offer.proof is None or offer.proof.old_size != old.size:
        since = f"since {offer.proof.old_size}" if offer.proof else "no growth"
        raise UsageError(
            f"shows {_told(new)} and proves {since}; this witness has seen {_told(old)}",
            where=path,
            fix=f"ask for a proof since then: `audit prove --grown --checkpoint {last.file.name}`",
        )
    if not verify_consistency(old.size, new.size, offer.proof.path, old.root, new.root):
        raise LogRefusedError(
            Reason.ROOT_MISMATCH,
            f"the proof does not lead from {_told(old)}, which this witness cosigned, to "
            f"{_told(new)}: it was damaged on its way, or the log's key signed two histories",
            where=path,
            fix="fetch it again, byte by byte; if it stays so, ask for the log itself",
        )
    return offer


def _grown_log(
    path: Path, maker: ProofMaker, offer: _Offer, last: Last, folder: WitnessFolder
) -> _Offer:
    try:
        proof = maker.since(last.checkpoint)  # the log may have grown since
    except LogRefusedError:
        if maker.leads():
            raise _fork(path, offer, last, folder) from None
        raise LogRefusedError(
            Reason.ROOT_MISMATCH,
            f"the leaves here do not lead to {_told(offer.signed)}, as signed, from "
            f"{_told(last.checkpoint)}, as cosigned: the log was changed after it was signed",
            where=path,
            fix="run `platewarden audit verify`: it names what is wrong with the log",
        ) from None
    _, signed = signed_by(path, proof.note, maker.keys)
    return _Offer(proof.note, signed, proof)


def _fork(path: Path, offer: _Offer, last: Last, folder: WitnessFolder) -> LogRefusedError:
    file = folder.keep_evidence(offer.signed.origin, offer.note)
    return LogRefusedError(
        Reason.ROOT_MISMATCH,
        f"the log's key signed two histories: {_told(offer.signed)} here ({file.name}), and "
        f"{_told(last.checkpoint)}, which this witness cosigned on {from_posix_s(last.at_s)} "
        f"({last.file.name})",
        where=path,
        fix=_EVIDENCE,
    )


def _cosigned(offer: _Offer, folder: WitnessFolder, at_s: int) -> bytes:
    """The note with our line at its end; an earlier one of ours is gone, lines of others stay."""
    taken = parse_note(offer.note)
    mine = (folder.public.name, folder.public.id)
    others = [one for one in taken.signatures if (one.name, one.key_id) != mine]
    line = cosign(taken, folder.public.name, folder.key, at_s)
    # the log's own lines stand first, and are never the ones that are cut
    others.sort(key=lambda one: one.name != offer.signed.origin)
    return note(taken.signed, [*others[: MAX_SIGNATURES - 1], line])


def _told(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.size} leaves (root {checkpoint.root.hex()})"
