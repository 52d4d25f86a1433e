"""One entry of the hot list, and what each of its fields may hold (docs/ref/hotlist.md)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

from agent.core.reading.plate_letters import folded
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.reading.plate_text import PlateText

REQUIRED = ("plate", "state", "category", "agency", "case", "source_date", "expires")
OPTIONAL = ("class",)
FIELDS = REQUIRED + OPTIONAL
MAX_VALIDITY_DAYS = 5 * 366
EPOCH = date(1970, 1, 1)  # dates are kept as days since then, in 16 bits: up to 2149
MAX_DAYS = 0xFFFF

CATEGORY = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")
PLATE = re.compile(r"[A-Z0-9]{1,12}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
PATTERNS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "state": (re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?"), "must be an ISO 3166 code as US-CA or DE"),
    "category": (CATEGORY, "must be a-z, 0-9 and -, at most 48 characters"),
    "agency": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,'()&/-]{0,63}"),
        "missing, or not plain ASCII of at most 64 characters",
    ),
    "case": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,47}"),
        "missing, or not plain ASCII of at most 48 characters",
    ),
    "class": (
        re.compile(r"([a-z][a-z-]{0,23})?"),
        "must be a-z and -, at most 24 characters, or empty",
    ),
}
SEPARATORS = b" -._/\t"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, without its line.

    `state`: ISO 3166, e.g. US-CA. `vehicle_class`: empty where not known.

    `expires`: the first day on which it matches no more.
    """

    plate: PlateText
    state: str
    category: str
    agency: str
    case: str
    source_date: date
    expires: date
    vehicle_class: str = ""


def plate_of(untrusted_text: str) -> str:
    """The normalised plate, empty where it is none.

    Letters beyond A–Z become those as which they are read. ASCII then, before upper-casing: that
    would turn look-alikes into letters.
    """
    if PLATE.fullmatch(untrusted_text):
        return untrusted_text
    listed = folded(untrusted_text)
    if not listed.isascii():
        return ""
    text = listed.encode("ascii").upper().translate(None, SEPARATORS).decode("ascii")
    return text if PLATE.fullmatch(text) else ""


def bare_texts(untrusted_texts: Sequence[str]) -> Sequence[str]:
    """Each text in capitals and without separators, in one go, whatever it is; what is not ASCII
    becomes a question mark. A text with a line end would become two.
    """
    joined = "\n".join(untrusted_texts).encode("ascii", "replace")
    return joined.upper().translate(None, SEPARATORS).decode("ascii").split("\n")


def plates_of(untrusted_texts: Sequence[str]) -> Sequence[str] | None:
    """plate_of for many texts without line ends; None where one of them is no plate."""
    plates = bare_texts(untrusted_texts)
    return (
        plates
        if len(plates) == len(untrusted_texts) and all(map(PLATE.fullmatch, plates))
        else None
    )


def date_of(untrusted_text: str) -> date | None:
    """An ISO date, None where it is none."""
    try:
        return date.fromisoformat(untrusted_text) if DATE.fullmatch(untrusted_text) else None
    except ValueError:
        return None


def faults_of(row: Mapping[str, str], today: date) -> list[str]:
    """What is wrong with a row, as `field: what`, without values: in a broken row any field may
    hold a plate.
    """
    faults = [
        f"{name}: {what}"
        for name, (pattern, what) in PATTERNS.items()
        if not pattern.fullmatch(row[name])
    ]
    if not plate_of(row["plate"]):
        faults.append(
            "plate: must be letters A-Z, digits, spaces and hyphens, at most 12 letters and digits"
        )
    source_date, expires = date_of(row["source_date"]), date_of(row["expires"])
    faults += [
        f"{name}: must be a date as 2026-11-22"
        for name, value in (("source_date", source_date), ("expires", expires))
        if value is None
    ]
    # A day more, for the earth's other side.
    if source_date is not None and source_date > today + timedelta(days=1):
        faults.append(f"source_date: in the future; this machine's date is {today}")
    if source_date is not None and source_date < EPOCH:
        faults.append("source_date: before 1970")
    if (
        source_date is not None
        and expires is not None
        and not 0 < (expires - source_date).days <= MAX_VALIDITY_DAYS
    ):
        faults.append("expires: must be later than source_date, by five years at most")
    return faults
