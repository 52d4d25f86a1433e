"""What is unlikely to be a plate: proposed seldom, or where a vehicle is awaited."""

from dataclasses import replace

import pytest

from agent.vision.stream.sparing_proposer import LIKELY, UNLIKELY_EVERY_S, SparingProposer
from tests.support.judging import frame, read

BOX = read("TST1001").box
UNLIKELY = replace(BOX, confidence=LIKELY - 0.01)


class Proposer:
    def find_plates(self, _frame):
        return (BOX, UNLIKELY)


def proposed(moments, *, awaits=False):
    """How many boxes are proposed at each moment, in seconds."""
    proposer = SparingProposer(Proposer(), lambda *_: awaits)
    return [len(proposer.find_plates(frame(0, at))) for at in moments]


def test_the_unlikely_is_proposed_in_every_third_of_15_frames_a_second():
    assert proposed([number / 15 for number in range(7)]) == [2, 1, 1, 2, 1, 1, 2]


def test_with_few_frames_a_second_all_is_proposed():
    assert proposed([number * UNLIKELY_EVERY_S * 1.01 for number in range(5)]) == [2] * 5


def test_where_a_vehicle_is_awaited_all_is_proposed():
    assert proposed([number / 15 for number in range(7)], awaits=True) == [2] * 7


def test_after_a_clock_set_back_all_is_proposed():
    assert proposed([5.0, 5.05, 1.0, 1.05]) == [2, 1, 2, 1]


@pytest.mark.parametrize("confidence", [LIKELY, 1.0])
def test_the_likely_is_always_proposed(confidence):
    likely = replace(BOX, confidence=confidence)

    class Likely:
        def find_plates(self, _frame):
            return (likely,)

    proposer = SparingProposer(Likely(), lambda *_: False)
    assert [list(proposer.find_plates(frame(0, at))) for at in (0.0, 0.05)] == [[likely]] * 2
