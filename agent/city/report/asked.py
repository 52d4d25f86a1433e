"""Answers "was anything sent to them?" for any recipient that somebody names, and why nothing could
be.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from agent.city.report.archive_facts import Facts, Stretch
from agent.city.report.bands import Band, Cell, total
from agent.city.report.log_work import LogDone
from agent.city.report.report_tables import Period, Table
from agent.core.judging.explain.answers import explain
from agent.core.judging.explain.cited_lines import Cited

_DAY = 10


def asked_table(facts: Facts, period: Period, names: Sequence[str]) -> Table:
    """For each name and each policy of that time, whether it could receive anything, and what
    refuses it, the strongest first.
    """
    rows = [row for name in names for one in facts.stretches for row in _rows(one, period, name)]
    return Table(
        "asked",
        "Who was asked about",
        "The camera's own code was asked what each policy of that time would release to them.",
        ("recipient", "policy", "since", "until", "could receive", "why", "lines"),
        tuple(rows),
        "Nobody was asked about: `--asked NAME` asks.",
    )


def sentences(
    facts: Facts, period: Period, names: Sequence[str], logs: Sequence[LogDone]
) -> Iterator[str]:
    """The answers in words, one each."""
    for name in names:
        sent = released_to(name, logs)
        could = [row for one in facts.stretches for row in _rows(one, period, name)]
        able = any(row[4] == "yes" for row in could)
        cameras = len({one.tally.camera for one in logs if one.tally.process == "watch"})
        where = f"in {period.plain}, by the logs of {cameras} of {len(facts.cameras)} cameras"
        if sent.at_most:
            yield f"{sent} readings went to {name} {where}."
        elif able:
            yield f"Nothing went to {name} {where}. A policy of that time would have permitted it."
        else:
            yield (
                f"Nothing went to {name} {where}, and nothing could: no policy that was in force "
                "permits it. The lines that refuse it stand under “Who was asked about”."
            )


def released_to(name: str, logs: Sequence[LogDone]) -> Band:
    """How much was released to a recipient, in fives."""
    return total(
        [
            number
            for one in logs
            for (_, _, recipient), number in one.tally.releases.items()
            if recipient == name
        ]
    )


def _rows(stretch: Stretch, period: Period, name: str) -> Iterator[tuple[Cell, ...]]:
    told = explain(stretch.files, _day_in(stretch, period), recipient=name)
    (answer,) = told.answers
    head = (name, stretch.files.policy.version, stretch.since, stretch.until or "now")
    if answer.allowed:
        rules = ", ".join(sorted({grant.rule for grant in answer.grants}))
        yield (*head, "yes", f"by {answer.basis}; rules: {rules}", _lines(answer.cited))
        return
    for obstacle in answer.obstacles:
        yield (*head, "no", f"{obstacle.says} [{obstacle.reason}]", _lines(obstacle.cited))


def _lines(cited: Sequence[Cited]) -> str:
    return "; ".join(dict.fromkeys(f"{line.place}: {line.text}" for line in cited))


def _day_in(stretch: Stretch, period: Period) -> date:
    """A day on which that policy was in force: its first one within the period."""
    first = date.fromisoformat((period.name + "-01-01")[:_DAY])
    return max(first, date.fromisoformat(stretch.since[:_DAY]))
