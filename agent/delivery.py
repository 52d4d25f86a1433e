"""The straight line from outbox to receipt: re-check, publish, back off, publish again, until the
recipient's own receipt is there.

Nothing here removes a read from the outbox: only `watch` does, after it has verified the receipt
itself (P8). A pass in which nothing is due looks at no read (docs/design/mailboxes.md).
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from agent.core.log.fate import Fate
from agent.core.log.leaf import LeafKind
from agent.core.policy.decide import HOLD, may_publish
from agent.core.reasons import Reason
from agent.core.time.agenda import Agenda
from agent.core.wire.own_read import require_answer, require_own
from agent.errors import DestinationRefusedError, EnvelopeRefusedError, NetworkError, StorageError
from agent.ledger import Ledger, Refusals
from agent.outcomes.reported_outcomes import ReportedOutcomes
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from agent.core.policy.policy import Policy
    from agent.core.wire.receipt import Receipt
    from agent.core.wire.tags import Tags
    from agent.ledger import Attempts
    from agent.ports import AuditLog, Bell, Clock, Publisher, ReceiptBox, ReceiptVerifier, Verifier

MAX_PUBLISHED_PER_PASS = 100
MAX_LOOKS_PER_TURN = 100
FEW_WAIT = 100  # in the outbox: behind more, one that comes has time, and each look costs more
HOLD_WAIT_S, ODD_FILE_WAIT_S = 5.0, 60.0


class WaitingReads(Protocol):
    """The outbox as deliver sees it: it can only look.

    Everything in it is untrusted. Asking for names costs nothing while they are the same. Raises
    StorageError. `look_again`: the names may have changed.
    """

    def pending(self) -> Sequence[str]: ...
    def strangers(self) -> Sequence[str]: ...
    def untrusted_wire(self, read_id: str) -> bytes | None: ...
    def look_again(self) -> None: ...


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
class _Pass:
    """One pass over what was due when it began. `troubles`: of recipients, why brokers failed."""

    began_s: float
    handed_over: int = 0
    troubles: dict[str, str] = field(default_factory=dict)


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
        bell: Bell | None = None,
    ) -> None:
        self._device, self._bell = device, bell
        self._outbox = outbox
        self._verifier = verifier
        self._receipt_box = receipt_box
        self._attempts, self._log, self._clock = attempts, log, clock
        self.refusals = Refusals(log, clock)
        self._outcomes = ReportedOutcomes(device, receipt_box, self.refusals)
        self._ledger = Ledger(attempts, self.refusals, clock, jitter)
        self._publisher: Publisher | None = None
        # Every read of the outbox; lane: its recipient, once it is known. Parked while in flight.
        self._agenda = Agenda()
        self._suspects = Agenda()  # of those that are parked in the other one
        self._listed: tuple[Sequence[str], ...] = ()
        self._receipted: set[str] = set()
        # Digest and tags of reads whose signature was good: it is checked once.
        self._known: dict[str, tuple[str, Tags]] = {}

    def pass_once(
        self,
        route: Route,
        progress: Callable[[], None],
        stopping: Callable[[], bool],
        wait_s: float = 0.0,
    ) -> PassResult:
        """Take receipts, publish what is due, tidy up.

        For up to `wait_s` it goes on as receipts and acknowledgements come, with the reads that
        were due at the beginning; a new read in the outbox ends it. `progress` is called after each
        acknowledgement; `stopping` is asked before each publication.

        Raises StorageError.
        """
        self._follow()
        self._follow_publisher(route.publisher)
        began_s, published = self._clock.monotonic_s(), 0
        end_s, now = began_s + wait_s, _Pass(began_s)
        receipts = self._take_receipts(route)
        while True:
            self._send(route, now, stopping)
            left_s = max(0.0, end_s - self._clock.monotonic_s())
            bell = self._bell if len(self._agenda) <= FEW_WAIT else None
            for outcome in route.publisher.collect(left_s, bell):
                self._put_again(outcome.read_id, self._ledger.book(outcome))
                if outcome.fate is Fate.ACKNOWLEDGED:
                    published += 1
                    progress()
            self._follow_links(route.publisher.joined())
            receipts += self._take_receipts(route)
            spent = now.handed_over >= MAX_PUBLISHED_PER_PASS
            if spent or stopping() or self._rang(bell) or self._clock.monotonic_s() >= end_s:
                break
        self.refusals.count("published", published)
        self.refusals.write_counts()
        told = (*now.troubles.values(), *route.publisher.troubles(), self._ledger.trouble())
        return PassResult(len(self._agenda), published, receipts, next(filter(None, told), ""))

    def _rang(self, bell: Bell | None) -> bool:
        """Has a read come? Then the next pass begins at once, with a look."""
        if bell is None or not bell.rang():
            return False
        self._outbox.look_again()
        return True

    def _follow(self) -> None:
        """Take in what came into the mailboxes and what left them.

        A receipt parks its read; reads that watch has removed are forgotten, with all that was kept
        for them.
        """
        listed = (self._outbox.pending(), self._outbox.strangers(), self._receipt_box.pending())
        if listed == self._listed:
            return
        waiting, receipted = dict.fromkeys(listed[0]), set(listed[2])
        for name in listed[1]:
            self._odd_file(name, Reason.MALFORMED, "not a sealed read's file")
        for read_id in [read_id for read_id in self._agenda if read_id not in waiting]:
            self._agenda.drop(read_id)
            self._suspects.drop(read_id)
            self._known.pop(read_id, None)
        for read_id in waiting:
            if read_id in receipted:
                self._park(read_id)
            elif read_id not in self._agenda or read_id in self._receipted:
                self._enter(read_id)
        self._receipt_box.remove([read_id for read_id in listed[2] if read_id not in waiting])
        self._ledger.keep_only(waiting)
        self._listed, self._receipted = listed, receipted

    def _enter(self, read_id: str) -> None:
        """A read is new here, or its receipt is gone again: due when an earlier try says so."""
        wait_s = self._ledger.wait_s(read_id)
        if wait_s is None:
            self._park(read_id)
        else:
            self._put(read_id, self._clock.monotonic_s() + wait_s)

    def _follow_publisher(self, publisher: Publisher) -> None:
        """With the one before, all that was in flight has gone: it is due again."""
        if publisher is self._publisher:
            return
        self._publisher = publisher
        for read_id in self._ledger.forget_flights():
            self._put_again(read_id, 0.0)

    def _follow_links(self, joined: Collection[str]) -> None:
        """Brokers of these recipients have a new connection. They kept no receipt meanwhile."""
        if not joined:
            return
        now_s, waiting = self._clock.monotonic_s(), self._agenda.waiting()
        for read_id, due_s in waiting.items():
            known = self._known.get(read_id)
            soon_s = self._ledger.soon_s(read_id, len(waiting))
            if soon_s is None or now_s + soon_s >= due_s:
                continue
            if known is None or known[1].recipient in joined:
                self._put(read_id, now_s + soon_s)

    def _put(self, read_id: str, due_s: float) -> None:
        """Due then, in the lane of its recipient; a suspect among the suspects."""
        recipient = self._known[read_id][1].recipient if read_id in self._known else ""
        # What was in flight, as every suspect was, is parked in the one and dropped from the other.
        agenda = self._suspects if read_id in self._ledger.suspects else self._agenda
        agenda.put(read_id, recipient, due_s)

    def _park(self, read_id: str) -> None:
        self._suspects.drop(read_id)
        self._agenda.park(read_id)

    def _put_again(self, read_id: str, wait_s: float) -> None:
        """It is in flight no more; one that left the outbox or has its receipt stays as it is."""
        if read_id not in self._agenda:
            self._listed = ()  # so that what was just booked of it is forgotten
        elif read_id not in self._receipted:
            self._put(read_id, self._clock.monotonic_s() + wait_s)

    def _send(self, route: Route, now: _Pass, stopping: Callable[[], bool]) -> None:
        """Hand over what the brokers have room for.

        Suspects go one at a time, with nothing beside them: whoever is alone on a connection when
        it ends has ended it. They have their turn as soon as a connection has proved good.
        """
        for alone in (True, False) if self._ledger.answered else (False, True):
            agenda = self._suspects if alone else self._agenda
            closed = set(now.troubles)  # recipients whose brokers are away or full in this turn
            with closing(agenda.due(now.began_s, closed)) as due:
                for read_id in islice(due, MAX_LOOKS_PER_TURN):
                    if stopping() or now.handed_over >= MAX_PUBLISHED_PER_PASS:
                        return
                    whose = self._known[read_id][1].recipient if read_id in self._known else ""
                    if not route.publisher.room(whose or None, alone=alone):
                        closed.add(whose)
                        continue
                    self._look(route, now, read_id, closed, alone=alone)

    def _look(
        self, route: Route, now: _Pass, read_id: str, closed: set[str], *, alone: bool
    ) -> None:
        """Re-authorise one read and hand it over, unless its recipient's brokers are in trouble or
        have no room: these are added to `closed`.
        """
        found = self._verified(read_id)
        if found is None:
            return
        tags, wire = found
        denied = may_publish(tags, route.policy, self._clock.now())
        if denied is not None:
            self._deny(tags, denied)
            return
        self._put(read_id, now.began_s)  # due until it is handed over
        if tags.recipient in closed:
            return
        wire = wire or self._bytes(read_id)
        if wire is None:
            return
        try:
            handed_over = route.publisher.publish(
                tags.recipient, read_id, wire, tags.deadline, alone=alone
            )
        except (NetworkError, DestinationRefusedError) as error:
            now.troubles[tags.recipient] = str(error)
            closed.add(tags.recipient)
            return
        if not handed_over:
            closed.add(tags.recipient)
            return
        now.handed_over += 1
        self._ledger.hand_over(read_id, tags.recipient)
        self._park(read_id)  # until its outcome

    def _deny(self, tags: Tags, denied: Reason) -> None:
        """What the policy of today does not permit is withdrawn, never sealed again; what only has
        to wait, waits.
        """
        if denied in HOLD:
            self.refusals.note(
                ("hold", denied), {"reason": denied, "what": "reads wait"}, once=True
            )
            self._put(tags.read_id, self._clock.monotonic_s() + HOLD_WAIT_S)
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
        self._park(tags.read_id)

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
            self._put(read_id, self._clock.monotonic_s() + ODD_FILE_WAIT_S)
            return None
        if untrusted_wire is None:
            self._park(read_id)  # watch has removed it meanwhile
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
        self._park(read_id)

    def _odd_file(self, name: str, reason: str, what: str) -> None:
        self.refusals.note(
            ("outbox", name, reason), {"reason": reason, "file": name, "what": what}, once=True
        )

    def _take_receipts(self, route: Route) -> int:
        """What has come, all at once."""
        found: dict[str, bytes] = {}
        leaves: list[Mapping[str, object]] = []
        came = route.publisher.untrusted_receipts()
        for untrusted_receipt in self._outcomes.receipts_of(came, route.receipt_verifier):
            try:
                receipt = route.receipt_verifier.verify(untrusted_receipt)
                if receipt.read_id not in found and self._answers(receipt):
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
            self._receipt_box.put_all(found, leaves)
            for read_id in found:
                self._park(read_id)
            self._receipted.update(found)
            self._listed = ()
        self.refusals.count("receipts", len(found))
        return len(found)

    def _answers(self, receipt: Receipt) -> bool:
        """Does a verified receipt answer a read that waits for one?

        Raises EnvelopeRefusedError(receipt-mismatch).
        """
        read_id = receipt.read_id
        if (
            read_id not in self._agenda
            or read_id in self._receipted
            or self._verified(read_id) is None
        ):
            return False  # late or repeated: the answer to a read that was published twice
        digest, tags = self._known[read_id]
        require_answer(receipt, tags, digest)
        return True
