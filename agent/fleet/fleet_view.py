"""What a city's cameras look like together: what is wrong with each, who must act, and whom to
visit first. Values in, values out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import IntEnum

from agent.core.camera.camera_event import FIX
from agent.core.camera.health.health_report import Health, Reading, coarse, to_the_hour
from agent.core.text.rfc3339 import from_posix_s
from agent.core.time.instant import ClockTrust
from agent.fleet.fleet_store import CameraRow
from agent.values import dataclass

HOT_C = 80  # where a Raspberry Pi begins to slow down
FULL = 0.5  # of the outbox
HOUR_S = 3_600
REFUSED_FOR_S = 24 * HOUR_S  # a refused message is told of so long
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


@dataclass(frozen=True, slots=True)
class CameraState:
    """One camera. `silent_h`: hours since it was heard; None: never."""

    row: CameraRow
    silent_h: int | None
    troubles: tuple[Trouble, ...]

    @property
    def who(self) -> Who:
        """Who must act."""
        return min((one.who for one in self.troubles), default=Who.NOBODY)

    def table(self) -> Mapping[str, object]:
        """As plain values (docs/ref/fleet.md)."""
        row, message = self.row, self.row.message
        told = coarse(message.health) if message else {}
        return {
            "camera": row.name,
            "who": self.who.name.lower(),
            "troubles": [{"code": one.code, "what": one.words} for one in self.troubles],
            "heard": from_posix_s(row.heard_s) if row.heard_s is not None else None,
            "silent_h": self.silent_h,
            "number": message.number if message else None,
            "unsent": message.unsent if message else None,
            "missed": row.missed,
            "began_anew": row.began_anew,
            "refused": row.refused,
            "health": {name: value for name, value in told.items() if name != "camera"} or None,
        }


@dataclass(frozen=True, slots=True)
class Fleet:
    """`cameras`: whom to visit first stands first; `strangers`: messages under names that are none
    of the city's cameras. `versions`, `policies`: how many cameras run which. `run`: how `fleet
    run` fares.
    """

    at: datetime
    cameras: Sequence[CameraState]
    strangers: int
    versions: Mapping[str, int]
    policies: Mapping[int, int]
    run: Mapping[str, str]

    def count(self, who: Who) -> int:
        """How many cameras wait for whom."""
        return sum(one.who is who for one in self.cameras)

    @property
    def link(self) -> str:
        """How `fleet run` stands with the broker, in words."""
        return self.run.get("link", "has not run yet")

    def of(self, who: Who) -> Iterator[CameraState]:
        """Those, in order."""
        return (one for one in self.cameras if one.who is who)


def fleet_of(
    rows: Iterable[CameraRow],
    at: datetime,
    silent_after_h: int,
    *,
    strangers: int = 0,
    run: Mapping[str, str] | None = None,
) -> Fleet:
    """`at`: UTC."""
    found = tuple(rows)
    healths = [row.message.health for row in found if row.message]
    versions = Counter(one.version for one in healths)
    policies = Counter(one.policy_version for one in healths if one.policy_version is not None)
    newest = max(policies, default=0)
    now_s = int(at.timestamp())
    states = [_state(row, now_s, silent_after_h, newest) for row in found]
    states.sort(key=_urgency)
    return Fleet(
        at,
        tuple(states),
        strangers,
        dict(versions.most_common()),
        dict(sorted(policies.items(), reverse=True)),
        run or {},
    )


def _urgency(one: CameraState) -> tuple[int, int, int, str]:
    """Of those that need the same people: whoever has been silent the longest, then whoever has the
    most troubles.
    """
    silent = any(trouble.code == "silent" for trouble in one.troubles)
    hours = one.silent_h if silent and one.silent_h is not None else 0
    return one.who, -hours, -len(one.troubles), one.row.name


def _state(row: CameraRow, now_s: int, silent_after_h: int, newest_policy: int) -> CameraState:
    silent_h = max(0, now_s - row.heard_s) // HOUR_S if row.heard_s is not None else None
    return CameraState(
        row, silent_h, tuple(_troubles(row, now_s, silent_h, silent_after_h, newest_policy))
    )


def _troubles(
    row: CameraRow, now_s: int, silent_h: int | None, silent_after_h: int, newest_policy: int
) -> Iterator[Trouble]:
    if silent_h is None:
        yield Trouble("never-heard", "was never heard: is it installed, and online?", Who.DESK)
    elif silent_h >= silent_after_h:
        words = f"silent for {silent_h} h: power, network, or the camera itself"
        yield Trouble("silent", words, Who.LADDER)
    if row.refused and now_s - row.refused_s < REFUSED_FOR_S:
        words = f"{row.refused} of its messages were refused: {row.refused_why}"
        yield Trouble("refused", words, Who.DESK)
    if row.message is not None and row.heard_s is not None and row.told_s is not None:
        health = row.message.health
        yield from _at_the_pole(health)
        yield from _at_the_desk(health, newest_policy)
        ahead_h = (row.told_s - row.heard_s) // HOUR_S
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


def counted(cameras: Mapping[str, int] | Mapping[int, int]) -> str:
    """`versions` or `policies`, in words."""
    return ", ".join(f"{name}: {count:,}" for name, count in cameras.items()) or "nothing heard"


def fleet_table(fleet: Fleet) -> Mapping[str, object]:
    """`fleet status --json` (docs/ref/fleet.md)."""
    return {
        "at": to_the_hour(fleet.at),
        "cameras": len(fleet.cameras),
        **{who.name.lower(): fleet.count(who) for who in Who},
        "strangers": fleet.strangers,
        "versions": dict(fleet.versions),
        "policies": {str(version): count for version, count in fleet.policies.items()},
        "run": dict(fleet.run),
        "list": [one.table() for one in fleet.cameras],
    }
