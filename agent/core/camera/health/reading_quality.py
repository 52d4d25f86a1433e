"""Does a camera read as its charter promises? From a few numbers a day: how many vehicles, how
surely they were read, and how many test plates were read right.

No text, no time of day: only what a day adds up to.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.core.camera.health.health_report import Reading
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from agent.core.policy.schema.reading_rules import ReadingRules
    from agent.core.time.instant import Instant

LEAST_VEHICLES = 30  # of a day from which something can be said
LEAST_DAYS, USUAL_DAYS = 7, 28  # from which, and from how many at most, the usual is taken
FRESH_DAYS = 7  # an older day says nothing of today
MOST_DAYS = 120  # that are kept


@dataclass(frozen=True, slots=True)
class ReadingDay:
    """One UTC day. `confidence`: the sum over its vehicles; `right`, `wrong`: test plates that were
    read right, or nearly.
    """

    day: date
    vehicles: int = 0
    confidence: float = 0.0
    right: int = 0
    wrong: int = 0

    @property
    def mean(self) -> float | None:
        """Of a day that says something."""
        return self.confidence / self.vehicles if self.vehicles >= LEAST_VEHICLES else None

    def plus(self, other: ReadingDay) -> ReadingDay:
        """Both together."""
        return ReadingDay(
            self.day,
            self.vehicles + other.vehicles,
            self.confidence + other.confidence,
            self.right + other.right,
            self.wrong + other.wrong,
        )


@dataclass(slots=True)
class ReadingTally:
    """What the line has seen since the last `take`: a part of it that changes, as its counts do."""

    _days: dict[date, ReadingDay] = field(default_factory=dict)

    def vehicle(self, confidence: float, at: Instant) -> None:
        """Count one that was read. `confidence`: 0–1."""
        self._add(at, ReadingDay(at.utc.date(), 1, confidence))

    def test_plate(self, at: Instant, *, right: bool) -> None:
        """Count one that was held up."""
        self._add(at, ReadingDay(at.utc.date(), right=int(right), wrong=int(not right)))

    def take(self) -> tuple[ReadingDay, ...]:
        """All of it, once."""
        days, self._days = tuple(self._days.values()), {}
        return days

    def _add(self, at: Instant, more: ReadingDay) -> None:
        day = at.utc.date()
        self._days[day] = self._days.get(day, ReadingDay(day)).plus(more)


def joined(days: Iterable[ReadingDay], more: Iterable[ReadingDay]) -> tuple[ReadingDay, ...]:
    """In order, the newest MOST_DAYS."""
    found: dict[date, ReadingDay] = {}
    for one in (*days, *more):
        found[one.day] = found[one.day].plus(one) if one.day in found else one
    return tuple(found[day] for day in sorted(found))[-MOST_DAYS:]


def judged(
    days: Sequence[ReadingDay], asked_since: date, today: date, rules: ReadingRules
) -> tuple[Reading, str]:
    """How it reads, and in words why. `days`: in order; `asked_since`: since when the camera knows
    of the rules.
    """
    known = [one for one in days if one.day <= today]  # a clock was put back
    why = "; ".join(
        said
        for said in (
            _rehearsed(known, asked_since, today, rules),
            _drifted(known, today, rules.most_drift),
        )
        if said
    )
    return (Reading.WORSE if why else Reading.AS_PROMISED), why


def _rehearsed(
    days: Sequence[ReadingDay], asked_since: date, today: date, rules: ReadingRules
) -> str:
    if rules.rehearsal_days is None:
        return ""
    begins = today - timedelta(days=rules.rehearsal_days)
    recent = [one for one in days if one.day > begins]
    right, shown = sum(one.right for one in recent), sum(one.right + one.wrong for one in recent)
    if shown and rules.least_right is not None and right < rules.least_right * shown:
        return (
            f"{right} of {shown} test plates were read right in {rules.rehearsal_days} days, "
            f"promised are {rules.least_right:g}"
        )
    if not right and asked_since <= begins:
        return f"no test plate was read right for {rules.rehearsal_days} days"
    return ""


def _drifted(days: Sequence[ReadingDay], today: date, most_drift: float | None) -> str:
    """Against what was usual on days that were as usual: a slow fall does not become the usual."""
    if most_drift is None:
        return ""
    from statistics import median

    usual: list[float] = []
    said = ""
    for one in days:
        if one.mean is None:
            continue
        level = median(usual[-USUAL_DAYS:]) if len(usual) >= LEAST_DAYS else None
        if level is not None and level - one.mean > most_drift:
            fresh = today - one.day < timedelta(days=FRESH_DAYS)
            said = (
                f"mean confidence {one.mean:.2f} on {one.day.isoformat()}, usually {level:.2f}"
                if fresh
                else ""
            )
        else:
            usual.append(one.mean)
            said = ""
    return said
