"""What a report is made of: tables of texts, numbers and bands, each with the rule by which it was
counted.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date

from agent.city.report.bands import Cell
from agent.core.text.identifier import IDENTIFIER
from agent.core.text.plain_words import plain_day
from agent.errors import UsageError
from agent.values import dataclass, field

_PERIOD = re.compile(r"20\d\d(-\d\d(-\d\d)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """`code`: stable, stands in JSON and CSV; `says`: how it was counted, for people; `empty`: what
    it means when there is no row.
    """

    code: str
    title: str
    says: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Pin:
    """The very log that a report was made of: its first `leaves` leaves, under `root` (hex).
    `months`: for each month in which a leaf was logged, how many leaves there were at its end, and
    under which root. `cosigned`: the checkpoint that witnesses cosigned, or "".
    """

    origin: str
    leaves: int
    root: str
    verdict: str
    months: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    cosigned: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """A day, month or year: `2027-10-31`, `2027-10`, `2027`."""

    name: str

    def holds(self, at: str) -> bool:
        """Does a time (RFC 3339), day or month lie in it?"""
        return at.startswith(self.name)

    @property
    def plain(self) -> str:
        """As people write it: `31 October 2027`, `October 2027`, `2027`."""
        first = date.fromisoformat((self.name + "-01-01")[:10])
        return {10: plain_day(first), 7: f"{first:%B %Y}"}.get(len(self.name), self.name)

    @property
    def ends_before(self) -> str:
        """A text that sorts behind every time of the period, and before every later one."""
        return self.name + "~"


def require(period: str, names: Sequence[str]) -> None:
    """Raises UsageError for what is no period, or no recipient's identifier."""
    if not _PERIOD.fullmatch(period) or not _is_day(period):
        raise UsageError(
            f"{period[:16]!a} is no day, month or year",
            where="--period",
            fix="write 2027-10-31, 2027-10 or 2027",
        )
    for name in names:
        if not IDENTIFIER.fullmatch(name):
            raise UsageError(
                f"{name[:64]!a} is no identifier",
                where="--asked",
                fix="use a-z, 0-9 and - only, as in a policy",
            )


def _is_day(period: str) -> bool:
    try:
        date.fromisoformat((period + "-01-01")[:10])
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. `asked`: the recipients asked about; `said`: the answers in sentences; `publish`:
    the number of the last publication that was looked at; `first_root`: SHA-256 of the city's first
    root, in hex; `witnesses`: who must cosign, where no charter says it (C2SP tlog-policy), or "".
    """

    city: str
    name: str
    period: Period
    asked: tuple[str, ...]
    said: tuple[str, ...]
    publish: int
    first_root: str
    pins: tuple[Pin, ...]
    tables: tuple[Table, ...]
    witnesses: str = ""
