"""What one process has written into its log, in numbers: for the line that it says at its end, and
for `status`.
"""

from collections import Counter
from collections.abc import Mapping

from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.values import dataclass, field

# Reasons that only a sighting can have for which the hot list asks.
LISTED = frozenset(
    {
        Reason.CAMERA_NOT_RELEASED,
        Reason.CATEGORY_NOT_RELEASED,
        Reason.MATCH_LEVEL_NOT_RELEASED,
        Reason.READ_LIMITED,
        Reason.CONFIDENCE_TOO_LOW,
        Reason.RECIPIENT_NOT_IN_POLICY,
        Reason.RECIPIENT_EXPIRED,
        Reason.NO_BROKER_FOR_RECIPIENT,
        Reason.FALSE_LEADS,
        Reason.BUDGET_SPENT,
    }
)
# A release that was decided and could not be sealed: its sighting counts as released.
UNSEALED = frozenset({Reason.NO_EPOCH_KEY, Reason.NO_COMMON_VERSION, Reason.OUTBOX_FULL})
MOST = 10**12  # a number beyond it is no count of ours


@dataclass(slots=True)
class Tally:
    """`leaves`: how many of each kind; `rejected`: receipts that say anything else than stored;
    `refused`: refusals of anything but the city's bundles, which have a line of their own.

    The others are the sums of watch's hourly counts.
    """

    leaves: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    refused: int = 0
    sightings: int = 0
    unreadable: int = 0
    released: int = 0
    dropped: int = 0
    stills: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, details: Mapping[str, object]) -> None:
        """One leaf.

        What is no number or no reason of ours counts as nothing: `status` reads logs that it has
        not verified.
        """
        self.leaves[str(kind)] += 1
        if kind == LeafKind.RECEIPT and details.get("outcome") != "stored":
            self.rejected += 1
        if kind == LeafKind.REFUSAL and not str(details.get("reason")).startswith("bundle-"):
            self.refused += 1
        if kind != LeafKind.COUNTS:
            return
        self.sightings += _number(details.get("sightings"))
        self.unreadable += _number(details.get("unreadable"))
        self.released += _number(details.get("released"))
        self.dropped += _number(details.get("dropped"))
        self.stills += _number(details.get("stills"))
        reasons = details.get("reasons")
        if isinstance(reasons, Mapping):
            for reason in Reason:
                self.reasons[reason.value] += _number(reasons.get(reason.value))
            self.reasons = +self.reasons

    def listed(self) -> int:
        """Sightings for which the hot list asks.

        Every other one was dropped under one reason alone.
        """
        others = sum(
            number for reason, number in self.reasons.items() if reason not in LISTED | UNSEALED
        )
        return max(0, self.sightings - others)


def _number(value: object) -> int:
    return value if type(value) is int and 0 <= value <= MOST else 0
