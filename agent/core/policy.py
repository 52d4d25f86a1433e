"""The policy's values and its two questions: may this sighting leave, and may this sealed read still be published.

Default deny: what no [[release]] names is dropped. This module never sees a plate: `decide` is asked about
circumstances and a match, so that the network side can import it too (P2). Parsing is in `policy_file.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from agent.core.instant import Instant
from agent.core.reasons import Reason


class MatchLevel(StrEnum):
    """How a sighting matched (P10). `exact`: text and issuing state; `text`: state not read; `confusable`: through an alternative."""

    EXACT = "exact"
    TEXT = "text"
    CONFUSABLE = "confusable"


@dataclass(frozen=True, slots=True)
class ReleaseRule:
    """One [[release]]: what leaves, for which match, to whom. `retention_days`: whole days, at least 2."""

    rule: str
    categories: frozenset[str]
    match: frozenset[MatchLevel]
    min_confidence: float
    max_per_hour: int
    recipient: str
    purpose: str
    retention_days: int
    include: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One [[recipient]]. `signing_key`: raw Ed25519 public key, 32 bytes, that signs its receipts and epoch key list."""

    id: str
    legal_name: str
    basis: str
    expires: date
    signing_key: bytes


@dataclass(frozen=True, slots=True)
class Broker:
    """One [[broker]]. `host` serves SNI and the certificate only; `addresses`: (IP, port). `spki_pins`: SHA-256 digests, 32 bytes each."""

    id: str
    host: str
    addresses: tuple[tuple[str, int], ...]
    ca: str
    spki_pins: frozenset[bytes]
    recipients: frozenset[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """A city's policy as parsed. `digest`: lower-case hex SHA-256 of the file's bytes. In force from `effective` up to, not including, `expires` (UTC dates)."""

    name: str
    version: int
    jurisdiction: str
    effective: date
    expires: date
    releases: tuple[ReleaseRule, ...]
    recipients: Mapping[str, Recipient]
    brokers: tuple[Broker, ...]
    digest: str

    def in_force(self, at: datetime) -> bool:
        """Is `at` (UTC) within [effective, expires)?"""
        return self.effective <= at.date() < self.expires


@dataclass(frozen=True, slots=True)
class Match:
    """What the hot list says of a sighting. No plate here. `entry_*` tell the officer where the lead came from."""

    category: str
    level: MatchLevel
    entry_agency: str
    entry_case: str
    entry_source_date: date


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What `decide` may know of a sighting besides its match. `confidence`: 0–1, whole plate."""

    captured: Instant
    camera: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Release:
    """Leave to do one thing: seal one sighting to one recipient under one rule."""

    rule: str
    recipient: str
    purpose: str
    retention_days: int
    include: frozenset[str]
    match: Match
    policy_name: str
    policy_version: int
    policy_digest: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`releases` may be empty; `reasons` says, rule by rule, why (at least one code)."""

    releases: tuple[Release, ...]
    reasons: tuple[Reason, ...]
