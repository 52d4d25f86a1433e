"""Ties a camera's leaf to the city's log: the leaf is proven under a checkpoint of the camera, and
that checkpoint is a leaf of the city's log, which witnesses cosign.
"""

import json
from pathlib import Path

from agent.audit.proofs.log_tiles import FITTING
from agent.audit.proofs.proof_check import Proven, check_proof
from agent.core.log.leaf import SALT_BYTES, LeafKind
from agent.core.log.tlog_proof import MAX_PROOF_BYTES, InclusionProof, parse_proof
from agent.core.log.witness_policy import WitnessPolicy
from agent.core.reasons import Reason
from agent.disk.atomic_file import read_bounded
from agent.errors import LogRefusedError, UsageError
from agent.storage.log_key import TrustedLogKeys
from agent.values import dataclass

_FIX = "give a proof that `audit publish` made of the city's log, under cameras/"


@dataclass(frozen=True, slots=True)
class ToldCheckpoint:
    """What a leaf of the city's log says of a camera's log: `size` leaves, `root` in hex."""

    log: str
    size: int
    root: str


def told_checkpoint(file: Path) -> ToldCheckpoint:
    """What the city's proof says, unverified: which of a camera's checkpoints to prove under.

    Raises UsageError, StorageError.
    """
    try:
        proof = parse_proof(read_bounded(file, MAX_PROOF_BYTES).replace(b"\r\n", b"\n"))
    except ValueError as error:
        raise UsageError(f"is no proof: {error}", where=file, fix=_FIX) from None
    return _told(file, proof.extra[SALT_BYTES:] if isinstance(proof, InclusionProof) else b"")


def check_in_city(
    camera: Proven, file: Path, keys: TrustedLogKeys, witnesses: WitnessPolicy | None
) -> Proven:
    """The city's proof `file`, whose leaf tells the very checkpoint under which `camera` is proven.
    `witnesses` must have cosigned the city's.

    Raises UsageError when it is of another log or size, LogRefusedError when it tells another root
    of this size, or does not hold.
    """
    city = check_proof(file, keys, None, witnesses)
    told, signed = _told(file, city.details), camera.signed
    if (told.log, told.size) != (signed.origin, signed.size):
        raise UsageError(
            f"tells of {told.size} leaves of {told.log}; the camera's proof is under {signed.size} "
            f"of {signed.origin}",
            where=file,
            fix="make the camera's proof with `audit prove --under` and this file",
        )
    if told.root != signed.root.hex():
        raise LogRefusedError(
            Reason.ROOT_MISMATCH,
            f"the city's log tells of {told.size} leaves with the root {told.root}, and the "
            f"camera's proof is under {signed.root.hex()}: the camera's key signed two histories",
            where=file,
            fix="keep both proofs: together they show it to anybody",
        )
    return city


def _told(file: Path, details: bytes) -> ToldCheckpoint:
    try:
        said = json.loads(details)
        kind, outcome = said["kind"], said["outcome"]
        found = ToldCheckpoint(str(said["log"]), int(said["size"]), str(said["root"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        kind, outcome, found = "", "", None
    if found is None or kind != LeafKind.CHECKPOINT or outcome not in FITTING:
        raise UsageError("proves no camera's checkpoint", where=file, fix=_FIX)
    return found
