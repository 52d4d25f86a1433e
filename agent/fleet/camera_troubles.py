"""What is wrong with one camera by its newest health message alone, and who must act. Values in,
values out.
"""

from collections.abc import Iterator
from enum import IntEnum

from agent.core.camera.camera_event import FIX
from agent.core.camera.health.health_report import Health, Reading
from agent.core.time.instant import ClockTrust
from agent.values import dataclass

HOT_C = 80  # where a Raspberry Pi begins to slow down
FULL = 0.5  # of the outbox
HOUR_S = 3_600
AHEAD_H = 2  # a camera's clock may lie so far ahead of the message's arrival


class Who(IntEnum):
    """Who must act, the most pressing first."""

    LADDER = 0
    DESK = 1
    NOBODY = 2


@dataclass(frozen=True, slots=True)
class Trouble:
    """`code`: for programs and metrics; `words`: for people."""

    code: str
    words: str
    who: Who


def told_troubles(
    health: Health, told_s: int, heard_s: int, newest_policy: int = 0
) -> Iterator[Trouble]:
    """`told_s`, `heard_s`: the message's own hour, and when it came; `newest_policy`: that any
    camera has; 0: nothing is said of an older one.
    """
    yield from _at_the_pole(health)
    yield from _at_the_desk(health, newest_policy)
    ahead_h = (told_s - heard_s) // HOUR_S
    if ahead_h >= AHEAD_H:
        yield Trouble("clock-ahead", f"its clock is {ahead_h} h or more ahead", Who.DESK)


def _at_the_pole(health: Health) -> Iterator[Trouble]:
    for alarm in sorted(health.alarms or ()):
        yield Trouble(str(alarm), f"{alarm}: {FIX[alarm]}", Who.LADDER)
    if health.watch_silent_h:
        hours = int(health.watch_silent_h)
        words = f"its camera process has told nothing for {hours} h: sensor, cable, or the card"
        yield Trouble("watch-silent", words, Who.LADDER)
    if health.throttled:
        yield Trouble("throttled", "its power or clock is cut: supply, cable, heat", Who.LADDER)
    if health.temperature_c is not None and health.temperature_c >= HOT_C:
        yield Trouble("hot", f"{health.temperature_c:.0f} °C", Who.LADDER)
    if health.reading is Reading.WORSE:
        words = "it reads worse than its charter promises: glass, focus, light"
        yield Trouble("reads-worse", words, Who.LADDER)


def _at_the_desk(health: Health, newest_policy: int) -> Iterator[Trouble]:
    age_h, version = health.hotlist_age_h, health.policy_version
    told = (
        ("watch-untold", health.watch_silent_h is None, "its camera process has told nothing yet"),
        ("closed", bool(health.closed), f"it releases nothing: {health.closed}"),
        ("no-policy", health.policy_in_force is False, "no policy is in force"),
        ("lapsed", bool(health.lapsed), f"{health.lapsed} roles of its bundles have lapsed"),
        (
            "old-policy",
            version is not None and version < newest_policy,
            f"policy {version}; others have {newest_policy}",
        ),
        (
            "no-hotlist",
            age_h is None and health.watch_silent_h is not None,
            "it has no hot list",
        ),
        (
            "hotlist-stale",
            bool(health.hotlist_stale) and age_h is not None,
            f"its hot list is {age_h} h old: too old to match",
        ),
        ("clock", health.clock is ClockTrust.UNTRUSTED, "its clock is not trusted"),
        (
            "brokers-away",
            bool(health.brokers_away),
            f"{health.brokers_away} of its brokers are out of reach",
        ),
        ("outbox", (health.outbox_filled or 0) >= FULL, "its outbox is half full, or more"),
        ("unread", bool(health.problems), f"it cannot read {', '.join(health.problems)}"),
    )
    for code, found, words in told:
        if found:
            yield Trouble(code, words, Who.DESK)
