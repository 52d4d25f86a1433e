"""Checks a recipient's signed list of epoch keys before anything is sealed to one."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from agent import boundary
from agent.core.text.strict_json import malformed
from agent.core.wire.epochs import EpochKeys
from agent.core.wire.key_list import TYP, WHERE, parse_key_list
from agent.verifying import jose

MAX_BYTES = 131_072
# No secret: it only asks whether a point is usable.
_PROBE = X25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")


@boundary.document("key list")
def verify_key_list(untrusted_text: bytes, recipient: str, signing_key: bytes) -> EpochKeys:
    """The keys of a compact JWS signed by the recipient's `signing_key` (raw Ed25519, from the
    policy).

    Raises EnvelopeRefusedError.

    Limit: an older list of the same recipient is accepted; rollback protection comes with the
    signed bundles.
    """
    payload = jose.verify_compact(
        untrusted_text, TYP, signing_key, where=WHERE, max_bytes=MAX_BYTES
    )
    listed = parse_key_list(payload, recipient)
    for index, key in enumerate(listed.keys.values()):
        _require_usable(key, f"{WHERE}: entry {index}")
    return listed


def _require_usable(key: bytes, where: str) -> None:
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(key))
    except ValueError:  # a point of low order: anybody could compute the shared secret
        raise malformed("`key` must be a usable X25519 key", where) from None
