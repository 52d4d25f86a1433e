"""What one pass of deliver does in its time, whom it asks for room, what it forgets, and every
member of every leaf that it writes.
"""

from collections import Counter

import pytest

from agent import delivery
from agent.core.log.fate import Fate, Outcome
from agent.core.time.instant import ClockTrust
from agent.delivery import HOLD_WAIT_S, ODD_FILE_WAIT_S, Route
from tests.fakes.network import FakePublisher
from tests.fakes.verifying import FakeReceiptVerifier
from tests.support.delivery_world import POLICE, SHERIFF, World, policy


@pytest.fixture
def world() -> World:
    return World()


class Timed(FakePublisher):
    """`collect` takes `step_s`, and notes for how long it might have waited; `publish` takes
    `busy_s`. `arriving`: receipts, one with each collect.
    """

    def __init__(self, world, step_s=4.0, busy_s=0.0) -> None:
        super().__init__((POLICE, SHERIFF))
        self.world, self.step_s, self.busy_s = world, step_s, busy_s
        self.waits, self.bells, self.arriving, self.asked = [], [], [], []
        self.no_room_for = frozenset()
        world.publisher = self

    def collect(self, timeout_s, bell=None):
        self.waits.append(timeout_s)
        self.bells.append(bell)
        self.world.clock.advance(min(self.step_s, timeout_s))
        if self.arriving:
            self.arrive(self.arriving.pop(0))
        return super().collect(timeout_s)

    def publish(self, *arguments, **options):
        self.world.clock.advance(self.busy_s)
        return super().publish(*arguments, **options)

    def room(self, recipient, *, alone=False):
        self.asked.append(recipient)
        return recipient not in self.no_room_for and super().room(recipient, alone=alone)


def run(world, wait_s, stopping=lambda: False):
    route = Route(world.policy, FakeReceiptVerifier((POLICE, SHERIFF)), world.publisher)
    return world.delivery.pass_once(route, lambda: None, stopping, wait_s)


def opened(world, monkeypatch):
    """How often each file is opened from here on."""
    count, honest = Counter(), world.outbox.untrusted_wire
    monkeypatch.setattr(
        world.outbox, "untrusted_wire", lambda name: count.update([name]) or honest(name)
    )
    return count


class TestTime:
    def test_it_goes_on_until_its_time_is_over(self, world) -> None:
        publisher = Timed(world)
        run(world, 10.0)
        assert publisher.waits == [10, 6, 2]

    def test_it_never_waits_for_less_than_nothing(self, world) -> None:
        publisher = Timed(world, busy_s=3.0)
        world.seal()
        run(world, 1.0)
        assert publisher.waits == [0.0]

    def test_receipts_that_come_meanwhile_are_taken(self, world) -> None:
        publisher = Timed(world)
        publisher.arriving = [world.receipt(world.seal()) for _ in range(3)]
        result = run(world, 10.0)
        assert (result.published, result.receipts) == (3, 3)
        assert len(world.box.receipts) == 3

    def test_whoever_stops_is_not_waited_for(self, world) -> None:
        publisher = Timed(world)
        world.seal()
        run(world, 10.0, stopping=lambda: bool(publisher.published))
        assert publisher.waits == [10]

    def test_a_full_pass_ends_and_no_more_is_handed_over(self, world, monkeypatch) -> None:
        monkeypatch.setattr(delivery, "MAX_PUBLISHED_PER_PASS", 3)
        publisher = Timed(world)
        for _ in range(10):
            world.seal()
        assert run(world, 10.0).published == 3
        assert len(publisher.waits) == 1

    def test_what_a_broker_refused_is_not_published(self, world) -> None:
        world.seal()
        world.publisher.denied = frozenset({POLICE})
        assert (world.run().published, world.progress) == (0, 0)

    def test_the_hour_s_counts(self, world) -> None:
        publisher = Timed(world)
        publisher.arriving = [world.receipt(world.seal())]
        world.seal()
        run(world, 10.0)
        world.delivery.refusals.write_counts(now=True)
        assert world.log.details("counts")[0]["counts"] == {"published": 2, "receipts": 1}


class TestRoom:
    def test_it_is_asked_for_the_recipient_once_that_is_known(self, world) -> None:
        publisher = Timed(world)
        world.seal()
        world.run()
        assert set(publisher.asked) == {None, POLICE}  # FakePublisher asks itself once more
        publisher.asked.clear()
        world.clock.advance(5)
        world.run()
        assert set(publisher.asked) == {POLICE}

    def test_where_there_is_none_nothing_is_looked_at_and_it_is_asked_once(
        self, world, monkeypatch
    ) -> None:
        publisher, count = Timed(world), opened(world, monkeypatch)
        publisher.no_room_for = frozenset({None})
        for _ in range(5):
            world.seal()
        world.run()
        assert (publisher.asked, publisher.attempts, count) == ([None], 0, {})

    def test_a_recipient_without_room_keeps_none_of_the_others_waiting(self, world) -> None:
        publisher = Timed(world)
        for _ in range(3):
            world.seal(POLICE)
            world.seal(SHERIFF)
        world.run()
        world.clock.advance(5)
        publisher.no_room_for = frozenset({POLICE})
        publisher.asked.clear()
        publisher.published.clear()
        world.run()
        assert {one.recipient for one in publisher.published} == {SHERIFF}
        assert Counter(publisher.asked)[POLICE] == 1

    def test_a_publisher_that_takes_none_is_offered_one_of_each_recipient(
        self, world, monkeypatch
    ) -> None:
        offered = []
        monkeypatch.setattr(
            world.publisher, "publish", lambda recipient, *_, **__: offered.append(recipient)
        )
        for _ in range(3):
            world.seal(POLICE)
            world.seal(SHERIFF)
        world.run()
        assert sorted(offered) == [SHERIFF, POLICE]

    def test_a_recipient_whom_no_broker_serves_is_told(self, world) -> None:
        world.publisher = FakePublisher((SHERIFF,))
        world.seal(POLICE)
        assert "no broker serves recipient 'exampleville-pd'" in world.run().trouble
        assert world.publisher.attempts == 1


class TestSuspects:
    @pytest.fixture
    def suspects(self, world, monkeypatch) -> list[str]:
        """Two reads that were in flight when a connection ended."""
        made = [world.seal().tags.read_id for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(
                world.publisher,
                "collect",
                lambda *_: [Outcome(read_id, Fate.LOST, suspect=True) for read_id in made],
            )
            world.run()
        world.publisher.published.clear()
        world.publisher.collect(0.0)
        return made

    def test_others_go_first_until_a_connection_has_proved_good(self, world, suspects) -> None:
        fresh = world.seal().tags.read_id
        world.run()
        assert world.published() == [fresh]
        world.run()
        assert world.published() == [fresh, suspects[0]]
        world.run()
        assert world.published() == [fresh, *suspects]

    def test_one_that_was_answered_waits_like_any_other(self, world, suspects) -> None:
        world.seal()
        for _ in range(6):
            world.run()
        assert Counter(world.published()).most_common(1)[0][1] == 1
        assert len(world.delivery._suspects) == 0

    def test_one_that_has_left_is_forgotten(self, world, suspects) -> None:
        for read_id in suspects:
            del world.outbox.wires[read_id]
        assert world.run().waiting == 0
        assert len(world.delivery._suspects) == len(world.delivery._known) == 0


class TestWaiting:
    def test_what_has_its_receipt_or_was_withdrawn_still_waits_after_a_restart(self, world) -> None:
        receipted = world.seal(SHERIFF)
        world.seal(POLICE)
        world.policy = policy(SHERIFF)
        world.run()
        world.box.receipts[receipted.tags.read_id] = world.receipt(receipted)
        world.restart()
        world.publisher.published.clear()
        assert world.run().waiting == 2
        assert world.published() == []

    def test_a_refused_file_is_not_looked_at_again_when_others_come(
        self, world, monkeypatch
    ) -> None:
        bad = world.seal().tags.read_id
        world.outbox.wires[bad] = b"noise"
        count = opened(world, monkeypatch)
        for _ in range(3):
            world.run()
            world.seal()
        assert count[bad] == 1

    def test_a_file_that_cannot_be_read_is_looked_at_once_a_minute(
        self, world, monkeypatch
    ) -> None:
        large = world.seal().tags.read_id
        world.outbox.wires[large] = b"x" * 70_000
        count = opened(world, monkeypatch)
        for _ in range(3):
            world.run()
        assert count[large] == 1
        world.clock.advance(ODD_FILE_WAIT_S)
        world.run()
        assert count[large] == 2
        world.delivery.refusals.write_counts(now=True)
        assert world.log.details("counts")[0]["counts"] == {"refused malformed": 1}

    @pytest.mark.parametrize("known", [False, True])
    def test_one_that_watch_takes_away_meanwhile_is_looked_at_once(
        self, world, monkeypatch, known
    ) -> None:
        read_id = world.seal().tags.read_id
        if known:
            world.run()
            world.clock.advance(600)
        listed = list(world.outbox.pending())
        monkeypatch.setattr(world.outbox, "pending", lambda: listed)
        del world.outbox.wires[read_id]
        count = opened(world, monkeypatch)
        for _ in range(3):
            world.run()
        assert count[read_id] == 1


class TestReceipts:
    def test_one_for_a_read_that_is_gone_opens_nothing(self, world, monkeypatch) -> None:
        sealed = world.seal()
        receipt = world.receipt(sealed)
        del world.outbox.wires[sealed.tags.read_id]
        count = opened(world, monkeypatch)
        world.publisher.arrive(receipt)
        assert (world.run().receipts, count, world.refusals()) == (0, {}, [])

    @pytest.mark.parametrize("before", [False, True], ids=["at once", "after it was verified"])
    def test_one_for_a_file_that_is_not_what_was_sealed_counts_for_nothing(
        self, world, before
    ) -> None:
        sealed = world.seal()
        if before:
            world.run()
        world.outbox.wires[sealed.tags.read_id] = sealed.wire.replace(b"stolen", b"golden")
        world.clock.advance(5)
        world.run()
        world.publisher.arrive(world.receipt(sealed))
        assert (world.run().receipts, world.box.receipts) == (0, {})


def said(world, kind):
    """What the leaves of a kind say, but for what the log adds to each."""
    own = {"n", "at", "clock", "kind"}
    return [{name: leaf[name] for name in leaf.keys() - own} for leaf in world.log.details(kind)]


class TestLeaves:
    def test_a_withdrawal(self, world) -> None:
        sealed = world.seal()
        world.policy = policy(SHERIFF)
        world.run()
        assert said(world, "withdrawal") == [
            {
                "reason": "rule-not-in-policy",
                "read": sealed.tags.read_id,
                "recipient": POLICE,
                "rule": sealed.tags.rule,
            }
        ]

    def test_a_receipt(self, world) -> None:
        sealed = world.seal()
        world.run()
        world.publisher.arrive(world.receipt(sealed))
        world.run()
        assert said(world, "receipt") == [
            {
                "read": sealed.tags.read_id,
                "recipient": POLICE,
                "outcome": "stored",
                "tries": 1,
            }
        ]

    def test_a_receipt_that_is_none(self, world) -> None:
        world.publisher.arrive(b"noise")
        world.run()
        [leaf] = said(world, "refusal")
        assert leaf.keys() == {"reason", "what"}
        assert (leaf["reason"], leaf["what"].startswith("receipt: ")) == ("malformed", True)

    def test_reads_that_wait_for_a_clock_are_one_leaf_and_one_count(self, world) -> None:
        world.seal()
        world.seal()
        world.clock.trust = ClockTrust.UNTRUSTED
        for _ in range(3):
            world.run()
            world.clock.advance(HOLD_WAIT_S)
        assert said(world, "refusal") == [{"reason": "clock-untrusted", "what": "reads wait"}]
        world.delivery.refusals.write_counts(now=True)
        assert world.log.details("counts")[0]["counts"] == {"refused clock-untrusted": 1}

    def test_an_odd_file(self, world) -> None:
        world.outbox.odd_names = ["core.1234"]
        world.run()
        assert said(world, "refusal") == [
            {"reason": "malformed", "file": "core.1234", "what": "not a sealed read's file"}
        ]


class FakeBell:
    """Rings as often as `rings` says."""

    def __init__(self, rings=1):
        self.rings = rings

    def fileno(self):
        return -1

    def rang(self):
        self.rings -= 1
        return self.rings >= 0


class TestBell:
    def test_a_read_that_comes_ends_the_pass_and_is_looked_for(self, world):
        world.bell = FakeBell()
        world.restart()
        publisher = Timed(world, step_s=1.0)
        run(world, wait_s=4.0)
        assert publisher.waits == [4.0]
        assert publisher.bells == [world.bell]
        assert world.outbox.looks == 1

    def test_where_nothing_rings_the_pass_takes_its_time_and_looks_for_nothing(self, world):
        world.bell = FakeBell(rings=0)
        world.restart()
        publisher = Timed(world, step_s=1.0)
        run(world, wait_s=4.0)
        assert publisher.waits == [4.0, 3.0, 2.0, 1.0]
        assert world.outbox.looks == 0

    def test_behind_many_that_wait_nobody_listens(self, world, monkeypatch):
        """Each look lists the folder: with thousands in it, that would cost more than it gains."""
        monkeypatch.setattr(delivery, "FEW_WAIT", 2)
        world.bell = FakeBell(rings=9)
        world.restart()
        publisher = Timed(world, step_s=1.0)
        publisher.no_room_for = frozenset({POLICE})
        for _ in range(2):
            world.seal()
        run(world, wait_s=2.0)
        assert publisher.bells == [world.bell]
        world.seal()
        publisher.bells.clear()
        run(world, wait_s=2.0)
        assert publisher.bells == [None, None]
        assert world.outbox.looks == 1
