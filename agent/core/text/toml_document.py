"""A TOML file as its table and the place of every value, so that all its faults are told at once as
`file:line: field: what (fix)`.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from agent.core.text.schema.notes import MisfitError
from agent.core.text.schema_words import in_words
from agent.errors import ConfigError, ManyFaultsError
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.core.text.schema.section import Section

# Two hundred recipients with a rule each fit. Every step below takes time in proportion.
MAX_TEXT_BYTES = 256 * 1024
MAX_FAULTS_TOLD = 50
EXAMPLE = "config/policies/exampleville"
# Dots in one statement, outside strings. On `a.a.a.…` tomllib takes quadratic time, minutes for a
# megabyte.
MAX_DOTS = 64

Path = tuple[str | int, ...]
Place = tuple[int, int]  # line and column, from 1; columns count characters

# The last branch takes a quote that begins no string: scanning ends there, else an endless string
# would be looked for again at every quote.
LEXEME = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|'
    r"'''.*?'''(?:'{0,2})|"
    r'"(?!"")(?:\\.|[^"\\\n])*"|'
    r"'(?!'')[^'\n]*'|#[^\n]*|\n|[\[\]{}=,]|[^\s\[\]{}=,#\"']+|[^\S\n]+|.",
    re.DOTALL,
)


AnySection = TypeVar("AnySection", bound="Section")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault of a file. `line` and `column` count from 1; `fix`: the next step, may be empty."""

    line: int
    column: int
    field: str
    what: str
    fix: str = ""


@dataclass(slots=True)
class Document:
    """A parsed file and the faults found in it so far.

    `where`: the file's name as the reader knows it.

    `keys`, `values`: where the name and the value of each path begin; a table's are its header's.
    `broken`: no TOML, `table` is empty.
    """

    where: str
    table: Mapping[str, Any]
    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]
    faults: list[Fault] = field(default_factory=list)
    broken: bool = False

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Where a value (or its key) begins; of the nearest table around it where it is missing."""
        places = self.keys if of_key else self.values
        return next(
            (places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in places), (1, 1)
        )

    def line(self, path: Path) -> int:
        """The line of a value; of the nearest table around it where it is missing."""
        return self.place(path)[0]

    def fault(self, path: Path, what: str, fix: str = "", *, of_key: bool = False) -> None:
        """Note one fault."""
        self.faults.append(
            Fault(
                *self.place(path, of_key=of_key),
                ".".join(part for part in path if isinstance(part, str)),
                what,
                fix,
            )
        )

    def check(self, section: type[AnySection], table: object, path: Path = ()) -> AnySection | None:
        """A table against its schema; None, and its faults noted, where it does not fit."""
        try:
            return section.from_table(table)
        except MisfitError as error:
            for found in error.misfits:
                self.fault(
                    (*path, *found.place),
                    *in_words(found, section),
                    of_key=found.kind == "extra_forbidden",
                )
            return None

    def require_faultless(self) -> None:
        """Raise ConfigError with every fault, in the order of lines."""
        if not self.faults:
            return
        told = [
            f"{self.where}:{one.line}: {one.field or 'file'}: {one.what}"
            + (f" ({one.fix})" if one.fix else "")
            for one in sorted(set(self.faults))
        ]
        more = (
            [f"{self.where}: and {len(told) - MAX_FAULTS_TOLD} more faults"]
            if len(told) > MAX_FAULTS_TOLD
            else []
        )
        raise ManyFaultsError(told[:MAX_FAULTS_TOLD] + more)


def read_document(untrusted_text: bytes, where: str, example: str = EXAMPLE) -> Document:
    """Parse TOML.

    `example`: a file to compare with. Raises ConfigError: too large, not UTF-8, not TOML, nested
    absurdly.
    """
    document = open_document(untrusted_text, where, example)
    if document.broken:
        fault = document.faults[0]
        at = f":{fault.line}:{fault.column}" if fault.line else ""
        raise ConfigError(fault.what, where=f"{where}{at}", fix=fault.fix)
    return document


def open_document(
    untrusted_text: bytes, where: str, example: str = EXAMPLE, most_bytes: int = MAX_TEXT_BYTES
) -> Document:
    """Parse TOML.

    What is none comes back `broken`, with one fault that says why; line 0 where the file as a whole
    is meant.
    """
    try:
        return Document(where, *located(as_text(untrusted_text, most_bytes)))
    except NotTomlError as error:
        fault = error.fault
    except tomllib.TOMLDecodeError as error:
        fault = _syntax_fault(str(error), example)
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        fault = Fault(0, 0, "", "not sane TOML: nested too deep or a number too long")
    return Document(where, {}, {}, {}, [fault], broken=True)


class NotTomlError(Exception):
    """What is no TOML, or none that we take; it leaves core.text as a Document that is broken."""

    def __init__(self, what: str, fix: str = "", place: Place = (0, 0)) -> None:
        self.fault = Fault(*place, "", what, fix)


def located(text: str) -> tuple[dict[str, Any], Mapping[Path, Place], Mapping[Path, Place]]:
    """The table, and where its keys and values are.

    Raises NotTomlError, TOMLDecodeError, and of what is absurd RecursionError or ValueError.
    """
    statements = list(_statements(text))
    _require_shallow(statements)
    return (tomllib.loads(text), *locate(statements))


def as_text(untrusted_text: bytes, most_bytes: int) -> str:
    """The file as text with plain line feeds. Raises NotTomlError."""
    if len(untrusted_text) > most_bytes:
        raise NotTomlError(
            f"{len(untrusted_text)} bytes are too many", f"at most {most_bytes} bytes"
        )
    if untrusted_text.startswith(b"\xef\xbb\xbf"):
        raise NotTomlError(
            "not TOML: it begins with a byte-order mark, which nobody sees",
            "save it as UTF-8 without BOM",
            (1, 1),
        )
    try:
        return untrusted_text.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = untrusted_text.count(b"\n", 0, error.start) + 1
        begins = untrusted_text.rfind(b"\n", 0, error.start) + 1
        column = len(untrusted_text[begins : error.start].decode("utf-8")) + 1
        raise NotTomlError(
            f"not UTF-8 at byte {error.start}", "save it as UTF-8", (line, column)
        ) from None


# What tomllib says without quoting the file, and what that means to whoever wrote it.
_SYNTAX = {
    "Cannot overwrite a value": "a key is there twice",
    "Cannot declare": "a table is there twice",
    "Unterminated string": "quotes that do not end",
    "Expected '=' after a key": "a key without =",
    "Invalid value": "no value, or text without quotes",
    "Unclosed array": "a list that does not end",
}


def _syntax_fault(told: str, example: str) -> Fault:
    """The parser's message without what it could quote."""
    place = re.search(r"\(at line (\d+), column (\d+)\)", told)
    means = next(
        (f": {meaning}" for start, meaning in _SYNTAX.items() if told.startswith(start)), ""
    )
    line, column = (int(place[1]), int(place[2])) if place else (0, 0)
    return Fault(line, column, "", f"not TOML here{means}", f"compare with {example}")


Lexeme = tuple[Place, str]
Statement = list[Lexeme]


def _require_shallow(statements: list[Statement]) -> None:
    for statement in statements:
        if sum(lexeme.count(".") for _, lexeme in statement if lexeme[0] not in "\"'") > MAX_DOTS:
            raise NotTomlError(
                "dotted too deep", f"at most {MAX_DOTS} dots in one statement", statement[0][0]
            )


def locate(statements: Iterable[Statement]) -> tuple[Mapping[Path, Place], Mapping[Path, Place]]:
    """Where the name and the value of every table, key and list element begin; for messages only,
    so inline tables count as one value.
    """
    keys: dict[Path, Place] = {}
    values: dict[Path, Place] = {}
    seen: Counter[Path] = Counter()
    table: Path = ()
    for statement in statements:
        place, first = statement[0]
        if first == "[":
            table = tuple(
                name for _, lexeme in statement if lexeme not in "[]" for name in _names(lexeme)
            )
            if statement[1:] and statement[1][1] == "[":
                seen[table] += 1
                keys.setdefault(table, place)
                values.setdefault(table, place)
                table = (*table, seen[table] - 1)
            keys[table] = values[table] = place
        else:
            key = (*table, *_names(first)[:1])
            value = next(
                (index + 1 for index, (_, lexeme) in enumerate(statement) if lexeme == "="),
                len(statement),
            )
            keys.setdefault(key, place)
            values.setdefault(key, statement[value][0] if value < len(statement) else place)
            elements = {(*key, index): at for index, at in enumerate(_elements(statement[value:]))}
            keys |= elements
            values |= elements
    return keys, values


def _names(lexeme: str) -> list[str]:
    """The names in one piece of a dotted key; a quoted piece is one name."""
    return [lexeme[1:-1]] if lexeme[0] in "\"'" else [name for name in lexeme.split(".") if name]


def _statements(text: str) -> Iterator[Statement]:
    """A header or a `key = value` at a time; a line feed inside brackets ends nothing.

    Of what is no TOML, anything.
    """
    line, start, depth, statement = 1, 0, 0, Statement()
    for found in LEXEME.finditer(text):
        lexeme = found[0]
        if lexeme in {'"', "'"}:
            raise NotTomlError(
                "not TOML here: quotes that do not end",
                "close them on the same line",
                (line, found.start() - start + 1),
            )
        if lexeme == "\n" and depth <= 0 and statement:
            yield statement
            statement, depth = [], 0
        elif lexeme[0] != "#" and not lexeme.isspace():
            statement.append(((line, found.start() - start + 1), lexeme))
            depth += (lexeme in "[{") - (lexeme in "]}")
        if "\n" in lexeme:
            line += lexeme.count("\n")
            start = found.start() + lexeme.rindex("\n") + 1
    if statement:
        yield statement


def _elements(value: Statement) -> Iterator[Place]:
    """Where each element of a list begins; nothing where the value is no list."""
    depth, awaited = 0, False
    for place, lexeme in value:
        if lexeme in "]}":
            depth -= 1
        elif depth == 1 and awaited:
            yield place
        if lexeme in "[{":
            depth += 1
        awaited = depth == 1 and value[0][1] == "[" and lexeme in "[,"
