"""A TOML file as its table and the line of every value, so that all its faults are told at once as `file:line: field: what (fix)`."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

MAX_TEXT_BYTES = 1024 * 1024
MAX_FAULTS_TOLD = 50
MAX_DOTS = 64  # in one statement, outside strings: tomllib takes quadratic time over `a.a.a.…`, minutes for a megabyte

Path = tuple[str | int, ...]
LEXEME = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|\n|[\[\]{}=,]|[^\s\[\]{}=,#"\']+', re.DOTALL)


class Section(BaseModel):
    """One closed table: unknown keys refuse, no type is guessed, and errors do not repeat what was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


AnySection = TypeVar("AnySection", bound=Section)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault of a file. `line` counts from 1; `fix`: the next step, may be empty."""

    line: int
    field: str
    what: str
    fix: str = ""


@dataclass(slots=True)
class Document:
    """A parsed file and the faults found in it so far. `where`: the file's name as the reader knows it."""

    where: str
    table: Mapping[str, Any]
    lines: Mapping[Path, int]
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a value; of the nearest table around it where it is missing."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)

    def fault(self, path: Path, what: str, fix: str = "") -> None:
        """Note one fault."""
        self.faults.append(Fault(self.line(path), ".".join(part for part in path if isinstance(part, str)), what, fix))

    def check(self, section: type[AnySection], table: object, path: Path = ()) -> AnySection | None:
        """A table against its schema; None, and its faults noted, where it does not fit."""
        try:
            return section.model_validate(table)
        except ValidationError as error:
            for found in error.errors(include_url=False, include_context=False, include_input=False):
                self.fault((*path, *found["loc"]), *_in_words(found, section))
            return None

    def require_faultless(self) -> None:
        """Raise ConfigError with every fault, in the order of lines."""
        if not self.faults:
            return
        told = [f"{self.where}:{one.line}: {one.field or 'file'}: {one.what}" + (f" ({one.fix})" if one.fix else "") for one in sorted(set(self.faults))]
        more = [f"{self.where}: and {len(told) - MAX_FAULTS_TOLD} faults more"] if len(told) > MAX_FAULTS_TOLD else []
        raise ConfigError("\n".join(told[:MAX_FAULTS_TOLD] + more))


def read_document(untrusted_text: bytes, where: str) -> Document:
    """Parse TOML. Raises ConfigError: too large, not UTF-8, not TOML, nested absurdly."""
    if len(untrusted_text) > MAX_TEXT_BYTES:
        raise ConfigError(f"{len(untrusted_text)} bytes are too many", where=where, fix=f"at most {MAX_TEXT_BYTES} bytes")
    try:
        text = untrusted_text.decode("utf-8").replace("\r\n", "\n")
        _require_shallow(text, where)
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start}", where=where, fix="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))  # the rest could quote the file
        at = f":{place[1]}:{place[2]}" if place else ""
        raise ConfigError("not TOML here", where=f"{where}{at}", fix="compare with config/policies/exampleville") from None
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise ConfigError("not sane TOML: nested too deep or a number too long", where=where) from None
    return Document(where, table, locate(text))


def _require_shallow(text: str, where: str) -> None:
    for line, statement in _statements(text):
        if sum(lexeme.count(".") for _, lexeme in statement if lexeme[0] not in "\"'") > MAX_DOTS:
            raise ConfigError("dotted too deep", where=f"{where}:{line}", fix=f"at most {MAX_DOTS} dots in one statement")


def locate(text: str) -> Mapping[Path, int]:
    """The line of every table, key and list element of a well-formed TOML text; for messages only, so inline tables count as one value."""
    lines: dict[Path, int] = {}
    seen: Counter[Path] = Counter()
    table: Path = ()
    for line, statement in _statements(text):
        lexemes = [lexeme for _, lexeme in statement]
        if lexemes[0] == "[":
            table = tuple(name for lexeme in lexemes if lexeme not in "[]" for name in _names(lexeme))
            if lexemes[1] == "[":
                seen[table] += 1
                lines.setdefault(table, line)
                table = (*table, seen[table] - 1)
            lines[table] = line
        else:
            key = (*table, _names(lexemes[0])[0])
            lines.setdefault(key, line)
            lines.update({(*key, index): at for index, at in enumerate(_elements(statement[2:]))})
    return lines


def _names(lexeme: str) -> list[str]:
    """The names in one piece of a dotted key; a quoted piece is one name."""
    return [lexeme[1:-1]] if lexeme[0] in "\"'" else [name for name in lexeme.split(".") if name]


Lexeme = tuple[int, str]


def _statements(text: str) -> Iterator[tuple[int, list[Lexeme]]]:
    """A header or a `key = value` at a time, with the line it begins on; a line feed inside brackets ends nothing."""
    line, depth, statement = 1, 0, list[Lexeme]()
    for lexeme in LEXEME.findall(text + "\n"):
        if lexeme == "\n" and depth == 0 and statement:
            yield statement[0][0], statement
            statement = []
        elif lexeme != "\n" and not lexeme.startswith("#"):
            statement.append((line, lexeme))
            depth += (lexeme in "[{") - (lexeme in "]}")
        line += lexeme.count("\n")


def _elements(value: list[Lexeme]) -> Iterator[int]:
    """The line on which each element of a list begins; nothing where the value is no list."""
    depth, awaited = 0, False
    for line, lexeme in value:
        if lexeme in "]}":
            depth -= 1
        elif depth == 1 and awaited:
            yield line
        if lexeme in "[{":
            depth += 1
        awaited = depth == 1 and value[0][1] == "[" and lexeme in "[,"


def _in_words(found: ErrorDetails, section: type[Section]) -> tuple[str, str]:
    """A pydantic fault as (what, fix)."""
    if found["type"] == "extra_forbidden":
        return "unknown key", f"allowed here: {', '.join(sorted(section.model_fields))}"
    if found["type"] == "missing":
        return "missing", "add it"
    message = found["msg"].removeprefix("Value error, ")
    what, _, fix = message.partition(" | ")
    return what[:1].lower() + what[1:], fix
