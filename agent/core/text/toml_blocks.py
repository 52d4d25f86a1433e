"""A TOML file that ends in one long array of tables, such as the roster of ten thousand cameras,
read a table at a time: one that is plainly right takes one look at each line.

Any doubt sends a table, or the whole file, through `toml_document`. A test holds both to the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent.core.text.toml_document import (
    EXAMPLE,
    Document,
    NotTomlError,
    as_text,
    located,
    open_document,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.text.toml_document import Path, Place

# What both a line here and TOML take as it stands: no escape, no quote, no control character.
_PLAIN = r'"[^"\\\x00-\x1f\x7f]*"'
_COMMENT = r"[^\x00-\x08\x0a-\x1f\x7f]"
_LINE = re.compile(
    rf"([a-z]+) = (?:({_PLAIN})|\[((?:{_PLAIN}(?:, {_PLAIN})*)?)\])\n"
    rf"|(?:#{_COMMENT}*)?\n"
)


class _Blocks(Mapping["Path", "Place"]):
    """Where the keys of the whole file begin, or its values. A table's places are looked for when
    somebody asks: as a rule nobody does, or about one in ten thousand.
    """

    def __init__(
        self, name: str, head: Mapping[Path, Place], blocks: list[tuple[int, str]], *, values: bool
    ) -> None:
        self._name, self._head, self._blocks, self._values = name, head, blocks, values

    def __getitem__(self, path: Path) -> Place:
        if path[:1] != (self._name,):
            return self._head[path]
        if len(path) == 1:
            return self._blocks[0][0], 1
        number = path[1]
        if not isinstance(number, int) or not 0 <= number < len(self._blocks):
            raise KeyError(path)
        if len(path) == 2:
            return self._blocks[number][0], 1
        line, column = self._of(number)[self._name, 0, *path[2:]]
        return line + self._blocks[number][0] - 1, column

    def _of(self, number: int) -> Mapping[Path, Place]:
        """The places in one table, its header in line 1."""
        _, keys, values = located(_alone(self._name, self._blocks[number][1]))
        return values if self._values else keys

    def __iter__(self) -> Iterator[Path]:
        yield from self._head
        yield (self._name,)
        for number in range(len(self._blocks)):
            yield from ((self._name, number, *path[2:]) for path in self._of(number) if path[1:])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def open_blocks(untrusted_text: bytes, where: str, name: str, most_bytes: int) -> Document:
    """As toml_document.open_document, for a file that ends in many `[[name]]`."""
    try:
        found = _open(as_text(untrusted_text, most_bytes), where, name)
    except (NotTomlError, tomllib.TOMLDecodeError, RecursionError, ValueError):
        found = None  # it is told as the fault of the whole file
    return found or open_document(untrusted_text, where, EXAMPLE, most_bytes)


def _open(text: str, where: str, name: str) -> Document | None:
    """None: the tables are not what they seem, or there are none."""
    header = rf"\n\[\[{name}\]\][ \t]*(?:#{_COMMENT}*)?\n"
    first, *bodies = re.split(header, f"\n{text}\n")
    head, keys, values = located(f"{first[1:]}\n")
    if not bodies or name in head:
        return None
    blocks: list[tuple[int, str]] = []
    tables = []
    line = first.count("\n") + 1
    for body in bodies:
        table = _plain(f"{body}\n") or _other(name, body)
        if table is None:
            return None
        tables.append(table)
        blocks.append((line, body))
        line += body.count("\n") + 2
    return Document(
        where,
        {**head, name: tables},
        _Blocks(name, keys, blocks, values=False),
        _Blocks(name, values, blocks, values=True),
    )


def _plain(body: str) -> dict[str, Any] | None:
    """Lines `key = "text"` and `key = ["text", "text"]` alone; None: something else."""
    table: dict[str, Any] = {}
    at = 0
    while at < len(body):
        found = _LINE.match(body, at)
        if found is None:
            return None
        key, text, items = found.groups()
        if key is not None:
            if key in table:
                return None
            if text is not None:
                table[key] = text[1:-1]
            else:
                table[key] = items[1:-1].split('", "') if items else []
        at = found.end()
    return table


def _other(name: str, body: str) -> dict[str, Any] | None:
    """What TOML takes by itself as one table of this name; None: something else.

    Raises what `located` raises.
    """
    table = located(_alone(name, body))[0]
    if table.keys() != {name} or not isinstance(table[name], list) or len(table[name]) != 1:
        return None
    found: dict[str, Any] = table[name][0]
    return found


def _alone(name: str, body: str) -> str:
    return f"[[{name}]]\n{body}\n"
