"""A witness's cosignature under somebody else's checkpoint: which bytes it signs, its key as text.
No cryptography.

Source: https://c2sp.org/tlog-cosignature. The Ed25519 kind signs the note's text under a time. The
ML-DSA-44 kind signs witness, time, origin, size and root.
"""

from agent.core.log.checkpoint import (
    COSIGNATURE_ML_DSA_44,
    COSIGNATURE_V1,
    SignedNote,
    key_id,
    parse_body,
    parse_verifier_key,
    verifier_key,
)
from agent.values import dataclass

TIME_BYTES = 8
MIN_AT_S, MAX_AT_S = 1_577_836_800, 7_258_118_400  # 2020 to 2200, as every date of ours
KEY_BYTES = {COSIGNATURE_V1: 32, COSIGNATURE_ML_DSA_44: 1312}
SIGNATURE_BYTES = {COSIGNATURE_V1: 64, COSIGNATURE_ML_DSA_44: 2420}
_LABEL = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness's public key: `raw` as the algorithm (COSIGNATURE_V1 or COSIGNATURE_ML_DSA_44)
    writes it.
    """

    name: str
    algorithm: int
    raw: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that stand before each of its signatures."""
        return key_id(self.name, self.raw, self.algorithm)

    def __str__(self) -> str:
        """As a vkey."""
        return verifier_key(self.name, self.raw, self.algorithm)


def parse_witness_key(untrusted_text: str) -> WitnessKey:
    """A vkey of type 0x04 or 0x06. Raises ValueError."""
    for algorithm, key_bytes in KEY_BYTES.items():
        try:
            name, raw = parse_verifier_key(untrusted_text, algorithm, key_bytes)
        except ValueError:
            continue
        return WitnessKey(name, algorithm, raw)
    msg = "not a witness's verifier key (`name+id+base64`, type 0x04 or 0x06)"
    raise ValueError(msg)


def cosigned_bytes(key: WitnessKey, note: SignedNote, at_s: int) -> bytes:
    """What the witness signs at POSIX time `at_s`. Raises ValueError when it is no checkpoint."""
    if key.algorithm == COSIGNATURE_V1:
        return f"cosignature/v1\ntime {at_s}\n".encode() + note.signed
    said = parse_body(note.signed)
    name, origin = key.name.encode(), said.origin.encode()
    return b"".join(
        (
            _LABEL,
            bytes([len(name)]) + name,
            at_s.to_bytes(TIME_BYTES, "big"),
            bytes([len(origin)]) + origin,
            bytes(TIME_BYTES),
            said.size.to_bytes(TIME_BYTES, "big"),
            said.root,
        )
    )


def timestamped(at_s: int, signature: bytes) -> bytes:
    """The bytes that stand after the key's id."""
    return at_s.to_bytes(TIME_BYTES, "big") + signature


def parse_timestamped(untrusted: bytes, algorithm: int) -> tuple[int, bytes]:
    """POSIX time and signature. Raises ValueError; also for a time of 0, by which a witness says
    that it does not say when.
    """
    at_s = int.from_bytes(untrusted[:TIME_BYTES], "big")
    if len(untrusted) != TIME_BYTES + SIGNATURE_BYTES[algorithm] or not MIN_AT_S <= at_s < MAX_AT_S:
        msg = "not a timestamped signature"
        raise ValueError(msg)
    return at_s, untrusted[TIME_BYTES:]
