"""How many reads each rule has released in the hour around a capture: in memory only, a restart
starts anew.

The hour slides by captured time, not by the wall clock of the decision. After the clock was set
back, releases that now lie less than an hour ahead still count; those further ahead are forgotten,
so that one bad clock reading cannot silence a rule for good.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR = timedelta(hours=1)


class Budgets:
    """Releases by rule.

    Memory is bounded by the rules' own `max_per_hour`: a rule that is spent records nothing more.
    """

    def __init__(self) -> None:
        self._released: defaultdict[str, list[datetime]] = defaultdict(list)

    def spent(self, at: datetime) -> Mapping[str, int]:
        """How many releases of each rule lie less than an hour from `at` (UTC)."""
        return {
            rule: sum(abs(at - moment) < HOUR for moment in moments)
            for rule, moments in self._released.items()
        }

    def record(self, rule: str, at: datetime) -> None:
        """One read was released by `rule`, captured at `at` (UTC)."""
        self._released[rule] = [
            moment for moment in self._released[rule] if abs(at - moment) < HOUR
        ] + [at]
