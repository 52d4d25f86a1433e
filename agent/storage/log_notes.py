"""Checks the signature of one checkpoint, and of the floor that deliver shows."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.log.checkpoint import MAX_NOTE_BYTES, Checkpoint, key_id, parse_body, parse_note
from agent.core.log.floor import Floor, floor_of
from agent.disk.atomic_file import read_bounded
from agent.errors import StorageError


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
