"""The tables that are counted from the logs. Whatever counts vehicles or reads is a band."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agent.audit.questions.findings import Answer, Finding
from agent.city.report.bands import BANDS, Cell, band, in_order, total
from agent.city.report.log_tally import Key, Tally, by_camera
from agent.city.report.log_work import LogDone
from agent.city.report.outcome_tables import outcome_tables
from agent.city.report.report_tables import Table
from agent.core.log.checkpoint import origin_of
from agent.storage.log_key import without_domain

MINUTES = 60
# What these say is about hours and folders, and about no read.
_TELLABLE = frozenset(
    {
        Finding.HOUR_WITHOUT_COUNTS,
        Finding.SILENT,
        Finding.STOPPED_BY_FORCE,
        Finding.OFF,
        Finding.LOG_BEGUN_ANEW,
        Finding.CHECKPOINT_MISSING,
        Finding.CHECKPOINT_MISFIT,
        Finding.HOLD_WITHOUT_END,
    }
)


def of_logs(
    logs: Sequence[LogDone], answers: Sequence[Answer], enrolled: Sequence[str]
) -> Iterator[Table]:
    """All of them, in the order of the report."""
    tallies = [one.tally for one in logs]
    yield _logs(logs, enrolled)
    yield _cameras(tallies)
    yield from _releases(tallies)
    yield _matches(tallies)
    yield _ends(tallies)
    yield from outcome_tables(tallies)
    yield _dropped(tallies)
    yield _refusals(tallies)
    yield _hand_acts(tallies)
    yield _holds(tallies)
    yield _answers(answers)
    yield _clocks(tallies)
    yield _software(tallies)


def _logs(logs: Sequence[LogDone], enrolled: Sequence[str]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.report.origin, one.report.verdict.value, one.leaves, one.tally.left_out, one.root)
        for one in logs
    ]
    here = {without_domain(one.report.origin) for one in logs}
    for camera in enrolled:
        for process in ("watch", "deliver"):
            origin = origin_of(camera, process)
            if origin not in here:
                rows.append((origin, "not here", 0, 0, ""))
    return Table(
        "logs",
        "The logs that this is counted from",
        "Each was verified with the key in the city's signed roster. Leaves that are withheld or "
        "in doubt are not counted. A camera whose log is not here is counted nowhere below.",
        ("log", "verdict", "leaves", "left out", "root"),
        tuple(sorted(rows, key=str)),
    )


def _cameras(tallies: Sequence[Tally]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in tallies:
        months = sorted({month for month, _ in one.seen} | one.hours.keys())
        rows += [
            (
                one.camera,
                month,
                one.hours[month],
                band(one.seen[month, "sightings"]),
                band(one.seen[month, "unreadable"]),
                one.stale[month] * MINUTES,
            )
            for month in months
        ]
    return Table(
        "cameras",
        "Cameras and hours",
        f"Vehicles are tracks that were read; the same vehicle twice is two. {BANDS} A list was "
        "stale for at most the minutes told: whole hours in which it raised nothing because of its "
        "age.",
        ("camera", "month", "hours", "vehicles", "not readable", "minutes stale"),
        in_order(rows),
        "No camera counted anything.",
    )


def _releases(tallies: Sequence[Tally]) -> Iterator[Table]:
    cells = by_camera(tallies, lambda one: one.releases)
    rows: list[tuple[Cell, ...]] = [(*key, band(number)) for key, number in cells.items()]
    yield Table(
        "releases",
        "Released, by camera, month, rule and recipient",
        f"Each is one reading, sealed to one recipient. {BANDS} What is not listed is none.",
        ("camera", "month", "rule", "recipient", "released"),
        in_order(rows),
        "Nothing was released to anybody.",
    )
    by: dict[Key, list[int]] = {}
    for (_, _, rule, recipient), number in cells.items():
        by.setdefault((recipient, rule), []).append(number)
    yield Table(
        "recipients",
        "Released, by recipient and rule",
        "All cameras and months together. A sum is given more widely where it would tell more of a "
        "small part.",
        ("recipient", "rule", "released"),
        in_order((*key, total(numbers)) for key, numbers in by.items()),
        "Nothing was released to anybody.",
    )


def _matches(tallies: Sequence[Tally]) -> Table:
    return Table(
        "matches",
        "What matched, by category and level",
        f"Of released readings. What no rule releases is a number by its reason, below. {BANDS}",
        ("category", "level", "matches"),
        _banded(one.matches for one in tallies),
        "Nothing matched that a rule releases.",
    )


def _ends(tallies: Sequence[Tally]) -> Table:
    return Table(
        "ends",
        "What became of what was released",
        "`stored` and `rejected` are the recipient's signed receipts. `expired` and `withdrawal` "
        f"never reached anybody. {BANDS}",
        ("recipient", "what", "why", "readings"),
        _banded(one.ends for one in tallies),
        "Nothing ended.",
    )


def _dropped(tallies: Sequence[Tally]) -> Table:
    return Table(
        "dropped",
        "Dropped in the camera, by reason",
        f"A vehicle that several rules refuse counts once under each reason. {BANDS} The reasons "
        "are explained in docs/ref/reasons.md.",
        ("month", "reason", "vehicles"),
        _banded(one.dropped for one in tallies),
        "No camera counted a drop.",
    )


def _refusals(tallies: Sequence[Tally]) -> Table:
    summed: Counter[Key] = Counter()
    for one in tallies:
        summed.update({(one.process, *key): number for key, number in one.refusals.items()})
    return Table(
        "refusals",
        "Refused, by reason and destination",
        f"What is refused again and again is one leaf. `none`: no destination was named. {BANDS}",
        ("process", "reason", "destination", "refusals"),
        _banded([summed]),
        "Nothing was refused.",
    )


def _hand_acts(tallies: Sequence[Tally]) -> Table:
    return Table(
        "by-hand",
        "Hot-list entries by hand, from the city's log",
        f"Who added and who withdrew, the city's own audit tells. {BANDS}",
        ("month", "act", "category", "agency", "entries"),
        _banded(one.acts for one in tallies),
        "No act, or the city's log is not here.",
    )


def _holds(tallies: Sequence[Tally]) -> Table:
    return Table(
        "holds",
        "Holds, from the recipients' logs",
        "`begin` and `end` are of holds; `keep`, `unkept` and `open` are of single reads that were "
        f"kept beyond their deadline, that could not be, and that were looked at. {BANDS}",
        ("recipient", "month", "act", "times"),
        _banded([by_camera(tallies, lambda one: one.holds)]),
        "No hold, or no recipient's hold log is here.",
    )


def _answers(answers: Sequence[Answer]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            one.origin,
            one.leaf if one.leaf is not None else "",
            one.finding.value,
            "bad" if one.bad else "note",
            one.what if one.finding in _TELLABLE else "",
        )
        for one in answers
        if one.finding not in {Finding.WAITING, Finding.REFUSED_DESTINATION, Finding.HOLD_LASTS}
    ]
    return Table(
        "gaps",
        "Gaps, and what must be asked about",
        "Answers to the questions of docs/guide/auditor.md. Where a leaf is about one reading, its "
        "words are left to the auditor.",
        ("log", "leaf", "finding", "bad", "what"),
        in_order(rows),
        "No gap was found.",
    )


def _clocks(tallies: Sequence[Tally]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.camera, one.process, *key, number)
        for one in tallies
        for key, number in one.clock.items()
    ]
    return Table(
        "clocks",
        "Clock changes",
        "How often time became trusted, or ceased to be.",
        ("camera", "process", "month", "trust", "changes"),
        in_order(rows),
        "No clock changed.",
    )


def _software(tallies: Sequence[Tally]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.camera, one.process, *key, first, last)
        for one in tallies
        for key, (first, last) in one.software.items()
    ]
    return Table(
        "software",
        "Which software ran",
        "By the `start` leaves of the logs: first and last start of each version. Without a "
        "SHA-256 it is the version that the machine was made with (docs/ref/software.md).",
        ("camera", "process", "version", "SHA-256", "first", "last"),
        in_order(rows),
        "No process said which version it runs.",
    )


def _banded(counters: Iterable[Mapping[Key, int]]) -> tuple[tuple[Cell, ...], ...]:
    summed: Counter[Key] = Counter()
    for one in counters:
        summed.update(one)
    return in_order((*key, band(number)) for key, number in summed.items() if number)
