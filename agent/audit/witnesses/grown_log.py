"""Whether a log has only grown since somebody saw it last: what a path offers, held against what is
remembered. For witnesses, and for the city that collects its cameras' checkpoints.
"""

from pathlib import Path
from typing import Protocol

from agent.audit.proofs.proof_check import signed_by
from agent.audit.proofs.proof_maker import ProofMaker
from agent.core.log.checkpoint import Checkpoint
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
from agent.errors import LogRefusedError, PlatewardenError, StorageError, UsageError
from agent.storage.log_key import TrustedLogKeys
from agent.values import dataclass, replace

_SQLITE = b"SQLite format 3\0"
_BOM = b"\xef\xbb\xbf"
_EVIDENCE = "keep both checkpoints: together they show it to anybody; tell the city and its auditor"


@dataclass(frozen=True, slots=True)
class Last:
    """What was seen last of a log, when (POSIX seconds), and the file that says so."""

    file: Path
    checkpoint: Checkpoint
    at_s: int


class Memory(Protocol):
    """What was seen before. `verb`: what its owner did with it, as "this witness cosigned"."""

    @property
    def verb(self) -> str: ...
    def last(self, origin: str) -> Last | None: ...
    def keep_evidence(self, origin: str, note: bytes) -> Path: ...


@dataclass(frozen=True, slots=True)
class Look:
    """One path. `signed`: the checkpoint that it offers, `note` its bytes; `last`: what was seen
    before. `error`: why it does not fit; None: the log has only grown, or is seen for the first
    time.
    """

    path: Path
    signed: Checkpoint | None = None
    note: bytes = b""
    last: Last | None = None
    error: PlatewardenError | None = None


@dataclass(frozen=True, slots=True)
class _Offer:
    """A checkpoint that the log's key signed. `proof`: that it has grown from an older one."""

    note: bytes
    signed: Checkpoint
    proof: ConsistencyProof | None = None


def look(path: Path, keys: TrustedLogKeys, memory: Memory) -> Look:
    """`path`: a log, a proof that one has grown, or a checkpoint. Raises nothing of ours."""
    looked = Look(path)
    try:
        maker = ProofMaker(path, keys) if path.is_dir() or is_log(path) else None
        if maker is None:
            return look_at(read_bounded(path, MAX_PROOF_BYTES), path, keys, memory)
        offer = _Offer(*maker.newest())
    except PlatewardenError as error:
        return replace(looked, error=error)
    return _held(looked, offer, maker, memory)


def look_at(untrusted: bytes, where: Path, keys: TrustedLogKeys, memory: Memory) -> Look:
    """The same of the bytes of a proof or a checkpoint. `where`: for errors."""
    looked = Look(where)
    try:
        offer = _offer_of(untrusted, where, keys)
    except PlatewardenError as error:
        return replace(looked, error=error)
    return _held(looked, offer, None, memory)


def _held(looked: Look, offer: _Offer, maker: ProofMaker | None, memory: Memory) -> Look:
    """Against what is remembered."""
    path = looked.path
    looked = replace(looked, signed=offer.signed, note=offer.note)
    try:
        last = memory.last(offer.signed.origin)
        looked = replace(looked, last=last)
        if last is not None:
            offer = _grown(path, maker, offer, last, memory)
        return replace(looked, signed=offer.signed, note=offer.note)
    except PlatewardenError as error:
        return replace(looked, error=error)


def is_log(path: Path) -> bool:
    """A database. Raises StorageError."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        what = f"cannot be read: {(error.strerror or 'unknown error').lower()}"
        raise StorageError(what, where=path, fix="check the path and its permissions") from None


def _offer_of(untrusted: bytes, path: Path, keys: TrustedLogKeys) -> _Offer:
    """A checkpoint, or a proof with one in it. Line ends that a mail program changed are put
    right: what is verified then is what was signed, or nothing.
    """
    data = untrusted.removeprefix(_BOM).replace(b"\r\n", b"\n")
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
    path: Path, maker: ProofMaker | None, offer: _Offer, last: Last, memory: Memory
) -> _Offer:
    """The offer, or the log's newest one, of which the last cosigned tree is the beginning.

    Raises LogRefusedError for a rollback or a fork, UsageError for a proof that does not fit.
    """
    old, new = last.checkpoint, offer.signed
    if new.size < old.size:
        raise LogRefusedError(
            Reason.LOG_TRUNCATED,
            f"shows {_told(new)}, and {memory.verb} {_told(old)} on "
            f"{from_posix_s(last.at_s)}: an older copy lies here, or the end was cut off",
            where=path,
            fix=f"give the log as it is now; if that is all there is, {_EVIDENCE}",
        )
    if new.size == old.size:
        if new.root != old.root:
            raise _fork(path, offer, last, memory)
        return offer
    if maker is not None:
        return _grown_log(path, maker, offer, last, memory)
    if offer.proof is None or offer.proof.old_size != old.size:
        since = f"since {offer.proof.old_size}" if offer.proof else "no growth"
        raise UsageError(
            f"shows {_told(new)} and proves {since}; {memory.verb} {_told(old)}",
            where=path,
            fix=f"ask for a proof since then: `audit prove --grown --checkpoint {last.file.name}`",
        )
    if not verify_consistency(old.size, new.size, offer.proof.path, old.root, new.root):
        raise LogRefusedError(
            Reason.ROOT_MISMATCH,
            f"the proof does not lead from {_told(old)}, which {memory.verb}, to "
            f"{_told(new)}: it was damaged on its way, or the log's key signed two histories",
            where=path,
            fix="fetch it again, byte by byte; if it stays so, ask for the log itself",
        )
    return offer


def _grown_log(path: Path, maker: ProofMaker, offer: _Offer, last: Last, memory: Memory) -> _Offer:
    try:
        proof = maker.since(last.checkpoint)  # the log may have grown since
    except LogRefusedError:
        if maker.leads():
            raise _fork(path, offer, last, memory) from None
        raise LogRefusedError(
            Reason.ROOT_MISMATCH,
            f"the leaves here do not lead to {_told(offer.signed)}, as signed, from "
            f"{_told(last.checkpoint)}, which {memory.verb}: the log was changed after it was "
            "signed",
            where=path,
            fix="run `platewarden audit verify`: it names what is wrong with the log",
        ) from None
    _, signed = signed_by(path, proof.note, maker.keys)
    return _Offer(proof.note, signed, proof)


def _fork(path: Path, offer: _Offer, last: Last, memory: Memory) -> LogRefusedError:
    file = memory.keep_evidence(offer.signed.origin, offer.note)
    return LogRefusedError(
        Reason.ROOT_MISMATCH,
        f"the log's key signed two histories: {_told(offer.signed)} here ({file.name}), and "
        f"{_told(last.checkpoint)}, which {memory.verb} on {from_posix_s(last.at_s)} "
        f"({last.file.name})",
        where=path,
        fix=_EVIDENCE,
    )


def _told(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.size} leaves (root {checkpoint.root.hex()})"
