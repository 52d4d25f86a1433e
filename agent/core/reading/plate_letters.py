"""Letters beyond A–Z that issuers stamp, and the one of A–Z as which each is read, listed and asked
for: the only such table.

The reader tells no marks: at a plate's size they are two or three pixels. So a listed plate must
become what the reader says, or it would never match. Two vehicles may then share a text, as GÖ and
GO: a text alone never makes a match exact.
"""

import unicodedata

# Where they stand on plates: Ä Ö Ü on Germany's, Sweden's, Finland's and Estonia's (Õ too). Å on
# Sweden's, Norway's, Denmark's and Finland's. Ø on Denmark's and Norway's, Ñ on older Spanish ones.
# The others on Croatia's, Serbia's and Slovenia's.
LETTERS = {
    "Ä": "A",
    "Å": "A",
    "Ć": "C",
    "Č": "C",
    "Đ": "D",
    "Ñ": "N",
    "Ö": "O",
    "Õ": "O",
    "Ø": "O",
    "Š": "S",
    "Ü": "U",
    "Ž": "Z",
}


def _spellings() -> dict[str, str]:
    """Each letter as one character and as a letter with a combining mark, in both cases.

    Written out, because Unicode's own folding would also take look-alikes for letters: the Kelvin
    sign becomes a K by it.
    """
    found: dict[str, str] = {}
    for marked, plain in LETTERS.items():
        for spelt in (marked, unicodedata.normalize("NFD", marked)):
            found[spelt] = plain
            found[spelt.lower()] = plain
    return found


_SPELLINGS = _spellings()


def folded(untrusted_text: str) -> str:
    """The text with those letters as they are read; everything else stays as it is."""
    if untrusted_text.isascii():
        return untrusted_text
    for spelt, plain in _SPELLINGS.items():
        untrusted_text = untrusted_text.replace(spelt, plain)
    return untrusted_text
