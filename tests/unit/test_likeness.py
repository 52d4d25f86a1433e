"""What two texts say of one another, before the place is asked."""

import pytest

from agent.core.reading.tracks.likeness import Relation, part, relation, short, worth
from tests.support.judging import read


@pytest.mark.parametrize(
    ("text", "confidence", "expected"),
    [
        ("7TST001", 0.95, Relation.SAME),
        ("7TST001", 0.31, Relation.SAME),
        ("7TST007", 0.95, Relation.OTHER),  # consecutive, both sure
        ("7TST007", 0.89, Relation.SIMILAR),
        ("7TST001", 0.29, Relation.SIMILAR),  # unreadable, and yet so like
        ("7TS70I7", 0.8, Relation.OTHER),
        ("KTX77Y", 0.29, Relation.UNKNOWN),
        ("", 0.0, Relation.UNKNOWN),
        ("1", 0.99, Relation.UNKNOWN),
        ("7TS", 0.99, Relation.UNKNOWN),
        ("7TST0", 0.99, Relation.SIMILAR),  # two hidden at its end
        ("TST00", 0.99, Relation.SIMILAR),
        ("TST001", 0.99, Relation.OTHER),  # one less may as well be another plate
        ("7TT01", 0.99, Relation.OTHER),  # as long as a piece, and none
    ],
)
def test_a_read_beside_a_sure_one(text, confidence, expected):
    sure, other = read("7TST001", confidence=0.95), read(text, confidence=confidence)
    assert relation(sure, other) is expected
    assert relation(other, sure) is expected


def test_less_than_half_of_the_characters_are_a_piece():
    whole = read("7TST0012")
    assert not short(read("KTX7"), whole)
    assert short(read("KTX"), whole)
    assert part(read("KTX"), whole)
    assert not part(read("7TST0012"), whole)


def test_a_sure_character_is_worth_less_than_a_doubtful_plate():
    assert worth(read("1", confidence=0.99)) < worth(read("7TST001", confidence=0.3))
    assert worth(read("")) == 0
