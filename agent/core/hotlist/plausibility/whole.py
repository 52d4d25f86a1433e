"""Everything that is doubted of a list as a whole, once it is read and before it is taken, in one
place: a check a line.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from agent.core.hotlist.intake.lines import MAX_FAULTS_TOLD
from agent.core.hotlist.plausibility.age import older, older_reports
from agent.core.hotlist.plausibility.of_cases.bulk import bulk_of_a_case, bulk_of_a_day
from agent.core.hotlist.plausibility.of_cases.twins import twins
from agent.core.hotlist.plausibility.protections import unprotected
from agent.core.hotlist.plausibility.returned import returned
from agent.core.hotlist.plausibility.size import emptied, grown, part_gone, shrunk
from agent.core.hotlist.plausibility.swapped import swapped
from agent.core.hotlist.plausibility.zeros import lost_zeros
from agent.errors import ManyFaultsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.core.hotlist.plausibility.doubts import Allowed, Doubted, Lists

CHECKS: tuple[Callable[[Lists], Iterable[Doubted]], ...] = (
    emptied,
    shrunk,
    part_gone,
    grown,
    swapped,
    older,
    older_reports,
    unprotected,
    lost_zeros,
    returned,
    twins,
    bulk_of_a_case,
    bulk_of_a_day,
)


def require_plausible(lists: Lists, where: str, allowed: Allowed) -> None:
    """Raises ConfigError with all that is doubted, but for what whoever takes the list allowed."""
    doubted = (one for check in CHECKS for one in check(lists) if one.doubt not in allowed)
    told = [one.told(where) for one in islice(doubted, MAX_FAULTS_TOLD + 1)]
    if len(told) > MAX_FAULTS_TOLD:
        told[-1] = f"{where}: and more doubts"
    if told:
        raise ManyFaultsError(told)
