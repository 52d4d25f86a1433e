"""What a city's cameras look like together: what is wrong with each, who must act, and whom to
visit first. Values in, values out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from agent.core.camera.health.health_report import coarse, to_the_hour
from agent.core.text.rfc3339 import from_posix_s
from agent.fleet.camera_troubles import HOUR_S, Trouble, Who, told_troubles
from agent.fleet.fleet_store import CameraRow
from agent.values import dataclass

REFUSED_FOR_S = 24 * HOUR_S  # a refused message is told of so long


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
class Counts:
    """Of all cameras: how many there are, wait for whom, have which trouble, run which software and
    obey which policy.
    """

    cameras: int
    who: Mapping[Who, int]
    troubles: Mapping[str, int]
    versions: Mapping[str, int]
    policies: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Fleet:
    """`cameras`: those that were asked for, whom to visit first standing first; `strangers`:
    messages under names that are none of the city's cameras. `run`: how `fleet run` fares.
    """

    at: datetime
    cameras: Sequence[CameraState]
    counts: Counts
    strangers: int
    run: Mapping[str, str]

    def count(self, who: Who) -> int:
        """How many cameras wait for whom."""
        return self.counts.who.get(who, 0)

    @property
    def link(self) -> str:
        """How `fleet run` stands with the broker, in words."""
        return self.run.get("link", "has not run yet")

    def of(self, who: Who) -> Iterator[CameraState]:
        """Those of `cameras`, in order."""
        return (one for one in self.cameras if one.who is who)


def states_of(
    rows: Iterable[CameraRow], at: datetime, silent_after_h: int, newest_policy: int
) -> Sequence[CameraState]:
    """Whom to visit first stands first. `at`: UTC."""
    now_s = int(at.timestamp())
    return sorted((_state(row, now_s, silent_after_h, newest_policy) for row in rows), key=_urgency)


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
        yield from told_troubles(row.message.health, row.told_s, row.heard_s, newest_policy)


def counted(cameras: Mapping[str, int] | Mapping[int, int]) -> str:
    """`versions` or `policies`, in words."""
    return ", ".join(f"{name}: {count:,}" for name, count in cameras.items()) or "nothing heard"


def fleet_table(fleet: Fleet) -> Mapping[str, object]:
    """`fleet status --json` (docs/ref/fleet.md)."""
    return {
        "at": to_the_hour(fleet.at),
        "cameras": fleet.counts.cameras,
        **{who.name.lower(): fleet.count(who) for who in Who},
        "strangers": fleet.strangers,
        "versions": dict(fleet.counts.versions),
        "policies": {str(version): count for version, count in fleet.counts.policies.items()},
        "run": dict(fleet.run),
        "list": [one.table() for one in fleet.cameras],
    }
