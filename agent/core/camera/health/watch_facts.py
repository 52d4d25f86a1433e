"""What watch tells of itself once an hour, as a small file in the outbox: deliver, which has the
network, sees no plate and no file of watch's own (P2).

Words of closed lists and whole hours: so little that nothing of a plate could hide in it.
"""

import json
from datetime import datetime

from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_message import MOST_HOURS, hour_of, one_of, words_of
from agent.core.camera.health.health_report import Reading, to_the_hour
from agent.core.reasons import Reason
from agent.core.text.strict_json import Fields, parse_object
from agent.core.time.instant import ClockTrust
from agent.values import dataclass

MAX_BYTES = 1_024
_WHERE = "watch.health"
_MEMBERS = ("at", "alarms", "hotlist_age_h", "hotlist_stale", "clock", "closed", "reading")


@dataclass(frozen=True, slots=True)
class WatchFacts:
    """`at`: to the hour. `hotlist_age_h`: None: there is no list. `closed`: why nothing is
    released, or None. `reading`: None: the charter promises nothing.
    """

    at: datetime
    alarms: frozenset[Alarm]
    hotlist_age_h: int | None
    hotlist_stale: bool
    clock: ClockTrust
    closed: Reason | None
    reading: Reading | None


def format_facts(facts: WatchFacts) -> bytes:
    """As JSON."""
    table = {
        "at": to_the_hour(facts.at),
        "alarms": sorted(map(str, facts.alarms)),
        "hotlist_age_h": facts.hotlist_age_h,
        "hotlist_stale": facts.hotlist_stale,
        "clock": facts.clock,
        "closed": facts.closed,
        "reading": facts.reading,
    }
    return json.dumps(table).encode()


def parse_facts(untrusted: bytes) -> WatchFacts:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(parse_object(untrusted, _WHERE), _WHERE, required=_MEMBERS)
    known = fields.value("hotlist_age_h") is not None
    stale = fields.value("hotlist_stale")
    clock = one_of(fields, "clock", ClockTrust)
    if not isinstance(stale, bool) or clock is None:
        raise fields.bad("hotlist_stale` and `clock", "known")
    return WatchFacts(
        hour_of(fields, "at"),
        words_of(fields, "alarms", Alarm),
        fields.whole("hotlist_age_h", 0, MOST_HOURS) if known else None,
        stale,
        clock,
        one_of(fields, "closed", Reason),
        one_of(fields, "reading", Reading),
    )
