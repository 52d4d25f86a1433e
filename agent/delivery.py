"""The straight line from outbox to receipt: re-check, publish, back off, publish again, until the
recipient's own receipt is there.

Nothing here removes a read from the outbox: only `watch` does, after it has verified the receipt
itself (P8).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agent.core.log.leaf import LeafKind
from agent.core.policy.decide import HOLD, may_publish
from agent.core.reasons import Reason
from agent.core.wire.own_read import require_answer, require_own
from agent.errors import DestinationRefusedError, EnvelopeRefusedError, NetworkError, StorageError
from agent.ledger import Ledger, Refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from agent.core.policy.policy import Policy
    from agent.core.wire.receipt import Receipt
    from agent.core.wire.tags import Tags
    from agent.ledger import Attempts
    from agent.ports import AuditLog, Clock, Publisher, ReceiptBox, ReceiptVerifier, Verifier

MAX_PUBLISHED_PER_PASS = 100
MAX_LOOKS_PER_TURN = 100
LOOK_FOR_STRANGERS_EVERY = 20  # passes


class WaitingReads(Protocol):
    """The outbox as deliver sees it: it can only look.

    Everything in it is untrusted. Raises StorageError.
    """

    def pending(self) -> Sequence[str]: ...
    def strangers(self) -> Sequence[str]: ...
    def untrusted_wire(self, read_id: str) -> bytes | None: ...


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


class _Due:
    """The reads of one pass by recipient, oldest first; '' for those whose recipient is not known
    yet. `handed_over`: how many of them have been.
    """

    def __init__(self) -> None:
        self.handed_over = 0
        self._suspects: deque[str] = deque()
        self._others: dict[str, deque[str]] = {"": deque()}

    def put(self, read_id: str, recipient: str, *, suspect: bool) -> None:
        """At the end of its lane."""
        lane = self._suspects if suspect else self._others.setdefault(recipient, deque())
        lane.append(read_id)

    def lanes(self, *, suspects_first: bool) -> list[tuple[str, bool, deque[str]]]:
        """Recipient, whether one read at a time, and the lane itself."""
        others = [(recipient, False, lane) for recipient, lane in self._others.items()]
        suspects = ("", True, self._suspects)
        return [suspects, *others] if suspects_first else [*others, suspects]


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
        self._attempts, self._log, self._clock = attempts, log, clock
        self.refusals = Refusals(log, clock)
        self._ledger = Ledger(attempts, self.refusals, clock, jitter)
        self._publisher: Publisher | None = None
        # Recipients of reads seen before: spares checking thousands while their broker is away.
        self._recipients: dict[str, str] = {}
        self._receipted: set[str] = set()
        self._refused: set[str] = set()  # read ids of files that no later look can make good
        self._passes = 0

    def pass_once(
        self,
        route: Route,
        progress: Callable[[], None],
        stopping: Callable[[], bool],
        wait_s: float = 0.0,
    ) -> PassResult:
        """Take receipts, publish what is due, tidy up.

        For up to `wait_s` it goes on as receipts and acknowledgements come, with the reads that
        were due at the beginning. `progress` is called after each acknowledgement; `stopping` is
        asked before each publication.

        Raises StorageError.
        """
        if route.publisher is not self._publisher:
            self._publisher = route.publisher
            self._ledger.forget_flights()
        end_s = self._clock.monotonic_s() + wait_s
        listed = self._outbox.pending()
        waiting, published = set(listed), 0
        self._receipted = set(self._receipt_box.pending())
        receipts = self._take_receipts(route, waiting)
        due, troubles = self._due(listed), dict[str, str]()
        while True:
            self._send(route, due, troubles, stopping)
            left_s = max(0.0, end_s - self._clock.monotonic_s())
            for outcome in route.publisher.collect(left_s):
                if self._ledger.book(outcome):
                    published += 1
                    progress()
            receipts += self._take_receipts(route, waiting)
            spent = due.handed_over >= MAX_PUBLISHED_PER_PASS
            if spent or stopping() or self._clock.monotonic_s() >= end_s:
                break
        self.refusals.count("published", published)
        self._tidy(waiting)
        self.refusals.write_counts()
        told = (*troubles.values(), *route.publisher.troubles(), self._ledger.trouble())
        return PassResult(len(listed), published, receipts, next(filter(None, told), ""))

    def _due(self, listed: Sequence[str]) -> _Due:
        """The choice of reads for one pass: what its own wait lets go, oldest first."""
        due = _Due()
        for read_id in listed:
            fit = read_id not in self._receipted and read_id not in self._refused
            if fit and self._ledger.is_due(read_id):
                suspect = read_id in self._ledger.suspects
                due.put(read_id, self._recipients.get(read_id, ""), suspect=suspect)
        return due

    def _send(
        self, route: Route, due: _Due, troubles: dict[str, str], stopping: Callable[[], bool]
    ) -> None:
        """Hand over what the brokers have room for.

        Suspects go one at a time, with nothing beside them: whoever is alone on a connection when
        it ends has ended it. They have their turn as soon as a connection has proved good.
        """
        looks, lanes = 0, due.lanes(suspects_first=self._ledger.answered)
        for recipient, alone, lane in lanes:
            while lane and looks < MAX_LOOKS_PER_TURN and not stopping():
                if due.handed_over >= MAX_PUBLISHED_PER_PASS or recipient in troubles:
                    break
                whose = self._recipients.get(lane[0]) if alone else recipient
                if whose not in troubles and not route.publisher.room(whose or None, alone=alone):
                    break
                read_id = lane.popleft()
                looks += 1
                try:
                    handed_over = self._publish(route, read_id, troubles, alone=alone)
                    if handed_over:
                        due.handed_over += 1
                    elif handed_over is False:
                        due.put(read_id, self._recipients[read_id], suspect=alone)
                        if recipient or alone:  # no room: it is at the end of its lane now
                            break
                except (NetworkError, DestinationRefusedError) as error:
                    troubles[self._recipients[read_id]] = str(error)

    def _publish(
        self, route: Route, read_id: str, troubles: Collection[str], *, alone: bool
    ) -> bool | None:
        """Re-authorise one read and hand it over, unless its recipient's brokers are in trouble.

        True: it is in flight. False: there is no room yet. None: nothing to publish now.
        """
        if read_id in self._receipted:
            return None
        found = self._verified(read_id)
        if found is None:
            return None
        wire, tags = found
        self._recipients[read_id] = tags.recipient
        denied = may_publish(tags, route.policy, self._clock.now())
        if denied is not None:
            self._deny(tags, denied)
            return None
        if tags.recipient in troubles:
            return None
        handed_over = route.publisher.publish(
            tags.recipient, read_id, wire, tags.deadline, alone=alone
        )
        if handed_over:
            self._ledger.hand_over(read_id, tags.recipient)
        return handed_over

    def _deny(self, tags: Tags, denied: Reason) -> None:
        """What the policy of today does not permit is withdrawn, never sealed again; what only has
        to wait, waits.
        """
        if denied in HOLD:
            self.refusals.note(
                ("hold", denied), {"reason": denied, "what": "reads wait"}, once=True
            )
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

    def _verified(self, read_id: str) -> tuple[bytes, Tags] | None:
        """A read's bytes and tags if it is one of this camera's.

        Anything else gets one refusal leaf, and None: there is nothing to publish.
        """
        try:
            untrusted_wire = self._outbox.untrusted_wire(read_id)
            if untrusted_wire is None:
                return None
            tags = self._verifier.verify(untrusted_wire)
            require_own(tags, read_id, self._device)
        except StorageError as error:
            # A link, a folder, or too large. It is looked at again each pass, in case somebody
            # repairs it.
            self._odd_file(read_id, Reason.MALFORMED, error.what)
            return None
        except EnvelopeRefusedError as refusal:
            self._refuse_file(read_id, refusal.reason, refusal.what)
            return None
        return untrusted_wire, tags

    def _refuse_file(self, read_id: str, reason: str, what: str) -> None:
        """For good, until this process starts again."""
        self._odd_file(read_id, reason, what)
        self._refused.add(read_id)

    def _odd_file(self, name: str, reason: str, what: str) -> None:
        self.refusals.note(
            ("outbox", name, reason), {"reason": reason, "file": name, "what": what}, once=True
        )

    def _take_receipts(self, route: Route, waiting: set[str]) -> int:
        """What has come, all at once: first the leaves, on disk together, then the files."""
        found: dict[str, bytes] = {}
        leaves: list[Mapping[str, object]] = []
        for untrusted_receipt in route.publisher.untrusted_receipts():
            try:
                receipt = route.receipt_verifier.verify(untrusted_receipt)
                if receipt.read_id not in found and self._answers(receipt, waiting):
                    found[receipt.read_id] = untrusted_receipt
                    leaves.append(
                        {
                            "read": receipt.read_id,
                            "recipient": receipt.recipient,
                            "outcome": receipt.outcome,
                            "tries": self._attempts.tries(receipt.read_id),
                        }
                    )
            except EnvelopeRefusedError as refusal:
                self.refusals.note(
                    ("receipt", refusal.reason),
                    {"reason": refusal.reason, "what": f"receipt: {refusal.what}"},
                )
        if found:
            self._log.append_all(LeafKind.RECEIPT, leaves)
            self._receipt_box.put_all(found)
            self._receipted.update(found)
        self.refusals.count("receipts", len(found))
        return len(found)

    def _answers(self, receipt: Receipt, waiting: set[str]) -> bool:
        """Does a verified receipt answer a read that waits for one?

        Raises EnvelopeRefusedError(receipt-mismatch).
        """
        if (
            receipt.read_id not in waiting
            or self._receipt_box.untrusted_receipt(receipt.read_id) is not None
        ):
            return False  # late or repeated: the answer to a read that was published twice
        verified = self._verified(receipt.read_id)
        if verified is None:
            return False
        wire, tags = verified
        require_answer(receipt, tags, wire)
        return True

    def _tidy(self, waiting: set[str]) -> None:
        """Forget reads that watch has removed; now and then look for files that do not belong in
        the outbox.
        """
        for read_id in self._receipt_box.pending():
            if read_id not in waiting:
                self._receipt_box.remove(read_id)
        self._ledger.keep_only(waiting)
        for read_id in [read_id for read_id in self._recipients if read_id not in waiting]:
            del self._recipients[read_id]
        self._refused &= waiting
        if self._passes % LOOK_FOR_STRANGERS_EVERY == 0:
            for name in self._outbox.strangers():
                self._odd_file(name, Reason.MALFORMED, "not a sealed read's file")
        self._passes += 1
