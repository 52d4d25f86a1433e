"""What may be doubted of a list, and the flag with which whoever imports it says that it is so."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from agent.core.hotlist.intake.lines import lines_told
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import date

    from agent.core.hotlist.compiled_format import Compiled
    from agent.core.hotlist.index import EntryKey


class Doubt(StrEnum):
    """One kind of doubt; its value is the flag's name after `--allow-`."""

    EMPTY = "empty"
    SHRINK = "shrink"
    OLDER = "older"
    UNPROTECT = "unprotect"
    LOST_ZEROS = "lost-zeros"
    RETURNED = "returned"
    TWINS = "twins"
    BULK = "bulk"
    NO_PLATE = "no-plate-words"
    FOREIGN = "foreign"
    DATES = "dates"
    COLUMNS = "columns"

    @property
    def flag(self) -> str:
        """As typed."""
        return f"--allow-{self.value}"


Allowed = frozenset[Doubt]


@dataclass(frozen=True, slots=True)
class Lists:
    """The list that is to be taken on the day `today` (UTC), whose columns know their lines; the
    one held, None where there is none; and the entries that were withdrawn by hand.

    `has_cases`: each case is one; False where a reference stands for all records of a day.
    """

    new: Compiled
    held: Compiled | None
    withdrawn: frozenset[EntryKey]
    today: date
    has_cases: bool = True


@dataclass(frozen=True, slots=True)
class Doubted:
    """One thing that is doubted. `what`: without values; `fix`: the question to ask; `lines`: of
    the new list, where there are such.
    """

    doubt: Doubt
    what: str
    fix: str
    lines: tuple[int, ...] = ()

    def told(self, where: str) -> str:
        """One line of the refusal. `where`: the file's name."""
        first = f":{self.lines[0]}" if self.lines else ""
        lines = f"; lines {lines_told(self.lines)}" if len(self.lines) > 1 else ""
        return f"{where}{first}: {self.what}{lines} ({self.fix}, give {self.doubt.flag})"
