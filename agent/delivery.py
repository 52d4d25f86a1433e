"""The straight line from outbox to receipt: re-check, publish, back off, publish again, until the
recipient's own receipt is there.

Nothing here removes a read from the outbox: only `watch` does, after it has verified the receipt
itself (P8). A pass in which nothing is due looks at no read (docs/design/mailboxes.md).
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from agent.core.log.leaf import LeafKind
from agent.core.policy.decide import HOLD, may_publish
from agent.core.reasons import Reason
from agent.core.time.agenda import Agenda
from agent.core.wire.own_read import require_answer, require_own
from agent.errors import DestinationRefusedError, EnvelopeRefusedError, NetworkError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from agent.core.policy.policy import Policy
    from agent.core.wire.receipt import Receipt
    from agent.core.wire.tags import Tags
    from agent.ports import AuditLog, Clock, Publisher, ReceiptBox, ReceiptVerifier, Verifier

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
MAX_LOOKS_PER_PASS = 100
HOLD_WAIT_S, ODD_FILE_WAIT_S = 5.0, 60.0
MAX_REFUSAL_LEAVES_PER_HOUR = 200
MAX_REMEMBERED = 10_000
HOUR_S = 3600.0


class WaitingReads(Protocol):
    """The outbox as deliver sees it: it can only look.

    Everything in it is untrusted. Asking for names costs nothing while they are the same. Raises
    StorageError.
    """

    def pending(self) -> Sequence[str]: ...
    def strangers(self) -> Sequence[str]: ...
    def untrusted_wire(self, read_id: str) -> bytes | None: ...


class Attempts(Protocol):
    """What deliver remembers of each read across restarts. Raises StorageError."""

    def tries(self, read_id: str) -> int: ...
    def due(self, read_id: str) -> datetime | None: ...
    def withdrawn(self, read_id: str) -> str: ...
    def published(self, read_id: str, due: datetime) -> None: ...
    def withdraw(self, read_id: str, reason: str) -> None: ...
    def keep_only(self, read_ids: Collection[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Route:
    """What depends on the policy in force: who may receive, whose receipts count, where to
    publish.
    """

    policy: Policy
    receipt_verifier: ReceiptVerifier
    publisher: Publisher


@dataclass(frozen=True, slots=True)
class PassResult:
    """One pass: `waiting` in the outbox (with or without a receipt), `published` and `receipts` in
    this pass.

    `trouble`: a line, or empty.
    """

    waiting: int
    published: int
    receipts: int
    trouble: str


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


class Delivery:
    """One `pass_once` after another moves what the policy permits.

    `jitter`: a number in [0, 1). `device`: this camera's id.

    A read is published again, after 5 s, 10 s, 20 s … 10 min, until a receipt that fits is in the
    receipt box; receivers drop repeats by read id.
    """

    def __init__(
        self,
        device: str,
        outbox: WaitingReads,
        verifier: Verifier,
        receipt_box: ReceiptBox,
        attempts: Attempts,
        log: AuditLog,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._device = device
        self._outbox = outbox
        self._verifier = verifier
        self._receipt_box = receipt_box
        self._attempts, self._log, self._clock, self._jitter = attempts, log, clock, jitter
        self.refusals = Refusals(log, clock)
        # Every read of the outbox; lane: its recipient, once it is known.
        self._agenda = Agenda()
        self._listed: tuple[Sequence[str], ...] = ()
        self._receipted: frozenset[str] = frozenset()
        # Digest and tags of reads whose signature was good: it is checked once.
        self._known: dict[str, tuple[str, Tags]] = {}

    def pass_once(
        self, route: Route, progress: Callable[[], None], stopping: Callable[[], bool]
    ) -> PassResult:
        """Take receipts, publish what is due, tidy up. `progress` is called after each publication;
        `stopping` is asked before.

        Raises StorageError.
        """
        self._follow()
        receipts = self._take_receipts(route)
        published, trouble = self._publish_due(route, progress, stopping)
        self.refusals.write_counts()
        return PassResult(len(self._agenda), published, receipts, trouble)

    def _follow(self) -> None:
        """Take in what came into the mailboxes and what left them.

        A receipt parks its read; reads that watch has removed are forgotten, with all that was kept
        for them.
        """
        listed = (self._outbox.pending(), self._outbox.strangers(), self._receipt_box.pending())
        if listed == self._listed:
            return
        waiting, receipted = dict.fromkeys(listed[0]), frozenset(listed[2])
        for name in listed[1]:
            self._odd_file(name, Reason.MALFORMED, "not a sealed read's file")
        for read_id in [read_id for read_id in self._agenda if read_id not in waiting]:
            self._agenda.drop(read_id)
            self._known.pop(read_id, None)
        for read_id in waiting:
            if read_id in receipted:
                self._agenda.park(read_id)
            elif read_id not in self._agenda or read_id in self._receipted:
                self._enter(read_id)
        for read_id in listed[2]:
            if read_id not in waiting:
                self._receipt_box.remove(read_id)
        self._attempts.keep_only(waiting)
        self._listed, self._receipted = listed, receipted

    def _enter(self, read_id: str) -> None:
        """A read is new here, or its receipt is gone again: due when an earlier try says so."""
        if self._attempts.withdrawn(read_id):
            self._agenda.park(read_id)
            return
        due, wait_s = self._attempts.due(read_id), 0.0
        if due is not None:
            wait_s = (due - self._clock.now().utc).total_seconds()
        # A due time further off than the longest wait was set by a clock that has been put back
        # since: do not wait for it.
        if not 0 <= wait_s <= LONGEST_WAIT_S:
            wait_s = 0.0
        self._agenda.put(read_id, "", self._clock.monotonic_s() + wait_s)

    def _publish_due(
        self, route: Route, progress: Callable[[], None], stopping: Callable[[], bool]
    ) -> tuple[int, str]:
        published = 0
        troubles: dict[str, str] = {}  # by recipient: whose brokers failed in this pass
        now_s = self._clock.monotonic_s()
        with closing(self._agenda.due(now_s, troubles)) as due:
            for read_id in islice(due, MAX_LOOKS_PER_PASS):
                if stopping():
                    break
                found = self._verified(read_id)
                if found is None:
                    continue
                tags, wire = found
                try:
                    if self._publish(route, tags, wire, troubles):
                        published += 1
                        progress()
                except (NetworkError, DestinationRefusedError) as error:
                    troubles[tags.recipient] = str(error)
        self.refusals.count("published", published)
        return published, next(iter(troubles.values()), "")

    def _publish(
        self, route: Route, tags: Tags, wire: bytes | None, troubles: Collection[str]
    ) -> bool:
        """Re-authorise one read and publish it, unless its recipient's brokers are in trouble.

        Did a broker acknowledge? `wire`: its bytes, where they were read just now.
        """
        now, now_s = self._clock.now(), self._clock.monotonic_s()
        denied = may_publish(tags, route.policy, now)
        if denied is not None:
            self._deny(tags, denied)
            return False
        self._agenda.put(tags.read_id, tags.recipient, now_s)  # due until it is acknowledged
        if tags.recipient in troubles:
            return False
        wire = wire or self._bytes(tags.read_id)
        if wire is None:
            return False
        route.publisher.publish(tags.recipient, tags.read_id, wire, tags.deadline)
        wait_s = min(
            FIRST_WAIT_S * 2 ** min(self._attempts.tries(tags.read_id), 20), LONGEST_WAIT_S / 1.25
        ) * (1 + self._jitter() / 4)
        self._attempts.published(tags.read_id, now.utc + timedelta(seconds=wait_s))
        self._agenda.put(tags.read_id, tags.recipient, now_s + wait_s)
        return True

    def _deny(self, tags: Tags, denied: Reason) -> None:
        """What the policy of today does not permit is withdrawn, never sealed again; what only has
        to wait, waits.
        """
        if denied in HOLD:
            self.refusals.note(
                ("hold", denied), {"reason": denied, "what": "reads wait"}, once=True
            )
            later_s = self._clock.monotonic_s() + HOLD_WAIT_S
            self._agenda.put(tags.read_id, tags.recipient, later_s)
            return
        kind = LeafKind.EXPIRED if denied is Reason.DEADLINE_PASSED else LeafKind.WITHDRAWAL
        self._log.append(
            kind,
            {
                "reason": denied,
                "read": tags.read_id,
                "recipient": tags.recipient,
                "rule": tags.rule,
            },
        )
        self._attempts.withdraw(tags.read_id, denied)
        self._agenda.park(tags.read_id)

    def _verified(self, read_id: str) -> tuple[Tags, bytes | None] | None:
        """A read's tags if it is one of this camera's, and its bytes if they had to be read.

        Anything else gets one refusal leaf, and None: there is nothing to publish.
        """
        if read_id in self._known:
            return self._known[read_id][1], None
        untrusted_wire = self._bytes(read_id)
        if untrusted_wire is None:
            return None
        try:
            tags = self._verifier.verify(untrusted_wire)
            require_own(tags, read_id, self._device)
        except EnvelopeRefusedError as refusal:
            self._refuse_file(read_id, refusal.reason, refusal.what)
            return None
        self._known[read_id] = hashlib.sha256(untrusted_wire).hexdigest(), tags
        return tags, untrusted_wire

    def _bytes(self, read_id: str) -> bytes | None:
        """A read's bytes, the ones that were verified if any were; None when there is nothing to
        publish.
        """
        try:
            untrusted_wire = self._outbox.untrusted_wire(read_id)
        except StorageError as error:
            # A link, a folder, or too large. It is looked at again now and then, in case somebody
            # repairs it.
            self._odd_file(read_id, Reason.MALFORMED, error.what)
            self._agenda.put(read_id, "", self._clock.monotonic_s() + ODD_FILE_WAIT_S)
            return None
        if untrusted_wire is None:
            self._agenda.park(read_id)  # watch has removed it meanwhile
            return None
        known = self._known.get(read_id)
        if known is not None and known[0] != hashlib.sha256(untrusted_wire).hexdigest():
            self._refuse_file(
                read_id, Reason.MALFORMED, "the file has changed since it was checked"
            )
            return None
        return untrusted_wire

    def _refuse_file(self, read_id: str, reason: str, what: str) -> None:
        """For good, until this process starts again."""
        self._odd_file(read_id, reason, what)
        self._known.pop(read_id, None)
        self._agenda.park(read_id)

    def _odd_file(self, name: str, reason: str, what: str) -> None:
        self.refusals.note(
            ("outbox", name, reason), {"reason": reason, "file": name, "what": what}, once=True
        )

    def _take_receipts(self, route: Route) -> int:
        taken = 0
        for untrusted_receipt in route.publisher.untrusted_receipts():
            try:
                receipt = route.receipt_verifier.verify(untrusted_receipt)
                taken += self._take_receipt(receipt, untrusted_receipt)
            except EnvelopeRefusedError as refusal:
                self.refusals.note(
                    ("receipt", refusal.reason),
                    {"reason": refusal.reason, "what": f"receipt: {refusal.what}"},
                )
        self.refusals.count("receipts", taken)
        return taken

    def _take_receipt(self, receipt: Receipt, untrusted_receipt: bytes) -> int:
        """Keep a verified receipt if it answers a read that waits for one; 1 when kept.

        Raises EnvelopeRefusedError(receipt-mismatch).
        """
        read_id = receipt.read_id
        if (
            read_id not in self._agenda
            or self._receipt_box.untrusted_receipt(read_id) is not None
            or self._verified(read_id) is None
        ):
            return 0  # late or repeated: the answer to a read that was published twice
        digest, tags = self._known[read_id]
        require_answer(receipt, tags, digest)
        details = {
            "read": read_id,
            "recipient": receipt.recipient,
            "outcome": receipt.outcome,
            "tries": self._attempts.tries(read_id),
        }
        self._log.append(LeafKind.RECEIPT, details)
        self._receipt_box.put(read_id, untrusted_receipt)
        self._agenda.park(read_id)
        self._receipted, self._listed = self._receipted | {read_id}, ()
        return 1
