"""docs/glossary.md: in the order of the alphabet, short, and only words that the documents use."""

import re
from pathlib import Path

import pytest

from tests.support.sentences import sentences

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs/glossary.md"
PARTS = re.split(r"^## (.+)\n", GLOSSARY.read_text(), flags=re.MULTILINE)[1:]
TERMS, ENTRIES = PARTS[::2], PARTS[1::2]
OTHERS = [page for page in (ROOT / "docs").rglob("*.md") if page != GLOSSARY]
TEXT = "\n".join(page.read_text() for page in [ROOT / "README.md", *OTHERS])


def test_the_terms_stand_in_the_order_of_the_alphabet():
    assert sorted(set(TERMS), key=str.casefold) == TERMS


@pytest.mark.parametrize(("term", "entry"), [*zip(TERMS, ENTRIES, strict=True)], ids=TERMS)
def test_a_term_is_used_and_told_in_three_sentences(term, entry):
    assert re.search(rf"\b{re.escape(term)}", TEXT, re.IGNORECASE), f"no document says {term}"
    assert 1 <= len(sentences(entry)) <= 3, f"{term}: {len(sentences(entry))} sentences"
