"""The field types of policy and charter: each turns what was written into a value, or says what is
wrong and how to fix it.

A message reads `what | fix`. Keys and pins are not repeated in messages; names are, in ASCII, so
that a look-alike letter shows.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import date
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Annotated, Literal

from agent.core.policy.barring import PLACES, Hours
from agent.core.text.encoding import PIN_PREFIX, from_b64url
from agent.core.text.identifier import IDENTIFIER, is_domain
from agent.core.text.schema.notes import By

if TYPE_CHECKING:
    from collections.abc import Callable

# A read is sealed to a whole UTC day's key: under two days it could have none (docs/ref/policy.md).
MIN_RETENTION_DAYS = 2
MAX_RETENTION_DAYS = 3650
KEY_BYTES = 32
MAX_PORT = 65535

JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])Z")
CA_FILE = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}\.pem")


def _shown(value: str) -> str:
    return ascii(value if len(value) <= 64 else value[:64] + "…")


def _no_wildcard(value: str) -> None:
    if "*" in value or "?" in value:
        raise ValueError(f"{_shown(value)}: wildcards are not allowed | name each one")


def _text(value: object) -> str:
    if not isinstance(value, str):
        # Pydantic turns ValueError, not TypeError, into a fault.
        raise ValueError("must be text in quotes | put quotes around it")  # noqa: TRY004
    return value


def identifier(value: object) -> str:
    """A name that stands in tags, topics and logs."""
    text = _text(value)
    _no_wildcard(text)
    if not IDENTIFIER.fullmatch(text):
        raise ValueError(
            f"{_shown(text)} is no identifier | use a-z, 0-9 and - only, at most 48 characters"
        )
    return text


def line(value: object) -> str:
    """A line for people: printable, one line, at most 120 characters."""
    text = _text(value)
    if not 0 < len(text) <= 120 or not text.isprintable() or text != text.strip():
        raise ValueError(
            "must be one line of printable text | at most 120 characters, no spaces around it"
        )
    return text


def domain(value: object) -> str:
    """A domain name that the city owns."""
    text = _text(value)
    if not is_domain(text):
        raise ValueError(f"{_shown(text)} is no domain name | lower case, as exampleville.gov")
    return text


def jurisdiction(value: object) -> str:
    """ISO 3166: a country or a country and a subdivision."""
    text = _text(value)
    if not JURISDICTION.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no jurisdiction | write it as US-CA or DE")
    return text


def day(value: object) -> date:
    """A TOML local date; not a time of day, not a string."""
    if type(value) is not date:
        raise ValueError("must be a date | write 2026-11-01, without quotes and time")
    return value


def hours(value: object) -> Hours:
    """`"22:00-06:00Z"`: a part of every UTC day, also past midnight."""
    text = _text(value)
    found = HOURS.fullmatch(text)
    if not found:
        raise ValueError(f"{_shown(text)} are no hours | write 22:00-06:00Z, in UTC")
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end:
        raise ValueError(
            f"{_shown(text)} begin where they end | leave hours out to bar the whole day"
        )
    return Hours(start, end)


def _one_of(names: tuple[str, ...], what: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = _text(value)
        if text not in names:
            raise ValueError(f"{_shown(text)} is no {what} | one of: {', '.join(names)}")
        return text

    return check


# Who a recipient is, for charters and jurisdictions that forbid a kind of them. `joint-center`:
# staffed by several kinds, as fusion centres are.
KINDS = (
    *(
        "local-law-enforcement",
        "state-law-enforcement",
        "local-agency",
        "state-agency",
        "joint-center",
    ),
    *("federal-agency", "out-of-state-agency", "foreign-agency", "vendor", "private"),
)


def retention_days(value: object) -> int:
    """`"21d"` as 21."""
    text = _text(value)
    if not re.fullmatch(r"[0-9]{1,4}d", text):
        raise ValueError(f"{_shown(text)} is no retention | write whole days as 21d")
    days = int(text[:-1])
    if not MIN_RETENTION_DAYS <= days <= MAX_RETENTION_DAYS:
        raise ValueError(
            f"{_shown(text)} is out of range | at least {MIN_RETENTION_DAYS}d, "
            f"at most {MAX_RETENTION_DAYS}d"
        )
    return days


def host_name(value: object) -> str:
    """A DNS name for SNI and certificate verification; never resolved on the camera."""
    text = _text(value)
    _no_wildcard(text)
    labels = text.split(".")
    if (
        len(text) > 253
        or not all(LABEL.fullmatch(label) for label in labels)
        or labels[-1].isdigit()
    ):
        raise ValueError(
            f"{_shown(text)} is no host name | lower-case letters, digits, - and dots; "
            "IP addresses belong in addresses"
        )
    return text


def address(value: object) -> tuple[str, int]:
    """`203.0.113.10:8883` or `[2001:db8::1]:8883`, in the address's canonical form."""
    text = _text(value)
    _no_wildcard(text)
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > MAX_PORT:
        raise ValueError(f"{_shown(text)}: no port | write 203.0.113.10:8883 or [2001:db8::1]:8883")
    try:
        ip = (
            IPv6Address(host[1:-1])
            if host.startswith("[") and host.endswith("]")
            else IPv4Address(host)
        )
    except AddressValueError:
        raise ValueError(
            f"{_shown(text)} is no IP address and port | a camera resolves no names: "
            "write 203.0.113.10:8883 or [2001:db8::1]:8883"
        ) from None
    if ip.is_unspecified or ip.is_multicast or "%" in host or str(ip) == "255.255.255.255":
        raise ValueError(f"{_shown(text)} is no single host | give the broker's own address")
    return str(ip), int(port)


def ca_file(value: object) -> str:
    """A plain file name: nothing that could lead out of the city's `ca` folder."""
    text = _text(value)
    if not CA_FILE.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no CA file | a plain name such as city-hall-ca.pem")
    return text


def pin(value: object) -> bytes:
    """RFC 7469 `sha256/<base64>` as the digest."""
    text = _text(value)
    _no_wildcard(text)
    try:
        digest = base64.b64decode(text.removeprefix(PIN_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if (
        not text.startswith(PIN_PREFIX)
        or len(digest) != KEY_BYTES
        or base64.b64encode(digest).decode() != text.removeprefix(PIN_PREFIX)
    ):
        raise ValueError(
            "is no SPKI pin | write sha256/ and 44 characters of base64, as openssl prints it"
        )
    return digest


def public_key(value: object) -> bytes:
    """Base64url of a raw Ed25519 public key, 43 characters, without padding."""
    text = _text(value)
    try:
        key = from_b64url(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            "is no Ed25519 public key | write its 32 bytes as 43 characters of base64url"
        )
    if key in WEAK_KEYS:
        raise ValueError(
            "is a weak Ed25519 key: "
            "anyone could sign for it | use a key from `platewarden receiver keys`"
        )
    return key


# Two encodings of small order that a zeroed or placeholder file would hold; a full check is the
# verifying library's.
WEAK_KEYS = frozenset({bytes(KEY_BYTES), b"\x01" + bytes(KEY_BYTES - 1)})

Identifier = Annotated[str, By(identifier)]
Line = Annotated[str, By(line)]
Domain = Annotated[str, By(domain)]
Jurisdiction = Annotated[str, By(jurisdiction)]
HostName = Annotated[str, By(host_name)]
CaFile = Annotated[str, By(ca_file)]
Place = Annotated[str, By(_one_of(PLACES, "kind of place"))]
Kind = Annotated[str, By(_one_of(KINDS, "kind of recipient"))]
Road = Literal["state-right-of-way", "other"]
HoursOfDay = Annotated[Hours, By(hours)]
Day = Annotated[date, By(day)]
RetentionDays = Annotated[int, By(retention_days)]
Address = Annotated[tuple[str, int], By(address)]
Pin = Annotated[bytes, By(pin)]
PublicKey = Annotated[bytes, By(public_key)]
