"""When a camera tells its city how it is, with fakes and a clock that stands still."""

import pytest

from agent.core.log.fate import Post
from agent.core.reasons import Reason
from agent.ledger import Refusals
from agent.network.health_post import EVERY_S, FIRST_WAIT_S, TRY_AGAIN_S, HealthPost
from tests.fakes.audit import FakeAuditLog
from tests.fakes.clock import FakeClock
from tests.fakes.network import FakePublisher


class FakeTeller:
    """Numbers its messages, and says how many before were not taken."""

    def __init__(self) -> None:
        self.made, self.unsent, self.told = 0, 0, None

    def message(self) -> bytes:
        self.made, self.unsent = self.made + 1, self.unsent + 1
        return b"%d unsent %d" % (self.made, self.unsent - 1)

    def taken(self) -> None:
        self.unsent = 0

    def discovery(self) -> bytes | None:
        return self.told


class World:
    def __init__(self, jitter: float = 0.0) -> None:
        self.clock, self.log, self.publisher = FakeClock(), FakeAuditLog(), FakePublisher()
        self.teller, self.refusals = FakeTeller(), Refusals(self.log, self.clock)
        self.post = HealthPost(self.teller, self.refusals, self.clock, lambda: jitter)

    def after(self, seconds: float, *, policy: bool = True) -> list[bytes]:
        """What is sent after so long."""
        before = len(self.publisher.health)
        self.clock.advance(seconds)
        self.post.turn(self.publisher if policy else None)
        return self.publisher.health[before:]

    def counts(self) -> dict[str, int]:
        self.refusals.write_counts(now=True)
        return self.log.details("counts")[-1]["counts"]


@pytest.fixture
def world() -> World:
    return World()


def test_one_an_hour(world) -> None:
    assert world.after(FIRST_WAIT_S - 1) == []
    assert world.after(1) == [b"1 unsent 0"]
    assert world.after(EVERY_S - 1) == []
    assert world.after(1) == [b"2 unsent 0"]
    assert world.publisher.posted == [], "none goes where checkpoints go"


@pytest.mark.parametrize("jitter", [0.0, 0.999])
def test_never_more_than_one_an_hour_and_the_first_within_ten_minutes(jitter) -> None:
    world = World(jitter)
    sent = [bool(world.after(60)) for _ in range(24 * 60)]
    assert sum(sent) == 24
    assert sent.index(True) < 10


def test_the_newest_waits_and_says_how_many_it_replaced(world) -> None:
    world.publisher.reachable = False
    for _ in range(5):
        assert world.after(EVERY_S) == []
    world.publisher.reachable = True
    assert world.after(TRY_AGAIN_S) == [b"5 unsent 4"]
    assert world.after(0) == []
    assert world.after(EVERY_S) == [b"6 unsent 0"]
    assert world.counts()["health messages unsent"] == 4


def test_without_a_policy_it_waits_and_is_counted_too(world) -> None:
    for _ in range(3):
        assert world.after(EVERY_S, policy=False) == []
    assert world.after(TRY_AGAIN_S) == [b"3 unsent 2"]


def test_a_broker_that_does_not_take_it_is_told_once_and_costs_one_message_each(world) -> None:
    world.publisher.takes_health = False
    for _ in range(3):
        world.after(EVERY_S)
    world.after(0)
    assert [leaf["reason"] for leaf in world.log.details("refusal")] == [
        Reason.BROKER_REFUSED_HEALTH
    ]
    world.publisher.takes_health = True
    assert world.after(EVERY_S) == [b"4 unsent 3"]


def test_answers_to_checkpoints_are_none_of_its_business(world) -> None:
    world.publisher.post(b"checkpoint")
    world.after(0)
    assert len(world.publisher.post_answers(Post.CHECKPOINT)) == 1


def test_home_assistant_is_told_beside_each_message_and_only_where_asked(world) -> None:
    world.after(FIRST_WAIT_S)
    assert world.publisher.discovered == []
    world.teller.told = b"discovery"
    world.publisher.reachable = False
    world.after(EVERY_S)
    assert world.publisher.discovered == []
    world.publisher.reachable = True
    world.after(TRY_AGAIN_S)
    world.after(TRY_AGAIN_S)
    assert world.publisher.discovered == [b"discovery"]


def test_a_broker_that_does_not_take_either_is_told_of_each_once(world) -> None:
    world.teller.told = b"discovery"
    world.publisher.takes_health = False
    for _ in range(3):
        world.after(EVERY_S)
    world.after(0)
    assert len(world.log.details("refusal")) == 2
