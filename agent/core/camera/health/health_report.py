"""A camera's health in coarse numbers, as plain values.

No plate, no count of sightings, nothing that tells when a vehicle passed: whoever reads them may
read a network that watch has not (P2).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from agent.core.camera.camera_event import Alarm
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust
from agent.values import dataclass, field

DEGREES = 5  # steps of the temperature
TENTHS = 10  # steps of how full the outbox is
NOW_BITS, SINCE_START_BITS = 0xF, 0xF0000  # of the firmware's get_throttled


class Reading(StrEnum):
    """Does the camera read as its charter promises (docs/ref/policy.md, `[reading]`)?"""

    AS_PROMISED = "as-promised"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Health:
    """`alarms`: the standing ones; None: watch has not said. `temperature_c`: of the processor.
    `throttled`, `throttled_since_start`: is its power or clock cut. `hotlist_age_h`,
    `hotlist_stale`: of the list in force. `outbox_filled`: 0–1. `brokers_away`: listed, and out of
    reach. `lapsed`: roles of the bundles that have. `policy_in_force`: as watch obeys it.
    `problems`: the parts that could not be read, by name.

    `policy_version`, `policy_age_h`: of the policy in force, and since when the city has not signed
    its bundles anew. `clock`: of the process that tells. `closed`: why watch releases nothing;
    `watch_silent_h`: since when watch has told nothing. None: not known, or for `closed` and
    `reading`: nothing to say.
    """

    camera: str
    version: str
    at: datetime
    alarms: frozenset[Alarm] | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    throttled_since_start: bool | None = None
    hotlist_age_h: float | None = None
    hotlist_stale: bool | None = None
    outbox_filled: float | None = None
    brokers_away: int | None = None
    lapsed: int | None = None
    policy_in_force: bool | None = None
    problems: tuple[str, ...] = field(default=())
    policy_version: int | None = None
    policy_age_h: float | None = None
    clock: ClockTrust | None = None
    closed: Reason | None = None
    watch_silent_h: float | None = None
    reading: Reading | None = None


def to_the_hour(at: datetime) -> str:
    """A UTC time as it is told."""
    return at.strftime("%Y-%m-%dT%H:00:00Z")


def parse_hour(untrusted_text: str) -> datetime:
    """The inverse, strict. Raises ValueError."""
    at = datetime.fromisoformat(untrusted_text)
    if at.tzinfo != UTC or to_the_hour(at) != untrusted_text:
        msg = "a time must read YYYY-MM-DDTHH:00:00Z"
        raise ValueError(msg)
    return at


def coarse(health: Health) -> Mapping[str, object]:
    """In steps: an hour, five degrees, a tenth of the outbox. What is not known is null."""
    temperature, filled = health.temperature_c, health.outbox_filled
    return {
        "camera": health.camera,
        "version": health.version,
        "at": to_the_hour(health.at),
        "alarms": None if health.alarms is None else sorted(map(str, health.alarms)),
        "temperature_c": None if temperature is None else round(temperature / DEGREES) * DEGREES,
        "throttled": health.throttled,
        "throttled_since_start": health.throttled_since_start,
        "hotlist_age_h": _hours(health.hotlist_age_h),
        "hotlist_stale": health.hotlist_stale,
        "outbox_filled": None if filled is None else int(min(filled, 1.0) * TENTHS) / TENTHS,
        "brokers_away": health.brokers_away,
        "lapsed": health.lapsed,
        "policy_in_force": health.policy_in_force,
        "policy_version": health.policy_version,
        "policy_age_h": _hours(health.policy_age_h),
        "clock": health.clock,
        "closed": health.closed,
        "watch_silent_h": _hours(health.watch_silent_h),
        "reading": health.reading,
        "problems": sorted(health.problems),
    }


def _hours(age: float | None) -> int | None:
    """Whole ones; a clock that was put back makes nothing younger than new."""
    return None if age is None else max(0, int(age))
