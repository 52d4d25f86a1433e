"""After a new connection: brokers keep no receipt for a camera that is away, so what has none is
published again soon (P8).
"""

import random
from datetime import timedelta

import pytest

from agent.core.reasons import Reason
from agent.ledger import SPREAD_S, anew_s
from tests.support.delivery_world import POLICE, SHERIFF, World
from tests.unit.test_delivery_fates import Behaviour, Network

FIRST_S, LATEST_S = 5.0, 30.0


@pytest.fixture
def world() -> World:
    """A read was published eight times; the ninth is due in eight minutes."""
    made = World()
    made.sealed = made.seal()
    for _ in range(8):
        made.run()
        made.clock.advance(480)
    made.run()
    assert len(made.published()) == 9
    return made


def after(world, seconds: float) -> int:
    """How often it was published, that much later."""
    world.clock.advance(seconds)
    world.run()
    return len(world.published())


class TestWithoutAReceipt:
    def test_it_is_published_again_soon(self, world) -> None:
        world.publisher.connects = {POLICE}
        world.run()
        assert after(world, FIRST_S - 0.1) == 9  # a receiver may answer by itself
        assert after(world, 0.1) == 10

    def test_without_a_new_connection_it_is_not(self, world) -> None:
        assert after(world, 400) == 9

    def test_a_new_connection_for_somebody_else_changes_nothing(self, world) -> None:
        world.publisher.connects = {SHERIFF}
        world.run()
        assert after(world, 400) == 9

    def test_after_a_start_too_for_what_came_while_nobody_listened(self, world) -> None:
        world.restart()
        world.publisher.connects = {POLICE}
        world.run()
        assert after(world, FIRST_S) == 10

    def test_one_that_is_due_sooner_is_not_put_off(self, world) -> None:
        world.clock.advance(478)
        world.publisher.connects = {POLICE}
        world.run()
        assert after(world, 2) == 10

    def test_another_connection_meanwhile_does_not_put_it_off(self, world) -> None:
        """As where a policy has two brokers, and one comes and goes."""
        world.publisher.connects = {POLICE}
        world.run()
        world.publisher.connects = {POLICE}
        assert after(world, FIRST_S - 1) == 9
        assert after(world, 1) == 10

    @pytest.mark.parametrize("days", [-2, 2])
    def test_whatever_was_done_to_the_clock_meanwhile(self, world, days) -> None:
        """A camera without a battery for its clock starts with an old time, and is set later."""
        world.clock.utc += timedelta(days=days)
        world.publisher.connects = {POLICE}
        world.run()
        assert after(world, FIRST_S - 0.1) == 9
        assert after(world, 0.1) == 10

    def test_its_back_off_goes_on_afterwards(self, world) -> None:
        world.publisher.connects = {POLICE}
        world.run()
        assert after(world, FIRST_S) == 10
        assert after(world, 479) == 10
        assert after(world, 1) == 11

    def test_a_receipt_that_comes_meanwhile_ends_it(self, world) -> None:
        world.publisher.connects = {POLICE}
        world.run()
        world.publisher.arrive(world.receipt(world.sealed))
        assert after(world, FIRST_S) == 9
        world.publisher.connects = {POLICE}
        world.run()
        assert after(world, LATEST_S) == 9


def test_what_was_withdrawn_stays_so(world) -> None:
    world.attempts.withdraw(world.sealed.tags.read_id, Reason.DEADLINE_PASSED)
    world.restart()
    world.publisher.connects = {POLICE}
    world.run()
    assert after(world, 600) == 9


def test_what_a_broker_does_not_take_keeps_its_own_wait() -> None:
    network = Network({"one": Behaviour(denied=frozenset({POLICE}))})
    denied, free = network.read(POLICE), network.read(SHERIFF)
    network.go(80)
    before = len(network.sent[denied])
    assert before == 5  # at 0, 5, 15, 35 and 75 s
    network.publisher._joined = {POLICE, SHERIFF}
    taken = len(network.sent[free])
    network.go(10)
    assert len(network.sent[free]) == taken + 1
    assert len(network.sent[denied]) == before


def test_a_fleet_and_a_full_outbox_are_spread() -> None:
    chance = random.Random(7)
    few = [anew_s(chance.random(), 1) for _ in range(10_000)]  # 10,000 cameras, a read each
    assert min(few) >= FIRST_S
    assert max(few) <= LATEST_S
    a_second = [sum(at <= one < at + 1 for one in few) for at in range(5, 30)]
    assert max(a_second) < 1.3 * len(few) / SPREAD_S
    many = [anew_s(chance.random(), 5_000) for _ in range(5_000)]  # of one camera
    assert max(sum(at <= one < at + 10 for one in many) for at in range(5, 500, 10)) < 150


@pytest.mark.parametrize("in_outbox", [True, False])
def test_a_receipt_lost_while_the_deadline_passes_is_not_asked_for_again(world, in_outbox) -> None:
    """The log says `expired`; what comes later gets a leaf until watch has taken the read out."""
    sealed = world.sealed
    world.clock.advance((sealed.tags.deadline - world.clock.now().utc).total_seconds() + 1)
    world.publisher.connects = {POLICE}
    world.run()
    assert after(world, LATEST_S) == 9
    if not in_outbox:
        del world.outbox.wires[sealed.tags.read_id]
    world.publisher.arrive(world.receipt(sealed))
    assert after(world, 600) == 9
    (leaf,) = world.log.details("expired")
    assert (leaf["read"], leaf["reason"]) == (sealed.tags.read_id, Reason.DEADLINE_PASSED)
    assert len(list(world.log.details("receipt"))) == in_outbox
