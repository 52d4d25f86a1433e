"""When a vehicle in view is told, at the bounds: its reads agree, or it leaves."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace as Made

import pytest

from agent.core.reading.tracks.due import Due
from agent.core.reading.tracks.motion import Motion
from tests.support.judging import NOON, read

A, B, C = "TST0042", "TST1001", "ABC9999"
SIZE = (720, 1280)


def after(seconds):
    return NOON + timedelta(seconds=seconds)


class TestAgreement:
    @pytest.mark.parametrize(
        ("reads", "told", "agree"),
        [
            ([], None, False),
            ([(A, 0.99)], None, False),
            ([(A, 0.99)] * 2, None, True),
            ([(A, 0.99), (A, 0.98)], None, False),
            ([(A, 0.99)] * 2 + [(B, 0.9)], None, True),
            ([(A, 0.99)] * 2 + [(B, 0.9)] * 2, None, False),
            ([(A, 0.9)] * 3, None, True),
            ([(A, 0.9)] * 3 + [(B, 0.9)], None, True),
            ([(A, 0.9)] * 5 + [(B, 0.9)] * 2, None, False),
            ([(A, 0.9)] * 6 + [(B, 0.9)] * 2, None, True),
            ([(A, 0.97)] * 5, A, True),
            ([(A, 0.97)] * 5, B, True),
            ([(A, 0.95)] * 5, A, False),
            ([(A, 0.99)] * 2, A, True),
            ([(A, 0.99)] * 2, B, False),
            ([(A, 0.99)] * 3, B, True),
        ],
    )
    def test_it(self, reads, told, agree):
        one = Made(
            reads=[read(text, confidence=sure) for text, sure in reads],
            told=told and Made(text=told),
        )
        assert Due().agree(one) is agree

    @pytest.mark.parametrize(("count", "agree"), [(2, False), (3, True)])
    def test_many_that_exceed_little_by_just_enough(self, count, agree):
        numbers = Due(sure_reads=3, little=0.5, sure_excess=0.5)
        one = Made(reads=[read(A, confidence=0.75)] * count, told=Made(text=A))
        assert numbers.agree(one) is agree
        exact = replace(numbers, sure_excess=0.75)
        assert exact.agree(one) is agree


class TestLastChance:
    """Before it leaves a picture of 720×1280 px, it is told as it is."""

    @staticmethod
    def of(sure, *, seconds, others=(), told=None):
        """So confident reads, the last of a vehicle that is outside after so many seconds."""
        motion = Motion((1200.0 - 180.0, 300.0, 100.0, 33.0), NOON)
        motion.saw((1200.0 - 80.0, 300.0, 100.0, 33.0), after(0.1))
        motion.velocity = (110.0 / seconds, 0.0)
        one = Made(
            motion=motion,
            told=told,
            reads=[read(text, confidence=0.5) for text in others]
            + [read(A, confidence=confidence) for confidence in sure],
        )
        return Due().last_chance(one, SIZE, after(0.1))

    @pytest.mark.parametrize(
        ("sure", "seconds", "told"),
        [
            ([0.5] * 3, 0.19, True),
            ([0.5] * 3, 0.21, False),
            ([0.5] * 2, 0.19, False),
            ([0.5] * 2 + [0.29], 0.19, False),
            ([0.5] * 6, 0.99, True),
            ([0.5] * 6, 1.01, False),
            ([0.5] * 5, 0.99, False),
            ([0.5] * 5 + [0.52], 0.99, True),
            ([0.5] * 5 + [0.53], 0.99, False),
        ],
    )
    def test_it(self, sure, seconds, told):
        assert self.of(sure, seconds=seconds) is told

    @pytest.mark.parametrize(("right", "told"), [(11, False), (12, True)])
    def test_one_read_of_another_text_in_seven_is_steady_yet(self, right, told):
        assert self.of([0.5] * right, seconds=0.9, others=[B, C]) is told

    def test_the_last_read_must_say_the_same(self):
        assert self.of([], seconds=0.9, others=[A] * 7) is True
        assert self.of([], seconds=0.9, others=[*[A] * 7, B]) is False

    def test_what_was_told_is_not_told_again(self):
        assert self.of([0.5] * 6, seconds=0.1, told=Made(text=A)) is False

    def test_what_was_outside_already_does_not_leave(self):
        motion = Motion((1300.0, 300.0, 100.0, 33.0), NOON)
        motion.saw((1400.0, 300.0, 100.0, 33.0), after(0.1))
        one = Made(motion=motion, told=None, reads=[read(A)] * 6)
        assert Due().last_chance(one, SIZE, after(0.1)) is False
