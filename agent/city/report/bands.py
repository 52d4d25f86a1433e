"""Numbers of vehicles and reads as bands of five, so that no vehicle is singled out
(docs/design/report.md).
"""

from collections.abc import Iterable, Sequence

from agent.values import dataclass

WIDTH = 5
BANDS = "Numbers are given in fives, so that no vehicle is singled out."


@dataclass(frozen=True, slots=True)
class Band:
    """All that is told of a number: it lies in [at_least, at_most]."""

    at_least: int
    at_most: int

    def __str__(self) -> str:
        """`0`, `1–4`, `1,235–1,239`."""
        if self.at_most == self.at_least:
            return f"{self.at_least:,}"
        return f"{self.at_least:,}–{self.at_most:,}"

    def __add__(self, other: "Band") -> "Band":
        """What is known of a sum by its parts alone."""
        return Band(self.at_least + other.at_least, self.at_most + other.at_most)


NOTHING = Band(0, 0)
Cell = str | int | Band


def band(number: int) -> Band:
    """0, 1–4, 5–9, 10–14 …"""
    if number <= 0:
        return NOTHING
    low = number - number % WIDTH
    return Band(max(1, low), low + WIDTH - 1)


def total(numbers: Sequence[int]) -> Band:
    """The band of a sum whose parts are published as bands: widened by fives until no part can be
    narrowed by it, whatever the others are.

    Mitigates against: four parts of 1–4 with a total of 1–4, which would all be 1.
    """
    parts = [band(number) for number in numbers]
    found = band(sum(numbers))
    low, high = sum(one.at_least for one in parts), sum(one.at_most for one in parts)
    # One part at its least with all others at their most must stay possible, and the reverse.
    most_low = min((high - (one.at_most - one.at_least) for one in parts), default=0)
    least_high = max((low + (one.at_most - one.at_least) for one in parts), default=0)
    at_least, at_most = found.at_least, found.at_most
    while at_least > most_low:
        at_least = max(1, at_least - WIDTH)
    while at_most < least_high:
        at_most += WIDTH
    return Band(at_least, at_most)


def in_order(
    rows: Iterable[tuple[str | int | Band, ...]],
) -> tuple[tuple[str | int | Band, ...], ...]:
    """Rows of a table by their texts: every run gives the same order."""
    return tuple(sorted(rows, key=lambda row: [_as_text(cell) for cell in row]))


def _as_text(cell: Cell) -> str:
    return f"{cell:012}" if isinstance(cell, int) else str(cell)
