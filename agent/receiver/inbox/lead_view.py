"""What a page or an export says of one lead: from its tags alone, or with what was opened. Values
in, values out.
"""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.tags import Tags
from agent.receiver.inbox.lead_words import DOUBTFUL, LEVELS, is_test, odds
from agent.receiver.opener import OpenedRead
from agent.receiver.store.acts.lead_acts import LeadState
from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the reader sits. `places`: where each camera stands, for people; `positions`: latitude
    and longitude of those that have one.
    """

    zone: ZoneInfo
    places: Mapping[str, str]
    positions: Mapping[str, tuple[float, float]]

    def local(self, moment: datetime) -> str:
        """`2026-11-29 02:10:04 PST`."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S %Z")

    def place(self, camera: str) -> str:
        """Where it stands, or that nobody said so."""
        return self.places.get(camera, "place not known here")


@dataclass(frozen=True, slots=True)
class LeadLine:
    """A lead before anybody opens it. Times as texts, each beside UTC."""

    camera: str
    read_id: str
    place: str
    seen_local: str
    seen_utc: str
    clock: str
    category: str
    match: str
    match_words: str
    purpose: str
    policy: str
    rule: str
    until_local: str
    until_utc: str
    test: bool
    state: LeadState

    @property
    def path(self) -> str:
        """On this server: names, never a plate."""
        return f"/lead/{self.camera}/{self.read_id}"


@dataclass(frozen=True, slots=True)
class SeenCharacter:
    """`percent`: how sure the camera was; `doubtful`: below what is marked."""

    character: str
    percent: int
    doubtful: bool


@dataclass(frozen=True, slots=True)
class OpenedLead:
    """What was sealed. `entry_age_days`: of the entry, when the vehicle was seen."""

    characters: tuple[SeenCharacter, ...]
    confidence: int | None
    frames: int | None
    state: str
    region: str
    alternatives: tuple[tuple[str, int], ...]
    odds: str
    agency: str
    case: str
    source_date: str
    entry_age_days: int
    crop: bytes | None


def line_of(tags: Tags, state: LeadState, desk: Desk) -> LeadLine:
    """Of a read that its camera signed."""
    return LeadLine(
        camera=tags.device,
        read_id=tags.read_id,
        place=desk.place(tags.device),
        seen_local=desk.local(tags.captured_at),
        seen_utc=rfc3339(tags.captured_at),
        clock=tags.clock.value,
        category=tags.category,
        match=tags.match.value,
        match_words=LEVELS[tags.match.value],
        purpose=tags.purpose,
        policy=f"{tags.policy_name}, version {tags.policy_version}",
        rule=tags.rule,
        until_local=desk.local(tags.deadline),
        until_utc=rfc3339(tags.deadline),
        test=is_test(tags),
        state=state,
    )


def opened_lead(opened: OpenedRead) -> OpenedLead:
    """Of a read that was opened, and whose opening is in the access log."""
    plate = opened.plate
    pairs = zip(plate.text.value, plate.char_confidence, strict=True) if plate else ()
    return OpenedLead(
        characters=tuple(SeenCharacter(one, percent(sure), sure < DOUBTFUL) for one, sure in pairs),
        confidence=percent(plate.confidence) if plate else None,
        frames=plate.frames if plate else None,
        state=(plate.state or "not read") if plate else "not released",
        region=plate.region if plate else "not released",
        alternatives=tuple((text.value, percent(sure)) for text, sure in plate.alternatives)
        if plate
        else (),
        odds=odds(opened.posterior),
        agency=opened.entry_agency,
        case=opened.entry_case,
        source_date=opened.entry_source_date.isoformat(),
        entry_age_days=(opened.tags.captured_at.date() - opened.entry_source_date).days,
        crop=opened.crop,
    )


def percent(fraction: float) -> int:
    """Rounded down, 99 at most: nothing here is certain."""
    return min(int(fraction * 100), 99)
