"""How many vehicles each rule has released in the hour around a capture: in memory only, a restart
starts anew.

The hour slides by captured time, not by the wall clock of the decision. After the clock was set
back, releases that now lie less than an hour ahead still count; those further ahead are forgotten,
so that one bad clock reading cannot silence a rule for good.

A vehicle that a rule has released is not charged to it again in the hour: a parked car that is
glimpsed now and then would spend the hour of all others. Such repeats have a budget of their own,
of the same size.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class _Spent:
    """By one rule: vehicles charged, and further reads of those."""

    charged: list[tuple[datetime, int]] = field(default_factory=list)
    repeats: list[datetime] = field(default_factory=list)

    def near(self, at: datetime) -> _Spent:
        """What lies less than an hour from `at`."""
        return _Spent(
            [one for one in self.charged if abs(at - one[0]) < HOUR],
            [one for one in self.repeats if abs(at - one) < HOUR],
        )

    def knows(self, vehicle: int) -> bool:
        """Was this vehicle charged?"""
        return any(vehicle == known for _, known in self.charged)


class Budgets:
    """Releases by rule. A vehicle is a number here: it says only whether two are the same.

    Memory is bounded by the rules' own `max_per_hour`: a rule that is spent records nothing more.
    """

    def __init__(self) -> None:
        self._spent: defaultdict[str, _Spent] = defaultdict(_Spent)

    def spent(self, at: datetime, vehicle: int) -> Mapping[str, int]:
        """How much of each rule's budget for this vehicle was used less than an hour from `at`
        (UTC): of the one for vehicles, or of that for repeats where it was charged already.
        """
        near = {rule: spent.near(at) for rule, spent in self._spent.items()}
        return {
            rule: len(spent.repeats) if spent.knows(vehicle) else len(spent.charged)
            for rule, spent in near.items()
        }

    def record(self, rule: str, at: datetime, vehicle: int) -> None:
        """One read of a vehicle was released by `rule`, captured at `at` (UTC)."""
        spent = self._spent[rule].near(at)
        if spent.knows(vehicle):
            spent.repeats.append(at)
        else:
            spent.charged.append((at, vehicle))
        self._spent[rule] = spent
