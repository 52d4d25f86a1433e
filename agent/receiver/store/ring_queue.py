"""What waits to be rung: a port. Each read waits once for each ringer, whichever receiver stored
it; and whoever rings has the ringer for himself meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agent.values import dataclass

MOST_AT_ONCE = 500
"""Reads that one ring tells of. More wait for the next one."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 600.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What waits for a ringer, the caller's to ring. `names`: camera and read id; `failures`: how
    many rings in a row nobody heard.
    """

    names: tuple[tuple[str, str], ...]
    failures: int


@dataclass(frozen=True, slots=True)
class RingerState:
    """`waiting`: reads it has not told of; `failures`: rings in a row that nobody heard, since
    `failing_since`; `words`: why.
    """

    ringer: str
    waiting: int
    rung_at: datetime | None
    failures: int
    failing_since: datetime | None
    words: str


class RingQueue(Protocol):
    """Every method raises StorageError; StoreAwayError where the store may be back by itself.

    Times are the store's own: machines that share one need not agree.
    """

    def claim(self, ringer: str, lease_s: float) -> Claim | None:
        """All that waits for it, and nobody else gets any of it for so long. None: nothing waits,
        it is not yet time, or somebody else rings.
        """
        ...

    def rung(self, ringer: str, claim: Claim) -> None:
        """People were told of these, and never again."""
        ...

    def failed(self, ringer: str, words: str, pause_s: float) -> None:
        """Nobody heard. All stays, and it is time again after the pause."""
        ...

    def states(self) -> Sequence[RingerState]:
        """Of each ringer that was ever rung or waited for, by name."""
        ...


def pause_s(failures: int) -> float:
    """How long to wait after so many rings in a row that nobody heard, at least one."""
    return min(FIRST_PAUSE_S * float(1 << min(failures - 1, 20)), LONGEST_PAUSE_S)
