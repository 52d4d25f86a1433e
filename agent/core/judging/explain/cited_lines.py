"""A policy's or charter's own lines, so that an answer can quote the sentence it rests on as
file:line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.text.toml_document import read_document
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.core.text.toml_document import Document


@dataclass(frozen=True, slots=True)
class Cited:
    """One line of a file.

    `where`: the file as the reader knows it; `line`: from 1, 0 for the file as a whole; `text`:
    what stands there; `comment`: what its author wrote beside it.
    """

    where: str
    line: int
    text: str
    comment: str = ""

    @property
    def place(self) -> str:
        """`policy.toml:31`, clickable in most terminals."""
        return f"{self.where}:{self.line}" if self.line else self.where


class Source:
    """One TOML file's lines by path, e.g. `("release", 0, "recipient")`.

    Raises ConfigError for what is no TOML.
    """

    def __init__(self, text: bytes, where: str) -> None:
        self._document: Document = read_document(text, where)
        self._lines = text.decode("utf-8").replace("\r\n", "\n").split("\n")
        self.where = where

    def cite(self, *path: str | int) -> Cited:
        """The line of a value; of the nearest table around it where it is missing."""
        return self.cite_at(self._document.line(path))

    def cite_at(self, number: int) -> Cited:
        """A line by its number."""
        return Cited(
            self.where,
            number,
            *_parts(self._lines[number - 1]) if 0 < number <= len(self._lines) else ("",),
        )

    def whole(self, says: str) -> Cited:
        """The file itself, for what no line of it says."""
        return Cited(self.where, 0, says)

    def tables(self, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The tables of one kind with their index, as written."""
        yield from (
            (index, table)
            for index, table in enumerate(self._document.table.get(name, []))
            if isinstance(table, dict)
        )

    def value(self, name: str) -> Any:
        """A value of the top level, as written; None where it is missing."""
        return self._document.table.get(name)

    def cite_item(self, key: str, item: str) -> Cited:
        """The line of one name in a list of the top level; the key's own line where the list does
        not hold it.
        """
        listed = self.value(key)
        names = listed if isinstance(listed, list) else []
        return self.cite(key, names.index(item)) if item in names else self.cite(key)


def _parts(line: str) -> tuple[str, str]:
    """The line without indent and trailing comma, and its comment; a # inside quotes begins
    none.
    """
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#":
            return line[:position].strip().removesuffix(","), line[position + 1 :].strip()
    return line.strip().removesuffix(","), ""
