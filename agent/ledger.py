"""What deliver keeps of the reads that it sends: how often and when again, what was in flight when
a connection ended, what was refused, and the counts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from agent.core.log.fate import Fate
from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from agent.core.log.fate import Outcome
    from agent.ports import AuditLog, Clock

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
SPREAD_S, READS_A_SECOND = 25.0, 10
MAX_REFUSAL_LEAVES_PER_HOUR = 200
MAX_REMEMBERED = 10_000
HOUR_S = 3600.0
_REASONS = {
    Fate.REFUSED: Reason.BROKER_REFUSED_READ,
    Fate.TOO_LARGE: Reason.TOO_LARGE_FOR_BROKER,
    Fate.LOST: Reason.READ_ENDS_CONNECTION,
}


def anew_s(jitter: float, reads: int) -> float:
    """In how many seconds one of so many reads without a receipt is due on a new connection: its
    receipt may have come while the camera was away, and brokers keep none.

    5 s at least, in which receivers may answer by themselves; 30 s at most, so that a fleet that
    comes back together does not send together; later only where one camera has hundreds waiting.
    `jitter`: a number in [0, 1).
    """
    return FIRST_WAIT_S + jitter * max(SPREAD_S, reads / READS_A_SECOND)


class Attempts(Protocol):
    """What deliver remembers of each read across restarts. Raises StorageError."""

    def tries(self, read_id: str) -> int: ...
    def due(self, read_id: str) -> datetime | None: ...
    def withdrawn(self, read_id: str) -> str: ...
    def tried(self, read_id: str, due: datetime) -> None: ...
    def withdraw(self, read_id: str, reason: str) -> None: ...
    def keep_only(self, read_ids: Collection[str]) -> None: ...


@dataclass(slots=True)
class Refusals:
    """Refusal leaves: one for each new thing refused, bounded per hour; what is beyond is counted,
    and the counts are a leaf.

    Mitigates against: a hostile broker, or a hostile file writer, that would fill the log with
    refusals.
    """

    log: AuditLog
    clock: Clock
    _seen: set[tuple[str, ...]] = field(default_factory=set)
    _counts: dict[str, int] = field(default_factory=dict)
    _since_s: float | None = None
    _leaves: int = 0

    def note(
        self, key: tuple[str, ...], details: Mapping[str, object], *, once: bool = False
    ) -> None:
        """A leaf the first time, a count afterwards.

        `once`: the same thing found again, not done again, is not even counted.
        """
        if key in self._seen and once:
            return
        self.count(f"refused {details['reason']}")
        if (
            key in self._seen
            or self._leaves >= MAX_REFUSAL_LEAVES_PER_HOUR
            or len(self._seen) >= MAX_REMEMBERED
        ):
            return
        self._seen.add(key)
        self._leaves += 1
        self.log.append(LeafKind.REFUSAL, details)

    def count(self, what: str, number: int = 1) -> None:
        """Count for the hour's leaf."""
        if number:
            self._counts[what] = self._counts.get(what, 0) + number

    def write_counts(self, *, now: bool = False) -> None:
        """One leaf an hour and at the end, with nothing to count too: silence would look like a
        stopped process.
        """
        elapsed_s = self.clock.monotonic_s() - (
            self._since_s if self._since_s is not None else self.clock.monotonic_s()
        )
        self._since_s = self.clock.monotonic_s() - elapsed_s
        if elapsed_s < HOUR_S and not now:
            return
        self.log.append(LeafKind.COUNTS, {"counts": dict(sorted(self._counts.items()))})
        self._counts, self._leaves, self._since_s = {}, 0, self.clock.monotonic_s()


class Ledger:
    """One entry for each read that is on its way.

    A read waits for itself alone: 5 s, 10 s, 20 s … 10 min after each attempt of its own, which is
    an acknowledgement, a refusal, or the end of a connection on which it was alone.

    Mitigates against: one read that its broker will not take, or that ends every connection, and
    that would hold up all others.
    """

    def __init__(
        self, attempts: Attempts, refusals: Refusals, clock: Clock, jitter: Callable[[], float]
    ) -> None:
        self._attempts, self._refusals, self._clock = attempts, refusals, clock
        self._jitter = jitter
        self._recipients: dict[str, str] = {}  # of the reads in flight
        self._told: dict[str, str] = {}  # the broker's last words on reads that it did not take
        self.suspects: set[str] = set()  # in flight when a connection ended: next time alone
        # Since the last loss, has any read been answered? Then it is the suspects' turn.
        self.answered = False

    def hand_over(self, read_id: str, recipient: str) -> None:
        """It is in flight now."""
        self._recipients[read_id] = recipient

    def forget_flights(self) -> Collection[str]:
        """The publisher is gone, and with it all that was in flight: these reads."""
        flights, self._recipients = self._recipients, {}
        return flights.keys()

    def wait_s(self, read_id: str) -> float | None:
        """How long its own earlier tries keep it waiting still; None: it is withdrawn, or in
        flight.
        """
        if read_id in self._recipients or self._attempts.withdrawn(read_id):
            return None
        due = self._attempts.due(read_id)
        left_s = (due - self._clock.now().utc).total_seconds() if due is not None else 0.0
        # A due time further off than the longest wait was set by a clock that has been put back
        # since: do not wait for it.
        return left_s if 0 <= left_s <= LONGEST_WAIT_S else 0.0

    def soon_s(self, read_id: str, reads: int) -> float | None:
        """On a new connection, beside so many reads: within how many seconds it is due; None: as
        it was. Only what a broker has taken is due sooner, and never what no broker takes.
        """
        if read_id in self._told or not self._attempts.tries(read_id):
            return None
        return anew_s(self._jitter(), reads)

    def book(self, outcome: Outcome) -> float:
        """Take in what became of a read; in how many seconds it is due again."""
        read_id = outcome.read_id
        recipient = self._recipients.pop(read_id, "")
        self.answered = outcome.fate is not Fate.LOST
        if outcome.fate is Fate.LOST and read_id not in self.suspects:
            if outcome.suspect:
                self.suspects.add(read_id)
            return 0.0
        if outcome.fate is not Fate.LOST:
            self.suspects.discard(read_id)
        wait_s = self._wait(read_id)
        if outcome.fate is Fate.ACKNOWLEDGED:
            self._told.pop(read_id, None)
            return wait_s
        reason = _REASONS[outcome.fate]
        self._told[read_id] = outcome.words
        details = {
            "reason": reason,
            "read": read_id,
            "recipient": recipient,
            "what": outcome.words,
        }
        self._refusals.note(("read", read_id, reason), details)
        return wait_s

    def trouble(self) -> str:
        """What a broker says of a read that it does not take, or empty."""
        return next(iter(self._told.values()), "")

    def keep_only(self, read_ids: Collection[str]) -> None:
        """Forget reads that have left the outbox."""
        self._attempts.keep_only(read_ids)
        self.suspects.intersection_update(read_ids)
        for read_id in [read_id for read_id in self._told if read_id not in read_ids]:
            del self._told[read_id]

    def _wait(self, read_id: str) -> float:
        wait_s: float = min(
            FIRST_WAIT_S * 2 ** min(self._attempts.tries(read_id), 20), LONGEST_WAIT_S / 1.25
        ) * (1 + self._jitter() / 4)
        self._attempts.tried(read_id, self._clock.now().utc + timedelta(seconds=wait_s))
        return wait_s
