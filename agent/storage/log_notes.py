"""Checks the signatures of a checkpoint: its log's, and witnesses' cosignatures; and of the floor
that deliver shows.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from agent.core.log.checkpoint import (
    COSIGNATURE_V1,
    MAX_NOTE_BYTES,
    Checkpoint,
    NoteSignature,
    SignedNote,
    key_id,
    parse_body,
    parse_note,
)
from agent.core.log.cosignature import WitnessKey, cosigned_bytes, parse_timestamped
from agent.core.log.floor import Floor, floor_of
from agent.disk.atomic_file import read_bounded
from agent.errors import StorageError
from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A line that claims to be of `key`. `at_s`: when the witness signed, in POSIX seconds; None
    when the signature is not good.
    """

    key: WitnessKey
    line: NoteSignature
    at_s: int | None


def verified_checkpoint(
    untrusted_note: bytes, origin: str, key: Ed25519PublicKey
) -> Checkpoint | None:
    """The checkpoint, if `key` signed it under the name `origin` and it is of that origin; None
    otherwise. Other signatures are ignored.
    """
    try:
        taken_apart = parse_note(untrusted_note)
        checkpoint = parse_body(taken_apart.signed)
    except ValueError:
        return None
    expected_id = key_id(origin, key.public_bytes_raw())
    mine = [
        one for one in taken_apart.signatures if one.name == origin and one.key_id == expected_id
    ]
    if checkpoint.origin != origin or not mine:
        return None
    try:
        for one in mine:
            key.verify(one.signature, taken_apart.signed)
    except InvalidSignature:
        return None
    return checkpoint


def known_floor(shown: Path, origin: str, key: Ed25519PublicKey) -> Floor | None:
    """What deliver shows, for `status`; None when there is none that counts."""
    return looked_at(shown, origin, key)[0]


def looked_at(shown: Path, origin: str, key: Ed25519PublicKey) -> tuple[Floor | None, str]:
    """The floor, or None and what is wrong with it. A floor that cannot be read counts as none:
    deliver, which writes it, could as well keep it back.
    """
    if not os.path.lexists(shown):
        return None, ""
    try:
        found = verified_floor(read_bounded(shown, MAX_NOTE_BYTES), origin, key)
    except StorageError as error:
        return None, error.what
    return (
        found,
        "" if found else "the checkpoint that deliver keeps is not signed by this log's key",
    )


def verified_floor(untrusted_note: bytes, origin: str, key: Ed25519PublicKey) -> Floor | None:
    """The floor in a signed note; None where this key did not sign it."""
    checkpoint = verified_checkpoint(untrusted_note, origin, key)
    try:
        return floor_of(checkpoint) if checkpoint else None
    except ValueError:
        return None


def cosignatures(
    signatures: Iterable[NoteSignature], note: SignedNote, keys: Iterable[WitnessKey]
) -> tuple[Cosignature, ...]:
    """The lines of known witnesses, each once; lines of others are ignored, as C2SP has it."""
    found: dict[NoteSignature, Cosignature] = {}
    known = {(key.name, key.id): key for key in keys}
    for line in signatures:
        key = known.get((line.name, line.key_id))
        if key is not None:
            found[line] = Cosignature(key, line, _time_of(line, note, key))
    return tuple(found.values())


def _time_of(line: NoteSignature, note: SignedNote, key: WitnessKey) -> int | None:
    try:
        at_s, signature = parse_timestamped(line.signature, key.algorithm)
        public = (
            Ed25519PublicKey.from_public_bytes(key.raw)
            if key.algorithm == COSIGNATURE_V1
            else MLDSA44PublicKey.from_public_bytes(key.raw)
        )
        public.verify(signature, cosigned_bytes(key, note, at_s))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return None
    return at_s
