"""Delivery at rest: what is opened, verified and judged while nothing is due. Calls are counted,
not timed.
"""

import pytest

from agent import delivery
from agent.core.time.instant import ClockTrust
from agent.delivery import HOLD_WAIT_S, MAX_LOOKS_PER_TURN
from tests.fakes.network import FakePublisher
from tests.support.delivery_world import POLICE, SHERIFF, World


@pytest.fixture
def world() -> World:
    return World()


class Counted:
    """A world in which looks into files, checks of signatures and judgements are counted."""

    def __init__(self, world, monkeypatch) -> None:
        self.opened = self.verified = self.judged = 0
        read, verify, judge = (
            world.outbox.untrusted_wire,
            world.delivery._verifier.verify,
            delivery.may_publish,
        )

        def opened(read_id):
            self.opened += 1
            return read(read_id)

        def verified(wire):
            self.verified += 1
            return verify(wire)

        def judged(*arguments):
            self.judged += 1
            return judge(*arguments)

        monkeypatch.setattr(world.outbox, "untrusted_wire", opened)
        monkeypatch.setattr(world.delivery._verifier, "verify", verified)
        monkeypatch.setattr(delivery, "may_publish", judged)

    def __call__(self):
        return self.opened, self.verified, self.judged


class TestAtRest:
    """Thousands of reads wait, none is due: a pass looks at none of them."""

    def test_nothing_is_opened_verified_or_judged(self, world, monkeypatch) -> None:
        for _ in range(300):
            world.seal()
        for _ in range(4):
            world.run()
        counted = Counted(world, monkeypatch)
        for _ in range(4):
            assert world.run().waiting == 300
            world.clock.advance(0.25)
        assert counted() == (0, 0, 0)

    def test_a_signature_is_checked_once_however_often_the_read_is_published(
        self, world, monkeypatch
    ) -> None:
        world.seal()
        counted = Counted(world, monkeypatch)
        for _ in range(5):
            world.run()
            world.clock.advance(480)
        assert counted() == (5, 1, 5)
        assert len(world.published()) == 5

    def test_a_dead_broker_costs_one_look_a_pass_however_many_reads_are_due(
        self, world, monkeypatch
    ) -> None:
        for _ in range(3 * MAX_LOOKS_PER_TURN):
            world.seal()
        world.publisher.reachable = False
        for _ in range(4):
            world.run()
        counted = Counted(world, monkeypatch)
        for _ in range(10):
            world.run()
        assert counted() == (10, 0, 10)
        assert world.publisher.attempts == 14

    def test_the_first_round_is_spread_over_passes(self, world, monkeypatch) -> None:
        """So that a dead broker's thousands keep nothing else waiting, the watchdog least."""
        for _ in range(3 * MAX_LOOKS_PER_TURN):
            world.seal()
        world.publisher.reachable = False
        counted = Counted(world, monkeypatch)
        world.run()
        assert counted.verified == MAX_LOOKS_PER_TURN

    def test_held_reads_are_judged_by_their_tags_alone_and_not_in_every_pass(
        self, world, monkeypatch
    ) -> None:
        for _ in range(50):
            world.seal()
        world.clock.trust = ClockTrust.UNTRUSTED
        world.run()
        counted = Counted(world, monkeypatch)
        for _ in range(20):
            world.run()
            world.clock.advance(HOLD_WAIT_S / 20)
        world.run()
        assert counted() == (0, 0, 50)


class TestInFlight:
    """A read that a broker has, and that has not been answered."""

    def test_it_is_sent_once_and_again_by_a_new_publisher(self, world, monkeypatch) -> None:
        world.seal()
        monkeypatch.setattr(world.publisher, "collect", lambda *_: [])
        for _ in range(5):
            world.run()
            world.clock.advance(600)
        assert len(world.published()) == 1
        world.publisher = FakePublisher((POLICE, SHERIFF))
        assert world.run().published == 1

    def test_an_answer_after_watch_has_taken_the_read_out_leaves_nothing_behind(
        self, world, monkeypatch
    ) -> None:
        sealed = world.seal()
        world.publisher.denied = frozenset({POLICE})
        with monkeypatch.context() as patch:
            patch.setattr(world.publisher, "collect", lambda *_: [])
            world.run()
            del world.outbox.wires[sealed.tags.read_id]
            world.run()
        assert "Not authorized" in world.run().trouble
        assert world.run().trouble == ""
        assert world.attempts.tries(sealed.tags.read_id) == 0

    def test_a_receipt_before_the_acknowledgement_ends_it(self, world, monkeypatch) -> None:
        sealed = world.seal()
        with monkeypatch.context() as patch:
            patch.setattr(world.publisher, "collect", lambda *_: [])
            world.run()
            world.publisher.arrive(world.receipt(sealed))
            assert world.run().receipts == 1
        for _ in range(3):
            world.run()
            world.clock.advance(600)
        assert len(world.published()) == 1
