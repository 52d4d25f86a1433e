"""A recipient's list of epoch keys (docs/ref/sealed-read.md): parsing and writing, no
cryptography.
"""

from datetime import date, datetime, timedelta

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object, public_jwk
from agent.core.wire.epochs import EpochKeys, deadline_of

TYP = "platewarden-epoch-keys"
MAX_EPOCHS = 400
FIRST_VERSIONS = (1,)
"""Those of a list that names none: lists from before there were two."""
MAX_VERSIONS, MAX_VERSION = 8, 1_000
WHERE = "key list"


def parse_key_list(untrusted_json: bytes, recipient: str) -> EpochKeys:
    """The list, strict. Whether its keys are usable is for agent.verifying.key_list_check. Raises
    EnvelopeRefusedError(malformed).

    Needs no clock: the list is consistent in itself (nothing already destroyed when issued, no more
    than MAX_EPOCHS days ahead).
    """
    fields = Fields(
        parse_object(untrusted_json, WHERE),
        WHERE,
        required=("recipient", "issued_at", "epochs"),
        optional=("versions",),
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
    return EpochKeys(recipient, issued_at, keys, _parse_versions(fields))


def _parse_versions(fields: Fields) -> tuple[int, ...]:
    if "versions" not in fields:
        return FIRST_VERSIONS
    versions = tuple(
        Fields({"v": each}, f"{WHERE}: `versions`", required=("v",)).whole("v", 1, MAX_VERSION)
        for each in fields.sequence("versions", MAX_VERSIONS)
    )
    if not versions or versions != tuple(sorted(set(versions), reverse=True)):
        raise fields.bad("versions", "one or more, each once, newest first")
    return versions


def _parse_entry(untrusted_entry: object, index: int, issued_at: datetime) -> tuple[date, bytes]:
    fields = Fields(untrusted_entry, f"{WHERE}: entry {index}", required=("epoch", "key"))
    epoch = fields.day("epoch")
    if not issued_at < deadline_of(epoch) <= issued_at + timedelta(days=MAX_EPOCHS + 1):
        raise fields.bad("epoch", f"after the list's issue and within {MAX_EPOCHS} days of it")
    return epoch, fields.public_key("key", "X25519")


def format_key_list(keys: EpochKeys) -> bytes:
    """The list's JSON, to be signed by the recipient. Version 1 alone is told by silence: cameras
    from before there were two refuse a member that they do not know.
    """
    told: dict[str, object] = {
        "recipient": keys.recipient,
        "issued_at": rfc3339(keys.issued_at),
        "epochs": [
            {"epoch": epoch.isoformat(), "key": public_jwk("X25519", key)}
            for epoch, key in sorted(keys.keys.items())
        ],
    }
    if keys.versions != FIRST_VERSIONS:
        told["versions"] = list(keys.versions)
    return canonical(told)
