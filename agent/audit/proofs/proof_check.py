"""Checks a proof from the proof, the key and one checkpoint alone: no log is at hand."""

from hashlib import sha256
from pathlib import Path

from agent.audit.checkpoint_files import Judged, LogKey, judge, read_checkpoint_file
from agent.audit.log_verify import signer_of
from agent.audit.witnesses.witnessed import Witnessed, witnessed
from agent.core.log.checkpoint import Checkpoint
from agent.core.log.leaf import SALT_BYTES
from agent.core.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from agent.core.log.tlog_proof import (
    MAX_PROOF_BYTES,
    ConsistencyProof,
    InclusionProof,
    parse_proof,
)
from agent.core.log.witness_policy import WitnessPolicy
from agent.core.reasons import Reason
from agent.disk.atomic_file import read_bounded
from agent.errors import LogRefusedError, UsageError
from agent.storage.log_key import TrustedLogKeys
from agent.storage.log_notes import verified_checkpoint
from agent.values import dataclass, replace

_FIX = "ask whoever gave it for another one; if none holds, the log is not what was signed"


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof shows. `leaf`: its number, and `details`: the very bytes that were logged; of a
    proof that a log has only grown, None and b"", and `old_size` leaves are its beginning.
    """

    signed: Checkpoint
    leaf: int | None
    details: bytes
    old_size: int
    witnessed: Witnessed | None = None


def check_proof(
    file: Path,
    keys: TrustedLogKeys,
    kept: Path | None = None,
    witnesses: WitnessPolicy | None = None,
) -> Proven:
    """`kept`: a checkpoint from elsewhere. An inclusion proof must be of that very tree; a proof
    that the log has only grown begins with it, and needs it. `witnesses`: who must have cosigned
    the proof's checkpoint, or the kept one of the same tree.

    Raises UsageError when nothing can be checked, LogRefusedError when the proof does not hold.
    """
    try:
        proof = parse_proof(read_bounded(file, MAX_PROOF_BYTES).replace(b"\r\n", b"\n"))
    except ValueError as error:
        raise UsageError(
            f"is no proof: {error}", where=file, fix="fetch it again, byte by byte"
        ) from None
    signed, judged = _checkpoints(file, proof.note, keys, kept)
    older = judged.checkpoint if judged else None
    if isinstance(proof, ConsistencyProof):
        proven = _consistent(file, proof, signed, older)
    else:
        proven = _included(file, proof, signed, older)
    if witnesses is None:
        return proven
    notes = [(file, proof.note)]
    if judged and older == signed:
        notes.append((judged.file.path, judged.file.untrusted_note))
    return replace(proven, witnessed=_quorum(file, witnessed(notes, witnesses), witnesses))


def _quorum(file: Path, found: Witnessed, policy: WitnessPolicy) -> Witnessed:
    if not found.met:
        names = ", ".join(one.witness for one in found.seen) or "nobody"
        raise UsageError(
            f"is proven by the log's key alone: its checkpoint is cosigned by {names}, and "
            f"{policy} was asked for",
            where=file,
            fix="ask for a proof under a cosigned checkpoint (`audit prove --checkpoint`)",
        )
    return found


def signed_by(file: Path, note: bytes, keys: TrustedLogKeys) -> tuple[LogKey, Checkpoint]:
    """Whose checkpoint it is, and what it says. `file`: where it lies.

    Raises UsageError when no key of ours fits, LogRefusedError when the signature is not good.
    """
    signer = signer_of([note], keys)
    if isinstance(signer, str):
        why = signer or "its checkpoint cannot be read"
        raise UsageError(
            f"nothing was verified: {why}",
            where=file,
            fix="give the key that the city enrolled for this camera",
        )
    signed = verified_checkpoint(note, signer.origin, signer.key)
    if signed is None:
        raise LogRefusedError(
            Reason.CHECKPOINT_INVALID,
            "its checkpoint's signature is not good",
            where=file,
            fix=_FIX,
        )
    return signer, signed


def _checkpoints(
    file: Path, note: bytes, keys: TrustedLogKeys, kept: Path | None
) -> tuple[Checkpoint, Judged | None]:
    """The one in the proof, and the kept one, both signed by the key of the log that they name."""
    signer, signed = signed_by(file, note, keys)
    if kept is None:
        return signed, None
    judged = judge(read_checkpoint_file(kept), signer)
    if judged.checkpoint is None:
        raise UsageError(judged.why, where=kept, fix="give a checkpoint of the same log")
    return signed, judged


def _included(
    file: Path, proof: InclusionProof, signed: Checkpoint, kept: Checkpoint | None
) -> Proven:
    if len(proof.extra) < SALT_BYTES:
        raise UsageError(
            "does not hold what the leaf says", where=file, fix="make it with `audit prove`"
        )
    if kept is not None and kept.size != signed.size:
        raise UsageError(
            f"is about a tree of {signed.size} leaves; your checkpoint is of {kept.size}",
            where=file,
            fix="ask for a proof under your checkpoint (`audit prove --checkpoint`)",
        )
    leaf = leaf_hash(sha256(proof.extra).digest())
    if not verify_inclusion(leaf, proof.index, signed.size, proof.path, signed.root):
        what = f"leaf {proof.index} with these words is not in the tree that was signed"
        raise LogRefusedError(Reason.LEAF_CHANGED, what, where=file, fix=_FIX)
    if kept is not None and kept.root != signed.root:
        raise _two_histories(file, signed.size)
    return Proven(signed, proof.index, proof.extra[SALT_BYTES:], 0)


def _consistent(
    file: Path, proof: ConsistencyProof, signed: Checkpoint, kept: Checkpoint | None
) -> Proven:
    if kept is None or kept.size != proof.old_size:
        raise UsageError(
            f"shows what became of a log of {proof.old_size} leaves",
            where=file,
            fix="give the checkpoint of that size that you kept (--checkpoint)",
        )
    if not verify_consistency(kept.size, signed.size, proof.path, kept.root, signed.root):
        raise _two_histories(file, kept.size)
    return Proven(signed, None, b"", kept.size)


def _two_histories(file: Path, size: int) -> LogRefusedError:
    what = f"the {size} leaves of your checkpoint are not the beginning of what was signed here"
    return LogRefusedError(Reason.ROOT_MISMATCH, what, where=file, fix=_FIX)
