"""How many reads are held under each hold that lasts, and until when: for `receiver status` and
`receiver doctor`. Never a plate, nor a case.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from agent.core.text.rfc3339 import rfc3339
from agent.receiver.holds.hold_keeper import open_holds
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.time.instant import Instant
    from agent.receiver.store.read_store import ReadStore


@dataclass(frozen=True, slots=True)
class HoldTold:
    """`reads`: how many are held; `refused`: how many it covers that could not be."""

    hold: str
    reads: int
    refused: int
    expires_at: datetime

    def overdue(self, now: "Instant") -> bool:
        """Should it have ended?"""
        return now.utc >= self.expires_at

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "hold": self.hold,
            "reads": self.reads,
            "refused": self.refused,
            "expires_at": rfc3339(self.expires_at),
        }


def holds_told(store: "ReadStore") -> list[HoldTold]:
    """Each that has not ended here, the first to end first. Raises StorageError."""
    found = []
    for kept in open_holds(store):
        reads = store.holds.reads(kept.id)
        refused = sum(bool(read.refused) for read in reads)
        found.append(HoldTold(kept.id, len(reads) - refused, refused, kept.expires_at))
    return sorted(found, key=lambda one: (one.expires_at, one.hold))
