"""What a city's log and list tell an oversight board: who listed how many, under which cases, the
acts of each month, what imports brought and refused. No plate is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent.audit.log_verify import verify
from agent.audit.trusted_keys import keys_nearby
from agent.audit.verdict import Verdict
from agent.bundles.hotlist_file import BINARY, PLAIN, list_folder, read_compiled
from agent.city.city_log import DATABASE, FOLDER
from agent.city.hotlist_leaves import WITHHELD
from agent.city.hotlist_overview import rules_of
from agent.core.hotlist.plausibility.cases import case_counts
from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.errors import LogRefusedError, UsageError
from agent.storage.log_reader import openings
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from agent.audit.log_report import LogReport
    from agent.core.policy.schema.hotlist_rules import HotlistRules

NOT_KNOWN_HERE = (
    "how often an entry was hit, and what came of it: reads and their outcomes lie with the "
    "recipients, and each camera's own log"
)
Leaf = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Person:
    """What one person did: `by` as in the log."""

    by: str
    added: int = 0
    approved: int = 0
    withdrawn: int = 0
    protected: int = 0


@dataclass(frozen=True, slots=True)
class Cases:
    """`in_no_form`, `listed_in_no_form`: of additions, and of the list's entries; None where the
    charter names no form. `shared`: entries of the case that most entries of the list have.
    """

    withheld: int
    in_no_form: int | None
    listed_in_no_form: int | None
    shared: int


@dataclass(frozen=True, slots=True)
class Audit:
    """The numbers. `months`: by month (UTC) and act; `alone`: additions that nobody else signed;
    `pairs`: who signed with whom, and how often; `last_import`: its leaf's numbers, or None.
    """

    origin: str
    leaves: int
    root: str
    months: Mapping[str, Mapping[str, int]]
    added: int
    alone: int
    people: tuple[Person, ...]
    pairs: Mapping[tuple[str, str], int]
    cases: Cases
    entries: int
    last_import: Mapping[str, object] | None

    def table(self) -> dict[str, object]:
        """As plain values."""
        first = self.people[0] if self.people else None
        return {
            "log": {"origin": self.origin, "leaves": self.leaves, "root": self.root},
            "acts_by_month": {month: dict(acts) for month, acts in self.months.items()},
            "added": self.added,
            "added_by_one_person_alone": self.alone,
            "added_most_by": {"by": first.by, "added": first.added} if first else None,
            "people": [
                {name: getattr(one, name) for name in Person.__slots__} for one in self.people
            ],
            "signed_together": [
                {"by": one, "approved_by": other, "number": number}
                for (one, other), number in self.pairs.items()
            ],
            "cases": {name: getattr(self.cases, name) for name in Cases.__slots__},
            "imported_entries": self.entries,
            "last_import": self.last_import,
            "hits_without_outcome": None,
            "not_known_here": NOT_KNOWN_HERE,
        }


def audit(city: Path, today: date) -> Audit:
    """The city's log, proven first, and the list that lies there.

    Raises UsageError (nothing is logged), LogRefusedError (not what was signed), StorageError,
    ConfigError.
    """
    if not (city / FOLDER / DATABASE).exists():
        raise UsageError(
            "no act on a hot list is logged here yet",
            where=city / FOLDER,
            fix="the first `hotlist import` or `hotlist add` begins the log; or correct --city",
        )
    report = verify(city / FOLDER, keys_nearby(city / FOLDER))
    if report.verdict is not Verdict.WHOLE:
        raise LogRefusedError(
            report.faults[0].reason if report.faults else Reason.CHECKPOINT_INVALID,
            "the city's log is not what was signed: its numbers would prove nothing",
            where=city / FOLDER,
            fix="platewarden audit verify names what was changed",
        )
    leaves = [
        one
        for one in openings(city / FOLDER / DATABASE)[: report.leaves]
        if one.get("kind") == LeafKind.HOTLIST
    ]
    return _audit(report, leaves, city, today)


def _audit(report: LogReport, leaves: Sequence[Leaf], city: Path, today: date) -> Audit:
    added = [one for one in leaves if one["act"] == "add"]
    approved = [one for one in leaves if one["act"] == "approve"]
    signed = {one["entry"] for one in approved}
    imports = [one for one in leaves if one["act"] == "import"]
    rules = rules_of(city)
    listed = _listed(city, today)
    return Audit(
        report.origin,
        report.leaves,
        report.head.root.hex() if report.head else "",
        _months(leaves),
        len(added),
        sum(one["entry"] not in signed for one in added),
        _people(leaves),
        dict(Counter((str(one["by"]), str(one["approved_by"])) for one in approved).most_common()),
        _cases(added, listed, rules),
        listed.total(),
        _numbers(imports[-1]) if imports else None,
    )


def _listed(city: Path, today: date) -> Counter[str]:
    """How many entries of the imported list each case has; none where there is no list."""
    lists = list_folder(city)
    if not any((lists / name).exists() for name in (BINARY, PLAIN)):
        return Counter()
    return case_counts(read_compiled(city, today).columns)


def _months(leaves: Sequence[Leaf]) -> Mapping[str, Mapping[str, int]]:
    months: dict[str, Counter[str]] = {}
    for one in leaves:
        months.setdefault(str(one["at"])[:7], Counter())[str(one["act"])] += 1
    return months


def _people(leaves: Sequence[Leaf]) -> tuple[Person, ...]:
    """Who added most comes first."""
    people: dict[str, Person] = {}
    for who, did in _deeds(leaves):
        before = people.get(who, Person(who))
        people[who] = replace(before, **{did: getattr(before, did) + 1})
    return tuple(sorted(people.values(), key=lambda one: (-one.added, -one.approved, one.by)))


def _deeds(leaves: Sequence[Leaf]) -> Iterator[tuple[str, str]]:
    names = {"add": "added", "withdraw": "withdrawn", "protect": "protected"}
    for one in leaves:
        if one["act"] in names:
            yield str(one["by"]), names[str(one["act"])]
        elif one["act"] == "approve":
            yield str(one["approved_by"]), "approved"


def _cases(added: Sequence[Leaf], listed: Counter[str], rules: HotlistRules) -> Cases:
    odd = sum(one["case"] != WITHHELD and not rules.fits(str(one["case"])) for one in added)
    listed_odd = sum(number for case, number in listed.items() if not rules.fits(case))
    return Cases(
        sum(one["case"] == WITHHELD for one in added),
        odd if rules.case_forms else None,
        listed_odd if rules.case_forms else None,
        max(listed.values(), default=0),
    )


def _numbers(leaf: Leaf) -> Mapping[str, object]:
    names = ("at", "as_of", "before", "entries", "categories", "agencies", "refused")
    return {name: leaf[name] for name in names}
