"""Checks the city's signed roster of enrolled cameras."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from agent.verifying import jose

TYP = "platewarden-roster"
MAX_DEVICES = 5_000
MAX_BYTES = 1 << 20
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


@boundary.document("root key")
def parse_root(untrusted_json: bytes, where: str = "root.json") -> bytes:
    """The city root's raw Ed25519 public key from its JWK file.

    Raises EnvelopeRefusedError(malformed).
    """
    return parse_public_jwk(parse_object(untrusted_json, where), "Ed25519", where)


@boundary.document("roster")
def verify_roster(untrusted_text: bytes, root_key: bytes) -> Roster:
    """The roster of a compact JWS signed by the city root (raw Ed25519).

    Raises EnvelopeRefusedError.

    Limit: an older roster is accepted here; a camera gets its roster in a signed bundle, which no
    older one replaces.
    """
    payload = jose.verify_compact(untrusted_text, TYP, root_key, where=_WHERE, max_bytes=MAX_BYTES)
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
