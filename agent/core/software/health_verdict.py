"""Whether a version on trial is in good health, by what the machine says of its processes before
and since: up, connected, and with no fault that it did not have before.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

STEADY_S, LIMIT_S = 15.0, 80.0
"""So long must all be well without a break; so long may it take. With the way back it is less than
two minutes.
"""


class Verdict(StrEnum):
    """Of a trial."""

    WAITING = "waiting"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Unit:
    """One process. `active`: as systemd says it; `restarts`: by systemd itself since it was
    started.
    """

    active: str
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. `connected`: deliver's brokers; `faults`: what `doctor` finds failing; None: not
    asked yet.
    """

    units: Mapping[str, Unit]
    connected: frozenset[str] = frozenset()
    faults: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """`lacks`: what is not well, in words; empty: all is."""

    verdict: Verdict
    lacks: str = ""


def lacking(before: Seen, now: Seen) -> str:
    """What was there before and is not now, in words."""
    for name, unit in before.units.items():
        if unit.active == "active" and now.units.get(name, Unit("gone")).active != "active":
            return f"{name} is {now.units.get(name, Unit('gone')).active}"
    if missing := sorted(before.connected - now.connected):
        return f"deliver does not reach {', '.join(missing)}"
    return ""


def judge(before: Seen, now: Seen, elapsed_s: float, well_for_s: float) -> Judged:
    """`elapsed_s`: since the switch; `well_for_s`: since when nothing has been lacking.

    A process that failed, or that systemd had to start again, is enough for a verdict.
    """
    for name, unit in now.units.items():
        was = before.units.get(name, Unit("gone")).active == "active"
        if was and (unit.active == "failed" or unit.restarts > 0):
            return Judged(Verdict.BAD, f"{name} has failed")
    lacks = lacking(before, now)
    if elapsed_s >= LIMIT_S:
        late = lacks or "not steady in time"
        return Judged(Verdict.BAD, late)
    if lacks or well_for_s < STEADY_S:
        return Judged(Verdict.WAITING, lacks)
    if now.faults is None:
        return Judged(Verdict.WAITING, "doctor was not asked yet")
    if new := sorted(now.faults - (before.faults or frozenset())):
        return Judged(Verdict.BAD, f"doctor finds new faults: {', '.join(new)}")
    return Judged(Verdict.GOOD)
