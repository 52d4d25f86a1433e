"""Checks the city's signed roster of enrolled cameras."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.core.instant import rfc3339
from agent.core.strict_json import Fields, canonical, parse_object, parse_public_jwk, public_jwk
from agent.verifying import jose

TYP = "platewarden-roster"
MAX_DEVICES = 5_000
MAX_BYTES = 1 << 20
_WHERE = "roster"


@dataclass(frozen=True, slots=True)
class Roster:
    """`devices`: raw Ed25519 public keys, 32 bytes, that sign sealed reads, by device."""

    city: str
    issued_at: datetime
    devices: Mapping[str, bytes]


def parse_root(untrusted_json: bytes, where: str = "root.json") -> bytes:
    """The city root's raw Ed25519 public key from its JWK file. Raises EnvelopeRefusedError(malformed)."""
    return parse_public_jwk(parse_object(untrusted_json, where), "Ed25519", where)


def verify_roster(untrusted_text: bytes, root_key: bytes) -> Roster:
    """The roster of a compact JWS signed by the city root (raw Ed25519). Raises EnvelopeRefusedError.

    Limit: an older roster is accepted; rollback protection comes with the signed bundles.
    """
    payload = jose.verify_compact(untrusted_text, TYP, root_key, where=_WHERE, max_bytes=MAX_BYTES)
    fields = Fields(parse_object(payload, _WHERE), _WHERE, required=("v", "city", "issued_at", "devices"))
    fields.exactly("v", 1)
    devices: dict[str, bytes] = {}
    for index, entry in enumerate(fields.sequence("devices", MAX_DEVICES)):
        device = Fields(entry, f"{_WHERE}: entry {index}", required=("device", "key"))
        name = device.identifier("device")
        if name in devices:
            raise device.bad("device", "enrolled once")
        devices[name] = device.public_key("key", "Ed25519")
    return Roster(fields.text("city"), fields.moment("issued_at"), devices)


def format_roster(roster: Roster) -> bytes:
    """The roster's JSON, to be signed by the city root."""
    entries = [{"device": name, "key": public_jwk("Ed25519", key)} for name, key in sorted(roster.devices.items())]
    return canonical({"v": 1, "city": roster.city, "issued_at": rfc3339(roster.issued_at), "devices": entries})
