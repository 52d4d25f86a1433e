"""Fixed-width records as state systems extract them from NCIC, as rows of a hot list; what
describes a car or a person is not read.

A record says which file it comes from (one letter), the date of the incident, plate and state; not
who wants to know, under which case, nor until when. So whoever imports the extract says that, or
names the columns where it stands. A letter that is not in the table is dropped and counted as
unknown.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from agent.core.hotlist.categories import UNKNOWN
from agent.core.hotlist.entry import MAX_VALIDITY_DAYS
from agent.core.hotlist.intake.lines import MAX_LINE_BYTES
from agent.core.hotlist.intake.ncic_fit import require_fits
from agent.errors import UsageError
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

CODES: Mapping[str, str] = {
    "A": "amber-alert",
    "F": "felony-vehicle",
    "M": "missing-person",
    "P": "stolen-plate",
    "V": "stolen-vehicle",
    "W": "wanted-person",
}
_ISO_OF_US = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ "
    "NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI"
)
_ISO_OF_CANADA = "AB BC MB NL NS NT NU ON PE QC SK YT"
# NCIC's own: NB is Nebraska there, and New Brunswick is NK. Whoever took NB for Canada's would look
# for another car.
STATES: Mapping[str, str] = (
    {code: f"CA-{code}" for code in _ISO_OF_CANADA.split()}
    | {code: f"US-{code}" for code in _ISO_OF_US.split()}
    | {
        "NB": "US-NE",
        "NK": "CA-NB",
        "NF": "CA-NL",
        "PQ": "CA-QC",
        "SN": "CA-SK",
        "GM": "US-GU",
        "US": "US",
    }
)
_MARKS = b"\x1a\x0c"  # Ctrl-Z and form feed
_EMPTY = _MARKS + b" \t"
FIELDS = ("code", "date", "plate", "state", "agency", "case", "expires")
REQUIRED = FIELDS[:4]
STANDARD = "code=1,date=2-9,plate=10-19,state=20-21"
_SPAN = re.compile(r"([1-9][0-9]{0,3})(?:-([1-9][0-9]{0,3}))?")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each field stands: first and last column, from 1.

    `agency`, `case`, `valid_days`: for all records, where no column says it.

    `case` names who extracts, the same each time; the date of the incident is added. So a car that
    was withdrawn stays the same entry in the next extract, on whatever line it stands there.
    """

    spans: Mapping[str, tuple[int, int]]
    today: date
    agency: str = ""
    case: str = ""
    valid_days: int = 2
    _dates: dict[str, str] = field(default_factory=dict)

    @property
    def has_cases(self) -> bool:
        """Does a column say each record's case? Else all records of a day share one."""
        return "case" in self.spans

    @property
    def width(self) -> int:
        """A shorter record is cut short."""
        return max(self.spans[name][1] for name in REQUIRED)


def parse_spans(text: str) -> Mapping[str, tuple[int, int]]:
    """`code=1,date=2-9,…` as first and last columns. Raises UsageError."""
    spans: dict[str, tuple[int, int]] = {}
    for part in text.split(","):
        name, _, span = part.partition("=")
        found = _SPAN.fullmatch(span)
        if (
            name not in FIELDS
            or name in spans
            or found is None
            or int(found[2] or found[1]) < int(found[1])
        ):
            raise UsageError(
                "columns must read as the standard ones",
                where="--columns",
                fix=f"write {STANDARD}; further: {', '.join(FIELDS[4:])}",
            )
        spans[name] = int(found[1]), int(found[2] or found[1])
    ordered = sorted(spans.values())
    if any(one[1] >= other[0] for one, other in pairwise(ordered)):
        raise UsageError(
            "two fields stand in the same column", where="--columns", fix=f"write {STANDARD}"
        )
    missing = [name for name in REQUIRED if name not in spans]
    if missing:
        raise UsageError(
            f"no column for {', '.join(missing)}", where="--columns", fix=f"write {STANDARD}"
        )
    return spans


class NcicReader:
    """Reads records of one layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._places = {
            name: slice(first - 1, last) for name, (first, last) in layout.spans.items()
        }

    def opened(
        self, blocks: Iterable[tuple[int, list[bytes]]], where: str
    ) -> Iterator[tuple[int, list[bytes]]]:
        """The blocks, once the first one was looked at. Raises ConfigError where it is a CSV, or
        its records fit some columns beside those that were named.
        """
        blocks = iter(blocks)
        for first, lines in blocks:
            require_fits([line for line in lines if line.strip(_EMPTY)], self._layout.spans, where)
            yield from chain([(first, lines)], blocks)

    def row(self, untrusted_line: bytes) -> Sequence[str] | str:
        """One record in the order of the CSV's fields, or why it is none; nothing for an empty
        line, and for the marks that old programs put at a page's or a file's end.
        """
        untrusted_line = untrusted_line.strip(_MARKS)
        if not untrusted_line.strip():
            return ()
        if len(untrusted_line) > MAX_LINE_BYTES:
            return f"longer than {MAX_LINE_BYTES} bytes (is this the extract?)"
        try:
            record = untrusted_line.decode("ascii")
        except UnicodeDecodeError:
            return "not ASCII (is this the extract?)"
        if len(record.rstrip()) < self._layout.width:
            return (
                f"shorter than {self._layout.width} columns (the record is cut short; "
                "see --columns)"
            )
        return _row(
            {name: record[place].strip() for name, place in self._places.items()},
            self._layout,
        )


def _row(fields: Mapping[str, str], layout: Layout) -> Sequence[str] | str:
    state = STATES.get(fields["state"])
    category = CODES.get(fields["code"], UNKNOWN)
    if not fields["code"].isalpha():
        return "code: not a letter (is the record one column off?)"
    if category == UNKNOWN:
        return "", "", UNKNOWN, "", "", "", "", ""  # nothing else of it is looked at
    if state is None:
        return "state: not one of the two-letter codes of US states and Canadian provinces"
    agency = fields.get("agency") or layout.agency
    case = fields.get("case") or f"{layout.case}/{fields['date']}"
    return (
        fields["plate"],
        state,
        category,
        agency,
        case,
        _iso(fields["date"]),
        _expires(fields, layout),
        "",
    )


def _iso(compact: str) -> str:
    """20261122 as 2026-11-22; anything else stays and is told as no date."""
    return f"{compact[:4]}-{compact[4:6]}-{compact[6:]}"


def _expires(fields: Mapping[str, str], layout: Layout) -> str:
    """What the record says, else some days from today: an extract is renewed daily, and who is not
    in the next one is not wanted any more.
    """
    if "expires" in fields:
        return _iso(fields["expires"])
    reported = fields["date"]
    if reported not in layout._dates:  # noqa: SLF001 - its own module
        layout._dates[reported] = _last_day(reported, layout)  # noqa: SLF001
    return layout._dates[reported]  # noqa: SLF001


def _last_day(reported: str, layout: Layout) -> str:
    try:
        longest = date.fromisoformat(_iso(reported)) + timedelta(days=MAX_VALIDITY_DAYS)
    except (ValueError, OverflowError):
        return ""  # the date itself is told
    return min(layout.today + timedelta(days=layout.valid_days), longest).isoformat()
