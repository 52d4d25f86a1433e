"""Checks the city's roster of enrolled cameras, which m of the n keys of its root have signed."""

import re
from collections.abc import Mapping
from datetime import datetime

from agent import boundary
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import (
    Fields,
    canonical,
    parse_object,
    parse_public_jwk,
    public_jwk,
)
from agent.values import dataclass, field
from agent.verifying import jose

TYP = "platewarden-roster"
MAX_DEVICES = 20_000
MAX_BYTES = 16 << 20
MAX_ROOT_KEYS = 10
LEAST_THRESHOLD = 2  # of a root of several keys: any one of them alone would be weaker than one
_WHERE = "roster"
_LOGS = ("watch_log", "deliver_log")
AGE_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")  # X25519, in Bech32


@dataclass(frozen=True, slots=True)
class Roster:
    """`devices`: raw Ed25519 public keys, 32 bytes, that sign sealed reads, by device; `age`: the
    recipients to whom hot lists are encrypted (`age1…`), and `logs`: the keys of watch's and
    deliver's log, of the devices that were enrolled with them.
    """

    city: str
    issued_at: datetime
    devices: Mapping[str, bytes]
    age: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, tuple[bytes, bytes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RosterRoot:
    """Who signs the roster: `threshold` of `keys` (raw Ed25519, 32 bytes each, no two the same)."""

    keys: tuple[bytes, ...]
    threshold: int = 1


@boundary.document("root key")
def parse_root(untrusted_json: bytes, where: str = "root.json") -> RosterRoot:
    """The city's root, from its file: one JWK, or `keys` and the `threshold` of them that must
    sign.

    Raises EnvelopeRefusedError(malformed), also for a key that is there twice: whoever held it
    would be two.
    """
    table = parse_object(untrusted_json, where)
    if "kty" in table:
        return RosterRoot((parse_public_jwk(table, "Ed25519", where),))
    fields = Fields(table, where, required=("keys", "threshold"))
    keys = tuple(
        parse_public_jwk(one, "Ed25519", where) for one in fields.sequence("keys", MAX_ROOT_KEYS)
    )
    if len(set(keys)) != len(keys):
        raise fields.bad("keys", "keys of which no two are the same")
    return RosterRoot(keys, fields.whole("threshold", LEAST_THRESHOLD, len(keys)))


def format_root(root: RosterRoot) -> bytes:
    """root.json; the inverse of `parse_root`."""
    keys = [public_jwk("Ed25519", key) for key in root.keys]
    if root.threshold == 1 and len(keys) == 1:
        return canonical(keys[0]) + b"\n"
    return canonical({"keys": keys, "threshold": root.threshold}) + b"\n"


@boundary.document("roster")
def verify_roster(untrusted_text: bytes, root: RosterRoot) -> Roster:
    """The roster of a JWS that enough of the city root's keys have signed.

    Raises EnvelopeRefusedError.

    Limit: an older roster is accepted here; a camera gets its roster in a signed bundle, which no
    older one replaces.
    """
    return parse_roster_payload(
        jose.verify_general(
            untrusted_text, TYP, root.keys, root.threshold, where=_WHERE, max_bytes=MAX_BYTES
        )
    )


def parse_roster_payload(payload: bytes) -> Roster:
    """What the root's holders sign. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(payload, _WHERE), _WHERE, required=("v", "city", "issued_at", "devices")
    )
    fields.exactly("v", 1)
    devices: dict[str, bytes] = {}
    age: dict[str, str] = {}
    logs: dict[str, tuple[bytes, bytes]] = {}
    for index, entry in enumerate(fields.sequence("devices", MAX_DEVICES)):
        device = Fields(
            entry, f"{_WHERE}: entry {index}", required=("device", "key"), optional=("age", *_LOGS)
        )
        name = device.identifier("device")
        if name in devices:
            raise device.bad("device", "enrolled once")
        devices[name] = device.public_key("key", "Ed25519")
        if "age" in device:
            age[name] = device.pattern("age", AGE_RECIPIENT, "an X25519 recipient of age")
        if any(log in device for log in _LOGS):
            if not all(log in device for log in _LOGS):
                raise device.bad("watch_log", "there together with `deliver_log`")
            logs[name] = (
                device.public_key(_LOGS[0], "Ed25519"),
                device.public_key(_LOGS[1], "Ed25519"),
            )
    return Roster(fields.text("city"), fields.moment("issued_at"), devices, age, logs)


def format_roster(roster: Roster) -> bytes:
    """The roster's JSON, to be signed by the city root."""
    entries: list[dict[str, object]] = []
    for name, key in sorted(roster.devices.items()):
        entry: dict[str, object] = {"device": name, "key": public_jwk("Ed25519", key)}
        if name in roster.age:
            entry["age"] = roster.age[name]
        if name in roster.logs:
            entry |= {
                log: public_jwk("Ed25519", raw)
                for log, raw in zip(_LOGS, roster.logs[name], strict=True)
            }
        entries.append(entry)
    return canonical(
        {"v": 1, "city": roster.city, "issued_at": rfc3339(roster.issued_at), "devices": entries}
    )
