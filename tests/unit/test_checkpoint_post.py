"""When a camera tells its city of its logs, with fakes and a clock that stands still."""

import pytest

from agent.core.log.checkpoint import Checkpoint
from agent.core.log.collected import Answer, format_answer
from agent.core.reasons import Reason
from agent.errors import EnvelopeRefusedError
from agent.ledger import Refusals
from agent.network import checkpoint_post
from agent.network.checkpoint_post import (
    FIRST_WAIT_S,
    MAX_ANSWERS_PER_HOUR,
    POST_EVERY_S,
    TRY_AGAIN_S,
    CheckpointPost,
)
from tests.fakes.audit import FakeAuditLog
from tests.fakes.clock import FakeClock
from tests.fakes.network import FakePublisher

WATCH, DELIVER = "platewarden/cam-7/watch", "platewarden/cam-7/deliver"


class FakeGrowth:
    """A log that has something to say."""

    def __init__(self, origin: str) -> None:
        self.origin, self.heard, self.wrong = origin, [], None

    def message(self) -> bytes | None:
        if self.wrong:
            raise self.wrong
        return self.origin.encode()

    def answered(self, untrusted_answer: bytes) -> bool:
        new = untrusted_answer not in self.heard
        self.heard.append(untrusted_answer)
        return new


class World:
    def __init__(self) -> None:
        self.clock, self.log, self.publisher = FakeClock(), FakeAuditLog(), FakePublisher()
        self.logs = [FakeGrowth(WATCH), FakeGrowth(DELIVER)]
        refusals = Refusals(self.log, self.clock)
        self.post = CheckpointPost(self.logs, refusals, self.clock, lambda: 0.0)

    def after(self, seconds: float) -> int:
        """How many are posted after so long."""
        before = len(self.publisher.posted)
        self.clock.advance(seconds)
        self.post.turn(self.publisher)
        return len(self.publisher.posted) - before

    def refusals(self) -> list[str]:
        return [leaf["reason"] for leaf in self.log.details("refusal")]


def answer(origin: str, size: int) -> bytes:
    return format_answer(Answer(Checkpoint(origin, size, bytes(32))))


@pytest.fixture
def world() -> World:
    return World()


def test_both_logs_go_out_after_a_minute_and_then_every_six_hours(world) -> None:
    assert world.after(FIRST_WAIT_S - 1) == 0
    assert world.after(1) == 2
    assert sorted(world.publisher.posted) == sorted((WATCH.encode(), DELIVER.encode()))
    assert world.after(TRY_AGAIN_S - 1) == 0
    assert world.after(POST_EVERY_S - TRY_AGAIN_S) == 0
    assert world.after(TRY_AGAIN_S) == 2


def test_at_least_once_a_day_whatever_the_jitter() -> None:
    for jitter in (0.0, 0.999):
        world = World()
        world.post._jitter = lambda jitter=jitter: jitter
        posted = sum(bool(world.after(600.0)) for _ in range(24 * 6))
        assert 4 <= posted <= 6


def test_without_a_broker_it_is_tried_again(world) -> None:
    world.publisher.reachable = False
    assert world.after(FIRST_WAIT_S) == 0
    world.publisher.reachable = True
    assert world.after(TRY_AGAIN_S) == 2


def test_over_a_new_publisher_a_minute_later_and_not_twice_in_ten(world) -> None:
    """Its connections listen to the collector once a checkpoint was taken on them."""
    assert world.after(FIRST_WAIT_S) == 2
    world.publisher = FakePublisher()
    assert world.after(0) == 0
    assert world.after(FIRST_WAIT_S) == 0
    assert world.after(TRY_AGAIN_S - FIRST_WAIT_S) == 2
    world.after(2 * TRY_AGAIN_S)
    world.publisher = FakePublisher()
    assert world.after(0) == 0
    assert world.after(FIRST_WAIT_S - 1) == 0
    assert world.after(1) == 2


def test_a_broker_that_does_not_take_them_is_told_once(world) -> None:
    """As one whose access list is older than these topics."""
    world.publisher.takes_checkpoints = False
    for _ in range(3):
        world.after(POST_EVERY_S)
    assert world.refusals() == [Reason.BROKER_REFUSED_CHECKPOINT]
    [leaf] = world.log.details("refusal")
    assert leaf["broker"] == "fake"


def test_an_answer_is_for_its_log_and_brings_the_next_one_soon(world) -> None:
    world.after(FIRST_WAIT_S)
    world.after(0)
    world.publisher.collector_says(answer(WATCH, 7))
    assert world.after(TRY_AGAIN_S - 1) == 0
    assert world.after(1) == 2
    assert [log.heard for log in world.logs] == [[answer(WATCH, 7)], []]
    world.after(0)
    world.publisher.collector_says(answer(WATCH, 7))
    assert world.after(TRY_AGAIN_S) == 0, "it is no news"


@pytest.mark.parametrize("rubbish", [b"", b"hello", answer("platewarden/cam-8/watch", 7)])
def test_rubbish_is_a_refusal_and_the_next_answer_counts(world, rubbish) -> None:
    world.publisher.collector_says(rubbish)
    world.publisher.collector_says(answer(DELIVER, 7))
    world.after(0)
    assert world.refusals() == [Reason.MALFORMED]
    assert world.logs[1].heard == [answer(DELIVER, 7)]


def test_an_answer_that_makes_a_library_raise_anything_costs_that_answer(
    world, monkeypatch
) -> None:
    def fails(_data):
        raise RuntimeError("TST0042 must not be shown")

    with monkeypatch.context() as planted:
        planted.setattr(checkpoint_post, "parse_answer", fails)
        world.publisher.collector_says(answer(WATCH, 7))
        world.after(0)
    [leaf] = world.log.details("refusal")
    assert leaf["reason"] == Reason.UNFORESEEN
    assert "TST0042" not in leaf["what"]
    world.publisher.collector_says(answer(WATCH, 7))
    world.after(0)
    assert world.logs[0].heard == [answer(WATCH, 7)]


def test_answers_without_end_cost_a_few(world) -> None:
    for hour in range(2):
        for size in range(100):
            world.publisher.collector_says(answer(WATCH, 1 + size + 100 * hour))
            world.after(1)
        world.clock.advance(3_600)
    assert len(world.logs[0].heard) == 2 * MAX_ANSWERS_PER_HOUR


def test_a_log_that_says_what_it_may_not_costs_that_log(world) -> None:
    world.logs[0].wrong = EnvelopeRefusedError(Reason.CHECKPOINT_INVALID, "not signed")
    assert world.after(FIRST_WAIT_S) == 1
    assert world.after(0) == 0
    assert world.after(POST_EVERY_S) == 1
    assert world.refusals() == [Reason.CHECKPOINT_INVALID]
