"""Makes and checks cosignatures."""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from agent.core.log.checkpoint import COSIGNATURE_V1, NoteSignature, SignedNote
from agent.core.log.cosignature import (
    WitnessKey,
    cosigned_bytes,
    parse_timestamped,
    timestamped,
)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A line that claims to be of `key`. `at_s`: when the witness signed, in POSIX seconds; None
    when the signature is not good.
    """

    key: WitnessKey
    line: NoteSignature
    at_s: int | None


def witness_key_of(name: str, key: Ed25519PrivateKey) -> WitnessKey:
    """The public half, under the witness's name."""
    return WitnessKey(name, COSIGNATURE_V1, key.public_key().public_bytes_raw())


def cosign(note: SignedNote, name: str, key: Ed25519PrivateKey, at_s: int) -> NoteSignature:
    """A line that says: at `at_s` this was the largest tree of its origin that we have seen."""
    public = witness_key_of(name, key)
    signature = key.sign(cosigned_bytes(public, note, at_s))
    return NoteSignature(name, public.id, timestamped(at_s, signature))


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
