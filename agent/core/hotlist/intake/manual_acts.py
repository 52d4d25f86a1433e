"""What a city added to its hot list by hand, and what it withdrew: who, when, why and under which
case, capped per day.

A withdrawal names one entry by its case and stays until that entry would have expired: an agency's
next list may still hold a car that was found long ago. A withdrawn entry is never added again under
the same case.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from agent.core.hotlist.builder import ListBuilder
from agent.core.hotlist.categories import AllowList
from agent.core.hotlist.entry import FIELDS, Entry, date_of, faults_of, plate_of
from agent.core.hotlist.index import EntryKey, entry_key
from agent.core.hotlist.intake.compiled_rows import compile_rows
from agent.core.policy.policy import NEVER_RELEASE
from agent.core.reading.plate_text import PlateText
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.core.text.schema.notes import Form, Length, MisfitError
from agent.core.text.schema.section import Section, made
from agent.errors import ConfigError, ManyFaultsError, PolicyRefusedError
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from agent.core.hotlist.compiled_format import Compiled

MAX_BYTES = 16 * 1024 * 1024
MAX_VALID_DAYS = 30  # of an addition; a protection may last as long as any entry
_WHO = r"[A-Za-z0-9][A-Za-z0-9 .,'()&/@-]{0,63}"
_WHY = r"[A-Za-z0-9][A-Za-z0-9 .,;:'()&/-]{2,119}"


class _Signature(Section):
    key: Annotated[str, Form(r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Form(r"^[0-9a-f]{128}$")]


class _Row(Section):
    """One act. `class` is a word of Python's, so it is `vehicle_class` here."""

    action: Literal["add", "withdraw"]
    at: str
    by: Annotated[str, Form(f"^{_WHO}$")]
    why: Annotated[str, Form(f"^{_WHY}$")]
    plate: str
    state: str
    category: str
    agency: str
    case: str
    source_date: str
    expires: str
    vehicle_class: str
    signatures: Annotated[list[_Signature], Length(max_length=8)] = made(default_factory=list)


class _File(Section):
    v: Literal[1]
    acts: list[_Row]


@dataclass(frozen=True, slots=True)
class Act:
    """One addition or withdrawal. `by`: a name or number the city can tell a person by; `why`: one
    line, which never leaves the city's files. `signatures`: raw keys and Ed25519 signatures over
    `statement`, unverified.
    """

    action: Literal["add", "withdraw"]
    at: datetime
    by: str
    why: str
    entry: Entry
    signatures: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def lists(self) -> bool:
        """Does it put a plate on the list, rather than take one off or protect one?"""
        return self.action == "add" and self.entry.category != NEVER_RELEASE


@dataclass(frozen=True, slots=True)
class ManualList:
    """All acts that still matter, in order of time."""

    acts: tuple[Act, ...] = ()

    @property
    def withdrawn(self) -> frozenset[EntryKey]:
        """The entries that match no more."""
        return frozenset(entry_key(act.entry) for act in self.acts if act.action == "withdraw")

    def told(self) -> list[dict[str, str]]:
        """Who did what and when, latest last, without plate, case and reason: for `hotlist
        show`.
        """
        return [
            {
                "at": rfc3339(act.at),
                "by": act.by,
                "action": act.action,
                "category": act.entry.category,
            }
            for act in self.acts
        ]

    def additions_on(self, day: date) -> int:
        """How many were added on a day (UTC) and count against the cap, withdrawn ones included:
        adding and removing in turn is no way round it.
        """
        return sum(act.lists and act.at.date() == day for act in self.acts)

    def add(self, act: Act, cap: int) -> ManualList:
        """The list with one more addition.

        `cap`: how many a day the policy permits; protections (never-release) are not counted.

        Raises PolicyRefusedError when the day's are spent, ConfigError when the entry is there
        already or was withdrawn.
        """
        protects = act.entry.category == NEVER_RELEASE
        if not protects and self.additions_on(act.at.date()) >= cap:
            raise PolicyRefusedError(
                Reason.HOTLIST_ADDITIONS_SPENT,
                f"the policy permits {cap} additions a day, and no more today",
                fix="wait until tomorrow (UTC), or see [hotlist] in the policy",
            )
        if not protects and act.entry.expires > act.at.date() + timedelta(days=MAX_VALID_DAYS):
            raise ConfigError(
                f"expires: an addition by hand lasts {MAX_VALID_DAYS} days at most",
                fix="add it again then, if it is still wanted",
            )
        if entry_key(act.entry) in self.withdrawn:
            raise ConfigError(
                "this plate was withdrawn under this case",
                fix="a new report has a new case reference",
            )
        if any(entry_key(one.entry) == entry_key(act.entry) for one in self.acts):
            raise ConfigError(
                "this plate was added under this case already",
                fix="withdraw it first, or name the new case",
            )
        return replace(self, acts=(*self.acts, act))

    def withdraw(self, acts: Iterable[Act]) -> ManualList:
        """The list with these withdrawals at its end."""
        return replace(self, acts=(*self.acts, *acts))

    def without_old(self, today: date) -> ManualList:
        """Acts whose entries have expired are forgotten, those of today kept for the cap: plates
        lie no longer on the disk than they must.
        """
        return replace(
            self,
            acts=tuple(
                act for act in self.acts if act.entry.expires > today or act.at.date() >= today
            ),
        )

    def encoded(self) -> bytes:
        """The file's bytes."""
        acts = [
            {"action": act.action, "at": rfc3339(act.at), "by": act.by, "why": act.why}
            | _fields(act.entry)
            | _signed(act)
            for act in self.acts
        ]
        return (json.dumps({"v": 1, "acts": acts}, indent=1) + "\n").encode("ascii")

    def compiled(self, today: date) -> Compiled:
        """The additions in force, as a list of their own."""
        builder = ListBuilder(today, AllowList(None))
        gone = self.withdrawn
        for act in self.acts:
            if act.action == "add" and entry_key(act.entry) not in gone:
                builder.add(*_fields(act.entry).values())
        return compile_rows(
            builder,
            "additions",
            hashlib.sha256(self.encoded()).hexdigest(),
            datetime.combine(today, time(), UTC),
        )


def parse_manual(untrusted: bytes, where: str) -> ManualList:
    """The list in a file's bytes.

    Raises ConfigError naming the act and the field, never what stands there.
    """
    try:
        found = _File.from_json(untrusted)
        acts = tuple(
            Act(
                row.action,
                parse_rfc3339(row.at),
                row.by,
                row.why,
                _entry(row, number),
                _signatures(row),
            )
            for number, row in enumerate(found.acts, 1)
        )
    except MisfitError as error:
        faults = (".".join(map(str, misfit.place)) for misfit in error.misfits)
        raise ConfigError(
            "not as `platewarden hotlist add` writes it: "
            f"{', '.join(dict.fromkeys(faults)) or 'no JSON'}",
            where=where,
        ) from None
    except ValueError as error:
        told = str(error) if isinstance(error, _OddActError) else "a time that is none"
        raise ConfigError(told, where=where, fix="restore the file from the city's copy") from None
    return ManualList(acts)


def act_of(
    action: Literal["add", "withdraw"], at: datetime, by: str, why: str, entry: Entry
) -> Act:
    """One act, its words checked.

    Raises ConfigError; the words must not hold the plate, which belongs into its own field (P9).
    """
    for name, words, pattern in (("by", by, _WHO), ("why", why, _WHY)):
        if not re.fullmatch(pattern, words):
            raise ConfigError(
                f"{name}: must be plain ASCII, at most {64 if name == 'by' else 120} characters",
                fix="say it in one short line",
            )
        if entry.plate.value in "".join(filter(str.isalnum, words.upper())):
            raise ConfigError(f"{name}: holds the plate", fix="say it without")
    return Act(action, at, by, why, entry)


def statement(act: Act, city: str) -> bytes:
    """What both hands sign: the whole act and whose list it is for, in canonical JSON after a
    label.

    `city`: the charter's name. Mitigates against: an approval carried to another city's list.
    """
    told = {
        "city": city,
        "action": act.action,
        "at": rfc3339(act.at),
        "by": act.by,
        "why": act.why,
    }
    table = json.dumps(told | _fields(act.entry), sort_keys=True, separators=(",", ":"))
    return b"platewarden hot-list entry 1\n" + table.encode("ascii")


def _signed(act: Act) -> dict[str, object]:
    pairs = [{"key": key.hex(), "signature": made.hex()} for key, made in act.signatures]
    return {"signatures": pairs} if pairs else {}


def _signatures(row: _Row) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((bytes.fromhex(o.key), bytes.fromhex(o.signature)) for o in row.signatures)


class _OddActError(ValueError):
    """An act whose entry is none; its text names number and field only."""


def _fields(entry: Entry) -> dict[str, str]:
    return {
        "plate": entry.plate.value,
        "state": entry.state,
        "category": entry.category,
        "agency": entry.agency,
        "case": entry.case,
        "source_date": entry.source_date.isoformat(),
        "expires": entry.expires.isoformat(),
        "vehicle_class": entry.vehicle_class,
    }


def entry_from(row: dict[str, str], today: date) -> Entry:
    """One entry from texts by the names of FIELDS.

    Raises ConfigError with every fault, without values.
    """
    faults = faults_of(row, today)
    source_date, expires = date_of(row["source_date"]), date_of(row["expires"])
    if expires is not None and expires <= today:
        faults.append("expires: has passed")
    if faults or source_date is None or expires is None:
        raise ManyFaultsError(faults)
    return Entry(
        PlateText(plate_of(row["plate"])),
        row["state"],
        row["category"],
        row["agency"],
        row["case"],
        source_date,
        expires,
        row["class"],
    )


def _entry(row: _Row, number: int) -> Entry:
    texts = dict(vars(row))
    texts["class"] = texts["vehicle_class"]
    try:
        return entry_from({name: texts[name] for name in FIELDS}, parse_rfc3339(row.at).date())
    except ConfigError as error:
        raise _OddActError(f"act {number}: {error.what}") from None
