"""When a vehicle in view is told, at the bounds: its reads agree."""

from dataclasses import replace
from types import SimpleNamespace as Made

import pytest

from agent.core.reading.tracks.due import Due
from tests.support.judging import read

A, B = "TST0042", "TST1001"


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
