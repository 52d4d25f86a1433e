"""The leaves of verified logs that fit a question, in the order of their times."""

import heapq
from collections.abc import Iterator, Mapping, Sequence

from agent.audit.log_report import LogReport
from agent.audit.verdict import Fault
from agent.core.log.leaf import clean_text
from agent.storage.log_key import parts_of
from agent.storage.log_reader import database_of, opening, said_kind, said_time, streamed
from agent.values import dataclass, field

WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; an empty member asks for everything. `day`: a day, a month or a year,
    `2026-10-31`, `2026-10`. A leaf fits when it fits one value of each member.
    """

    day: str = ""
    cameras: Sequence[str] = ()
    recipients: Sequence[str] = ()
    rules: Sequence[str] = ()
    kinds: Sequence[str] = ()

    def words(self) -> str:
        """What is asked for, for people."""
        asked = {
            "of": [self.day] if self.day else [],
            "camera": self.cameras,
            "recipient": self.recipients,
            "rule": self.rules,
            "kind": self.kinds,
        }
        told = [f"{name} {' or '.join(values)}" for name, values in asked.items() if values]
        return f"Leaves {', '.join(told)}" if told else "All leaves"

    def fits(self, leaf: "ShownLeaf") -> bool:
        """A withheld leaf fits every question but that for a camera: it may be what was asked
        for. So does one in doubt.
        """
        if self.cameras and leaf.camera not in self.cameras:
            return False
        if leaf.kind == WITHHELD or leaf.doubt:
            return True
        return (
            leaf.at.startswith(self.day)
            and _among(leaf.kind, self.kinds)
            and _among(leaf.details.get("recipient"), self.recipients)
            and _among(leaf.details.get("rule"), self.rules)
        )


@dataclass(frozen=True, slots=True)
class ShownLeaf:
    """One leaf. `doubt`: the reason code of a fault that concerns it, or "". `at`: of a withheld
    leaf the time of the one before it, which is when it was logged at the earliest.
    """

    origin: str
    camera: str
    process: str
    number: int
    at: str
    kind: str
    doubt: str
    details: Mapping[str, object] = field(default_factory=dict)


def shown_leaves(reports: Sequence[LogReport], wanted: Wanted) -> Iterator[ShownLeaf]:
    """Of every log of which anything was verified. Raises StorageError."""
    merged = heapq.merge(
        *(leaves_of(report) for report in reports), key=lambda leaf: (leaf.at, leaf.origin)
    )
    return (leaf for leaf in merged if wanted.fits(leaf))


def leaves_of(report: LogReport, most: int | None = None) -> Iterator[ShownLeaf]:
    """One log's leaves, in their order, or the first `most` of them. What stands beyond the newest
    valid checkpoint was not verified: all, where there is none. Raises StorageError.
    """
    camera, process = parts_of(report.origin)
    doubts = _doubts(report.faults)
    end, before = report.head.size if report.head else 0, ""
    end = end if most is None else min(end, most)
    with streamed(database_of(report.path)) as log:
        for n, _, _, details in log.leaves:
            if not isinstance(n, int) or n >= end:
                break
            said = opening(details) if isinstance(details, bytes) else {}
            at = said_time(said.get("at"))
            before = at or before
            kind = said_kind(said.get("kind")) or (WITHHELD if details is None else "unreadable")
            doubt = next((one.reason for one in doubts if _covers(one, n)), "")
            yield ShownLeaf(report.origin, camera, process, n, before, kind, doubt, said)


def told_details(leaf: ShownLeaf) -> Mapping[str, str]:
    """What a leaf says besides its number, kind and time, each value as short, printable text."""
    return {
        clean_text(name): _text(value)
        for name, value in leaf.details.items()
        if name not in {"n", "kind", "at"}
    }


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return clean_text(", ".join(f"{name} {_text(one)}" for name, one in value.items()))
    if isinstance(value, list):
        return clean_text(", ".join(map(_text, value)))
    return clean_text(str(value))


def _doubts(faults: Sequence[Fault]) -> list[Fault]:
    return [one for one in faults if one.leaf is not None and not one.withheld]


def _covers(fault: Fault, leaf: int) -> bool:
    first = fault.leaf or 0
    return first <= leaf <= (first if fault.last is None else fault.last)


def _among(value: object, asked: Sequence[str]) -> bool:
    return not asked or value in asked
