"""Makes cosignatures."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.log.checkpoint import COSIGNATURE_V1, NoteSignature, SignedNote
from agent.core.log.cosignature import WitnessKey, cosigned_bytes, timestamped


def witness_key_of(name: str, key: Ed25519PrivateKey) -> WitnessKey:
    """The public half, under the witness's name."""
    return WitnessKey(name, COSIGNATURE_V1, key.public_key().public_bytes_raw())


def cosign(note: SignedNote, name: str, key: Ed25519PrivateKey, at_s: int) -> NoteSignature:
    """A line that says: at `at_s` this was the largest tree of its origin that we have seen."""
    public = witness_key_of(name, key)
    signature = key.sign(cosigned_bytes(public, note, at_s))
    return NoteSignature(name, public.id, timestamped(at_s, signature))
