"""The documents are written for people who read them once.

Short sentences, each on a line of its own.
"""

from pathlib import Path

import pytest

from tests.support.sentences import crowded_lines, longest_twentieth, sentences

ROOT = Path(__file__).parents[2]
MOST_WORDS = 30
MOST_WORDS_OF_THE_LONGEST = 25  # in the mean of the longest 5 %
MOST_SEMICOLONS = 3  # a page, outside tables
# made from the help texts: a command's help is one line each, and its exit codes stand on one
MORE_SEMICOLONS = {"docs/ref/commands.md"}
# quoted code in a row, each fault with an arrow in it: `make mutation` compares it by its text
FAULTS_IN_A_ROW = " \u2192 `"
FOLDERS_IN_PLAIN_ENGLISH = ("docs", "docs/guide", "docs/ref", "docs/design")
FOLDERS_WITH_ONE_SENTENCE_A_LINE = FOLDERS_IN_PLAIN_ENGLISH
AT_THE_TOP = [
    ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]


def pages(folders):
    return [*AT_THE_TOP, *(page for name in folders for page in sorted((ROOT / name).glob("*.md")))]


def shown(page):
    return str(page.relative_to(ROOT))


def told(page, found):
    """What a failing test says, a line for each sentence."""
    return f"{shown(page)}:\n" + "\n".join(f"line {one.line}: {one.text}" for one in found)


@pytest.mark.parametrize("page", pages(FOLDERS_IN_PLAIN_ENGLISH), ids=shown)
def test_no_sentence_is_long(page):
    long = [
        one
        for one in sentences(page.read_text())
        if one.words > MOST_WORDS and FAULTS_IN_A_ROW not in one.text
    ]
    assert not long, "write two sentences. " + told(page, long)


@pytest.mark.parametrize("page", pages(FOLDERS_IN_PLAIN_ENGLISH), ids=shown)
def test_few_semicolons(page):
    found = [one for one in sentences(page.read_text()) if one.prose and ";" in one.text]
    assert len(found) <= MOST_SEMICOLONS or shown(page) in MORE_SEMICOLONS, (
        "full stops are easier to read. " + told(page, found)
    )


def test_the_longest_sentences_of_readme_and_guides():
    prose = [one for page in GUIDES for one in sentences(page.read_text()) if one.prose]
    assert longest_twentieth([one.words for one in prose]) <= MOST_WORDS_OF_THE_LONGEST


@pytest.mark.parametrize("page", pages(FOLDERS_WITH_ONE_SENTENCE_A_LINE), ids=shown)
def test_one_sentence_a_line(page):
    found = crowded_lines(page.read_text())
    assert not found, "begin a new line after each sentence. " + told(page, found)


PAGE = """# Two words

One sentence over
two lines. And (so to say) `a.b. c` here! "Said." [A link](to/a.md. x) ends?

```
code. is. left. out
```

- An item. Its second;
  which goes on.

| a cell | two. sentences |
|---|---|
| `a | b` | |

    indented. code
"""


def test_how_a_page_is_divided():
    assert [(one.line, one.text) for one in sentences(PAGE)] == [
        (1, "Two words"),
        (3, "One sentence over two lines."),
        (3, "And (so to say) `a·b· c` here!"),
        (3, '"Said."'),
        (3, "A link ends?"),
        (10, "An item."),
        (10, "Its second; which goes on."),
        (13, "a cell"),
        (13, "two."),
        (13, "sentences"),
        (15, "`a · b`"),
    ]
    assert [one.line for one in crowded_lines(PAGE)] == [4, 10]
    assert [one.words for one in sentences(PAGE)][:3] == [2, 5, 6]


def test_a_paragraph_may_begin_with_its_heading():
    assert crowded_lines("**Decision.** One sentence.\n") == []
    assert len(crowded_lines("**Decision.** One sentence. And another.\n")) == 1


def test_the_longest_twentieth():
    assert longest_twentieth([3, 1, 2]) == 3
    assert longest_twentieth([*range(1, 41)]) == 39.5
