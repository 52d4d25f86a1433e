"""Sentences of a Markdown page, as somebody reads them.

Without code blocks, without the targets of links, tables cell by cell.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(r"\s*(```|~~~)")
LEAD = re.compile(r"\*\*[^*]+[.?!:]\*\* +")  # a heading at the start of its paragraph
HEADING_OR_ITEM = re.compile(r"^\s*(#+|>|[-*+]|\d+\.) +")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"`[^`]+`")
END = re.compile(r"(?<=[.!?])([)*_\"]*)\s+")
CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, or a heading or a cell that has no full stop."""

    line: int
    text: str
    prose: bool = True  # False: a heading or a cell of a table

    @property
    def words(self) -> int:
        """A piece of code counts as one: nobody reads it word by word."""
        return sum(1 for word in CODE.sub("code", self.text).split() if re.search(r"\w", word))


def _plain(line: str) -> str:
    """Links without their targets; marks inside code end neither a sentence nor a cell."""
    line = CODE.sub(lambda code: re.sub(r"[.!?|;]", "·", code[0]), line)
    return LINK.sub(r"\1", line)


def split(text: str) -> list[str]:
    """A text of one paragraph, sentence by sentence."""
    return [part for part in END.sub(r"\1\n", text).split("\n") if part.strip()]


def _readable(page: str) -> Iterator[tuple[int, str]]:
    """Number and text of every line; code and comments as blank lines."""
    fenced = in_list = False
    for number, line in enumerate(page.splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
            yield number, ""
            continue
        if line.strip() and not line.startswith(" "):
            in_list = bool(HEADING_OR_ITEM.match(line)) and not line.startswith("#")
        code = fenced or (line.startswith("    ") and not in_list) or line.startswith("<!--")
        yield number, "" if code else _plain(line)


def crowded_lines(page: str) -> list[Sentence]:
    """Lines on which more than one sentence stands.

    A heading or a row of a table may hold more, and a paragraph may begin with its heading in bold
    type.
    """
    lines = [(at, text) for at, text in _readable(page) if not text.lstrip().startswith(("|", "#"))]
    found = [Sentence(at, HEADING_OR_ITEM.sub("", text).strip()) for at, text in lines]
    return [one for one in found if len(split(LEAD.sub("", one.text, count=1))) > 1]


def sentences(page: str) -> list[Sentence]:
    """All of them, in order.

    A paragraph is joined before it is divided, however its lines are broken.
    """
    found: list[Sentence] = []
    block: list[str] = []
    start = 0
    for number, text in [*_readable(page), (0, "")]:
        begins = bool(HEADING_OR_ITEM.match(text))
        table = text.lstrip().startswith("|")
        if begins or table or not text.strip():
            found += [Sentence(start, part) for part in split(" ".join(block))]
            block = []
        if table:
            cells = CELL.split(text)
            parts = [part for cell in cells for part in split(cell.strip(" -:"))]
            found += [Sentence(number, part, prose=False) for part in parts]
        elif text.strip():
            start = start if block else number
            block.append(HEADING_OR_ITEM.sub("", text).strip())
            if text.startswith("#"):
                found.append(Sentence(number, block.pop(), prose=False))
    return found


def longest_twentieth(lengths: list[int]) -> float:
    """The mean of the longest 5 %, at least of one."""
    count = max(1, len(lengths) // 20)
    return sum(sorted(lengths)[-count:]) / count
