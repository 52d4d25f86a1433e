"""Lists that are not what they seem, made from kinds and seeds: each is told by line with its
reason, and no good one is.
"""

import random

import pytest

from agent.core.hotlist.plausibility.doubts import Doubt
from agent.errors import ConfigError
from tests.support.made_lists import FORMS, KINDS, lines_in, rows

SPOILED, GOOD = 200, 50
MOST_NAMED = 10
# From ten rows to a million, evenly by their logarithm.
SIZES = [round(10 * 10 ** (5 * number / (GOOD - 1))) for number in range(GOOD)]
QUICK = 3_000


@pytest.mark.parametrize("number", range(SPOILED))
def test_a_spoiled_list_is_told_by_line_with_its_reason(number: int) -> None:
    spoiled = KINDS[number % len(KINDS)](random.Random(number))
    with pytest.raises(ConfigError) as caught:
        spoiled.given.take()
    told = str(caught.value)
    caught.match(spoiled.words)
    if spoiled.lines:
        assert lines_in(told) == set(spoiled.lines[:MOST_NAMED]), told
    if spoiled.flag:
        assert f"--allow-{spoiled.flag}" in told
        spoiled.given.take(frozenset({Doubt(spoiled.flag)}))


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(one, marks=[pytest.mark.slow] if SIZES[one] > QUICK else [])
        for one in range(GOOD)
    ],
)
@pytest.mark.timeout(900)
def test_a_good_list_is_taken_without_a_question(number: int) -> None:
    listed = rows(random.Random(number), SIZES[number])
    entries = len(FORMS[number % len(FORMS)](listed).take().columns)
    assert entries in {len(listed), len(listed) - len(listed) // 3}
