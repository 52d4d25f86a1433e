"""Checks the signature of one checkpoint."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.log.checkpoint import Checkpoint, key_id, parse_body, parse_note


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
    expected_id = key_id(origin, key.public_bytes(Encoding.Raw, PublicFormat.Raw))
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
