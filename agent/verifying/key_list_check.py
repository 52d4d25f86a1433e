"""Checks a recipient's signed list of epoch keys before anything is sealed to one."""

from datetime import date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object, public_jwk
from agent.core.wire.epochs import EpochKeys, deadline_of
from agent.verifying import jose

TYP = "platewarden-epoch-keys"
MAX_EPOCHS = 400
MAX_BYTES = 131_072
# No secret: it only asks whether a point is usable.
_PROBE = X25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")
_WHERE = "key list"


def verify_key_list(untrusted_text: bytes, recipient: str, signing_key: bytes) -> EpochKeys:
    """The keys of a compact JWS signed by the recipient's `signing_key` (raw Ed25519, from the
    policy).

    Raises EnvelopeRefusedError.

    Needs no clock: the list is consistent in itself (nothing already destroyed when issued, no more
    than MAX_EPOCHS days ahead). Limit: an older list of the same recipient is accepted; rollback
    protection comes with the signed bundles.
    """
    payload = jose.verify_compact(
        untrusted_text, TYP, signing_key, where=_WHERE, max_bytes=MAX_BYTES
    )
    fields = Fields(
        parse_object(payload, _WHERE), _WHERE, required=("recipient", "issued_at", "epochs")
    )
    fields.exactly("recipient", recipient)
    issued_at = fields.moment("issued_at")
    keys: dict[date, bytes] = {}
    previous: date | None = None
    for index, entry in enumerate(fields.sequence("epochs", MAX_EPOCHS)):
        epoch, key = _parse_entry(entry, index, issued_at)
        if previous is not None and epoch <= previous:
            raise fields.bad("epochs", f"strictly increasing (entry {index})")
        previous = epoch
        keys[epoch] = key
    if len(set(keys.values())) != len(keys):
        raise fields.bad(
            "epochs",
            "one key each: a key that serves two epochs would survive the first one's destruction",
        )
    return EpochKeys(recipient, issued_at, keys)


def _parse_entry(untrusted_entry: object, index: int, issued_at: datetime) -> tuple[date, bytes]:
    fields = Fields(untrusted_entry, f"{_WHERE}: entry {index}", required=("epoch", "key"))
    epoch = fields.day("epoch")
    if not issued_at < deadline_of(epoch) <= issued_at + timedelta(days=MAX_EPOCHS + 1):
        raise fields.bad("epoch", f"after the list's issue and within {MAX_EPOCHS} days of it")
    key = fields.public_key("key", "X25519")
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(key))
    except ValueError:  # a point of low order: anybody could compute the shared secret
        raise fields.bad("key", "a usable X25519 key") from None
    return epoch, key


def format_key_list(keys: EpochKeys) -> bytes:
    """The list's JSON, to be signed by the recipient."""
    return canonical(
        {
            "recipient": keys.recipient,
            "issued_at": rfc3339(keys.issued_at),
            "epochs": [
                {"epoch": epoch.isoformat(), "key": public_jwk("X25519", key)}
                for epoch, key in sorted(keys.keys.items())
            ],
        }
    )
