"""Estimates how many false leads a rule raises at one camera in a day, and keeps every step of the
arithmetic.

A false lead is a car that nobody looks for, reported as one that somebody does. Three ways are
counted: the plate is misread into a listed one; the plate is read right, but the listed one is
another state's; the plate looks like a listed one (`confusable`). Entries that are out of date are
not counted: the reading is right then, and the list is wrong. The odds are those of `lead_odds`,
summed over a day's traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.hotlist.lead_odds import BASE_RATE, OTHER_STATES
from agent.core.wire.match_level import MatchLevel
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent.core.judging.explain.answers import Explained
    from agent.core.judging.explain.explanation import Grant

DAYS_A_YEAR = 365
LIST_SIZE = 100_000  # where neither --list-size nor a hot list says otherwise


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the estimate assumes; every field is a flag of `policy explain`, and
    docs/ref/policy-explain.md says where its default is from.

    `listed`: entries in the rule's categories; `plate_space`: plates that could exist; `misread`:
    share of all readings that are wrong; `base_rate`: share of passing cars that are listed;
    `other_state`: share from another state; `state_misread`: share of states read wrong;
    `look_alikes`: texts that one text can be taken for, its group's and the reader's own
    alternatives together.
    """

    listed: int
    vehicles_per_day: int = 10_000
    plate_space: int = 158_184_000
    misread: float = 0.1
    base_rate: float = BASE_RATE
    other_state: float = OTHER_STATES
    state_misread: float = 0.05
    look_alikes: float = 5.24


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the arithmetic: what, how, and the result."""

    what: str
    how: str
    result: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """For one rule at one camera.

    `per_day`: false leads, after the hourly budget, which caps them; `true_per_day`: leads to the
    car that is listed. `of_full_list`: the same for a list of LIST_SIZE entries, where this one
    has another number.
    """

    steps: tuple[Step, ...]
    per_day: float
    true_per_day: float
    listed: int
    of_full_list: Estimate | None = None

    def often(self, cameras: int = 1) -> str:
        """`one in 26 days`, `2.1 a day`; at so many cameras together."""
        rate = self.per_day * cameras
        if not rate:
            return "none"
        if rate >= 1:
            return f"{rate:,.2g} a day" if rate < 100 else f"{rate:,.0f} a day"
        days = 1 / rate
        return (
            f"one in {days:,.0f} days"
            if days < 2 * DAYS_A_YEAR
            else f"one in {days / DAYS_A_YEAR:,.0f} years"
        )


def estimate_all(
    told: Explained, inputs: Inputs, listed: Mapping[str, int] | int | None
) -> dict[str, Estimate]:
    """The estimate of each rule that releases anything.

    `listed`: entries by category, or in each rule's categories; None: the default.
    """
    return {
        grant.rule: _beside_full_list(
            grant, replace(inputs, listed=_listed(grant.categories, listed))
        )
        for grant in told.grants
    }


def _beside_full_list(grant: Grant, inputs: Inputs) -> Estimate:
    """A short list flatters: so the figure of a long one stands beside it."""
    found, full = (
        estimate(one, grant.levels, grant.min_confidence, grant.max_per_hour)
        for one in (inputs, replace(inputs, listed=LIST_SIZE))
    )
    return found if inputs.listed == LIST_SIZE else replace(found, of_full_list=full)


def _listed(categories: Iterable[str], listed: Mapping[str, int] | int | None) -> int:
    if listed is None:
        return LIST_SIZE
    if isinstance(listed, int):
        return listed
    return sum(listed.get(category, 0) for category in categories)


def estimate(
    inputs: Inputs, levels: Sequence[MatchLevel], min_confidence: float, max_per_hour: int
) -> Estimate:
    """Expected false leads per camera and day of a rule that releases these levels from this
    confidence on.
    """
    vehicles, listed, space = inputs.vehicles_per_day, inputs.listed, inputs.plate_space
    by_chance = min(1.0, listed / space) if space else 0.0
    wrong = min(inputs.misread, 1 - min_confidence)
    steps = [
        Step(
            "a text is listed by chance",
            f"{listed:,} listed / {space:,} possible plates",
            by_chance,
        ),
        Step(
            "wrong, yet sure enough",
            f"the smaller of {inputs.misread:g} misread and 1 - {min_confidence:g} min_confidence",
            wrong,
        ),
    ]
    ways = list(_ways(inputs, levels, wrong, by_chance))
    total, cap = sum(way.result for way in ways), 24.0 * max_per_hour
    if total > cap:
        ways.append(Step("capped by the budget", f"24 x {max_per_hour} an hour", cap))
    true = min(vehicles * inputs.base_rate * (1 - inputs.misread), cap)
    how = f"{vehicles:,} cars x {inputs.base_rate:g} base rate x (1 - {inputs.misread:g})"
    ways.append(Step("true leads, were so many cars listed", how, true))
    return Estimate((*steps, *ways), min(total, cap), true, listed)


def _ways(
    inputs: Inputs, levels: Sequence[MatchLevel], wrong: float, by_chance: float
) -> Iterator[Step]:
    """The ways in which such a rule reports a car that nobody looks for."""
    vehicles = inputs.vehicles_per_day
    cars, other, odds = f"{vehicles:,} cars", f"{inputs.other_state:g}", f"{by_chance:.3g}"
    if MatchLevel.EXACT in levels or MatchLevel.TEXT in levels:
        how = f"{cars} x {wrong:g} x {odds}"
        yield Step("misread into a listed plate", how, vehicles * wrong * by_chance)
    if MatchLevel.TEXT in levels:
        how = f"{cars} x {other} x {odds}"
        abroad = vehicles * inputs.other_state * by_chance
        yield Step("another state's plate, state not read", how, abroad)
    elif MatchLevel.EXACT in levels:
        how = f"{cars} x {other} x {inputs.state_misread:g} x {odds}"
        abroad = vehicles * inputs.other_state * inputs.state_misread * by_chance
        yield Step("another state's plate, state misread", how, abroad)
    if MatchLevel.CONFUSABLE in levels:
        how = f"{cars} x {inputs.look_alikes:g} look-alikes x {odds}"
        yield Step("looks like a listed plate", how, vehicles * inputs.look_alikes * by_chance)
