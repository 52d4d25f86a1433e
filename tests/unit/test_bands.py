"""Numbers in fives: neither a difference of two cells nor a sum tells more of a small cell than the
cell itself does.
"""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from agent.city.report.bands import NOTHING, WIDTH, Band, band, total

NUMBERS = st.integers(0, 60)
CELLS = st.lists(NUMBERS, min_size=1, max_size=8)


def test_how_a_number_is_told():
    told = [str(band(number)) for number in (0, 1, 4, 5, 9, 10, 12345)]
    assert told == ["0", "1–4", "1–4", "5–9", "5–9", "10–14", "12,345–12,349"]


@given(NUMBERS)
def test_a_number_lies_in_its_band_and_the_next_four_share_it(number):
    found = band(number)
    assert found.at_least <= number <= found.at_most
    assert number == 0 or found.at_most - found.at_least >= WIDTH - 2
    assert all(band(one) == found for one in range(found.at_least, found.at_most + 1))


def test_a_difference_of_two_cells_never_tells_a_small_one():
    """A whole and one part are told, and the other part is 1 to 4: each of the four stays possible,
    and more is not told of it.
    """
    for part, small in product(range(60), range(1, 5)):
        whole_told, part_told = band(part + small), band(part)
        possible = {
            other
            for other in range(1, 5)
            for one in range(part_told.at_least, part_told.at_most + 1)
            if band(one + other) == whole_told
        }
        assert len(possible) >= 3, (part, small)


def narrowed(cells, whole):
    """Which small cells a sum tells more of than they tell themselves."""
    parts = [band(one) for one in cells]
    low, high = sum(one.at_least for one in parts), sum(one.at_most for one in parts)
    for one in parts:
        others = low - one.at_least, high - one.at_most
        least = max(one.at_least, whole.at_least - others[1])
        most = min(one.at_most, whole.at_most - others[0])
        if (least, most) != (one.at_least, one.at_most):
            yield one


@given(CELLS)
def test_a_total_tells_nothing_more_of_any_part(cells):
    whole = total(cells)
    assert whole.at_least <= sum(cells) <= whole.at_most
    assert list(narrowed(cells, whole)) == []


def test_without_widening_four_ones_would_be_told():
    assert list(narrowed([1, 1, 1, 1], band(4))) != []
    assert total([1, 1, 1, 1]) == Band(1, 9)
    assert total([]) == NOTHING
    assert total([0, 0]) == NOTHING


@given(CELLS, st.randoms())
def test_the_same_is_told_whatever_the_small_cells_are(cells, chance):
    """But for the total's band, which says no more than its parts allow."""
    others = [chance.randint(1, 4) if 1 <= one <= 4 else one for one in cells]
    assert [band(one) for one in cells] == [band(one) for one in others]
