"""agent/core/reading/plate_letters.py: one table of letters beyond A–Z, for the lists and for the
training that teaches the reader.
"""

import unicodedata

import pytest

from agent.core.hotlist.entry import plate_of
from agent.core.reading.plate_letters import LETTERS, folded
from agent.core.reading.plate_text import PlateText

CASES = [(letter, plain) for letter, plain in LETTERS.items()]


@pytest.mark.parametrize(("letter", "plain"), CASES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_listed_plate_is_what_the_reader_tells(letter, plain, form):
    for spelt in (letter, letter.lower()):
        text = unicodedata.normalize(form, f"G{spelt}-TX 101")
        assert folded(text) == f"G{plain}-TX 101"
        assert plate_of(text) == f"G{plain}TX101"
        assert PlateText(plate_of(text)).value == f"G{plain}TX101"


def test_the_letters_that_issuers_write_are_there():
    assert {letter: LETTERS[letter] for letter in "ÄÖÜÅÑØ"} == {
        "Ä": "A",
        "Ö": "O",
        "Ü": "U",
        "Å": "A",
        "Ñ": "N",
        "Ø": "O",
    }


@pytest.mark.parametrize(
    "odd",
    [
        "\u212a123",  # the Kelvin sign, a K by Unicode's own folding
        "\u0391BC12",  # Greek Alpha
        "\u0410BC12",  # Cyrillic A
        "\uff21BC12",  # full-width A
        "\u017f123",  # long s, an S in upper case
        "\u0131123",  # dotless i, an I in upper case
        "O\u0304 12",  # a macron: on no plate
        "\u0308 123",  # a mark on nothing
        "ß123",
        "Æ123",
        "A\u030a\u030a12",  # a ring on a ring
    ],
)
def test_a_look_alike_is_no_letter(odd):
    assert plate_of(odd) == ""


def test_marks_that_the_training_draws_fold_to_the_letter_that_it_teaches():
    pytest.importorskip("PIL", reason="a training dependency")
    from models.training.render.glyphs import MARKS

    combining = {"dots": "\u0308", "ring": "\u030a", "tilde": "\u0303"}
    for plain, marks in MARKS.items():
        for mark in marks:
            letter = (
                "Ø" if mark == "stroke" else unicodedata.normalize("NFC", plain + combining[mark])
            )
            assert LETTERS[letter] == plain
