"""Made-up policies, hot lists, reads and sightings for tests of the core.

Every plate is fictitious.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from agent.core.hotlist.index import hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.policy.policy import Broker, Match, Policy, Recipient, ReleaseRule
from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Alternative, Frame, PlateBox, PlateRead, Sighting
from agent.core.time.instant import ClockTrust, Instant
from agent.core.wire.match_level import MatchLevel

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TODAY = NOON.date()
EXAMPLE = Path(__file__).parents[2] / "config/policies/exampleville"
HEADER = "plate,state,category,agency,case,source_date,expires"
PICTURE = np.zeros((8, 32, 3), dtype=np.uint8)


def rule(**changes) -> ReleaseRule:
    standard = ReleaseRule(
        rule="stolen",
        categories=frozenset({"stolen-vehicle", "amber-alert"}),
        match=frozenset({MatchLevel.EXACT, MatchLevel.TEXT}),
        min_confidence=0.9,
        max_per_hour=3,
        recipient="town-pd",
        purpose="stolen-vehicle-recovery",
        retention_days=21,
        include=frozenset({"plate", "crop"}),
    )
    return replace(standard, **changes)


def recipient(name="town-pd", **changes) -> Recipient:
    return replace(
        Recipient(
            name,
            "Town Police",
            "Ordinance 1",
            date(2027, 5, 1),
            bytes(range(32)),
            "local-law-enforcement",
        ),
        **changes,
    )


def broker(*recipients, groups=()) -> Broker:
    return Broker(
        "hall",
        "mqtt.town.example",
        (("203.0.113.10", 8883),),
        "hall.pem",
        frozenset({bytes(32)}),
        frozenset(recipients),
        frozenset(groups),
    )


def policy(*rules, **changes) -> Policy:
    rules = rules or (rule(),)
    names = dict.fromkeys(one.recipient for one in rules)
    standard = Policy(
        name="Town policy",
        version=7,
        jurisdiction="US-CA",
        effective=date(2026, 11, 1),
        expires=date(2027, 5, 1),
        releases=rules,
        recipients={name: recipient(name) for name in names},
        brokers=(broker(*names),),
        digest="ab" * 32,
    )
    return replace(standard, **changes)


def match(category="stolen-vehicle", level=MatchLevel.EXACT, *others) -> Match:
    return Match(category, level, "Town PD", "C-1", date(2026, 11, 10), tuple(others))


def instant(seconds=0.0, trust=ClockTrust.OS) -> Instant:
    return Instant(NOON + timedelta(seconds=seconds), trust)


def hotlist(*rows, today=TODAY, withdrawn=()):
    """Rows as `plate,state,category`, or whole ones. `withdrawn`: entry_keys."""
    whole = [
        row if row.count(",") > 2 else f"{row},Town PD,C-{number},2026-11-10,2027-01-10"
        for number, row in enumerate(rows)
    ]
    made = datetime.combine(today, time(), UTC)
    compiled = import_list(
        Source(["\n".join([HEADER, *whole]).encode()], "hotlist.csv", made), None, today
    ).compiled
    return hotlist_of(compiled, None, max_age=timedelta(days=365), withdrawn=frozenset(withdrawn))


def read(
    text,
    x=100.0,
    y=100.0,
    width=100.0,
    *,
    confidence=0.95,
    state=None,
    alternatives=(),
    sharpness=1.0,
    at=0.0,
    region="us",
    crop=PICTURE,
) -> PlateRead:
    """One read; the box is as high as a third of its width. `at`: seconds after noon."""
    height = width / 3
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return PlateRead(
        box=PlateBox((x, y, width, height), corners, 0.9),
        text=PlateText(text),
        confidence=confidence if text else 0.0,
        char_confidence=(confidence ** (1 / len(text)),) * len(text) if text else (),
        alternatives=tuple(
            Alternative(PlateText(other), probability) for other, probability in alternatives
        ),
        region=region,
        state=state,
        crop=crop,
        sharpness=sharpness,
        captured=instant(at),
    )


def frame(number, at) -> Frame:
    return Frame(PICTURE, instant(at), number)


def sighting(text, *, state=None, alternatives=(), confidence=0.95, captured=None) -> Sighting:
    return Sighting(
        text=PlateText(text),
        confidence=confidence,
        char_confidence=(0.99,) * len(text),
        alternatives=tuple(Alternative(PlateText(other), 0.1) for other in alternatives),
        region="us",
        state=state,
        crop=PICTURE,
        captured=captured or instant(),
        camera="cam-1",
        frames=5,
    )
