"""Makes the report: the archive first, then the logs, shared out among processes."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from agent.audit.checkpoint_files import opened
from agent.audit.found_logs import logs_at
from agent.audit.questions.ask import camera_of, in_order, with_city, with_holds
from agent.audit.trusted_keys import keys_of
from agent.city.report.archive_facts import Facts, archive_facts
from agent.city.report.archive_tables import of_archive
from agent.city.report.asked import asked_table, sentences
from agent.city.report.figures import of_logs
from agent.city.report.log_work import LogDone, LogJob, work
from agent.city.report.report_tables import Period, Pin, Report
from agent.city.report.vouched.vouched_logs import Vouched, vouching_of
from agent.errors import PlatewardenError, UsageError
from agent.storage.log_reader import database_of, streamed
from agent.values import dataclass

Tell = Callable[[int, int], None]  # logs done, logs
FEW = 2  # so many cameras are not worth other processes


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is to be about. `pins`: of which logs how many leaves, where an older report is
    made again, and `witnesses`: what it says of who must cosign; `keys`: files with log keys
    besides the roster's, such as the city log's.
    """

    city: Path
    logs: Sequence[Path]
    period: Period
    names: Sequence[str] = ()
    keys: Sequence[Path] = ()
    pins: Mapping[str, Pin] | None = None
    witnesses: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """`failed`: logs that could not be judged; they are counted nowhere."""

    report: Report
    logs: tuple[LogDone, ...]
    failed: tuple[PlatewardenError, ...]


def make(asked: Asked, tell: Tell = lambda _done, _all: None) -> Made:
    """The report, the same for the same files. Raises UsageError, ConfigError, StorageError."""
    facts = archive_facts(asked.city, asked.period)
    vouching = vouching_of(asked.city, facts.charter, asked.pins, asked.witnesses)
    keys = _keys(asked, facts)
    jobs, failed = _jobs(asked, keys)
    logs: dict[str, LogDone] = {}
    told, number = sum(len(job.paths) for job in jobs), 0
    for done in _all_of(jobs):
        number += 1
        tell(number, told)
        if isinstance(done, PlatewardenError):
            failed.append(done)
        elif done.report.unverified or (asked.pins and done.report.origin not in asked.pins):
            continue
        elif logs.setdefault(done.report.origin, done) is not done:
            raise UsageError(
                f"is a second log of {done.report.origin}",
                where=done.report.path,
                fix="give each log once, and the newest copy of it",
            )
    found = tuple(logs[origin] for origin in sorted(logs))
    return Made(_report(asked, facts, found, vouching.of(found, keys)), found, tuple(failed))


def _keys(asked: Asked, facts: Facts) -> dict[str, bytes]:
    """Raw log keys by origin: the rosters', and those that were given for other logs."""
    more = keys_of(asked.keys, None).keys if asked.keys else {}
    return {name: key.public_bytes_raw() for name, key in more.items() if name} | dict(facts.keys)


def _jobs(asked: Asked, keys: Mapping[str, bytes]) -> tuple[list[LogJob], list[PlatewardenError]]:
    most = {origin: pin.leaves for origin, pin in (asked.pins or {}).items()}
    paths, faults = logs_at(asked.logs)
    cameras: dict[str, list[Path]] = {}
    for path in paths:
        cameras.setdefault(_camera(path), []).append(path)
    jobs = [
        LogJob(tuple(own), keys, "the city's roster", asked.period, most)
        for own in cameras.values()
    ]
    return jobs, [*faults]


def _camera(path: Path) -> str:
    """Whose log it says that it is, unverified: only to look at a camera's logs together."""
    try:
        with streamed(database_of(path)) as log:
            found = opened(log.newest)
    except PlatewardenError:
        return ""  # the work says what is wrong
    return camera_of(found[1].origin) if found else ""


def _all_of(jobs: Sequence[LogJob]) -> Iterator[LogDone | PlatewardenError]:
    """In the order of the jobs."""
    workers = min(os.cpu_count() or 1, len(jobs))
    if len(jobs) <= FEW or workers < 2:
        for job in jobs:
            yield from work(job)
        return
    # Not a fork: the progress bar has a thread.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in pool.map(work, jobs):
            yield from done


def _report(asked: Asked, facts: Facts, logs: Sequence[LogDone], vouched: Vouched) -> Report:
    stories = {one.report.origin: one.story for one in logs}
    answers = [one for done in logs for one in done.answers]
    told = in_order([*answers, *with_city(stories), *with_holds(stories)])
    within = [one for one in told if asked.period.holds(one.at)]
    names = sorted(set(asked.names))
    return Report(
        city=facts.id,
        name=facts.name,
        period=asked.period,
        asked=tuple(names),
        said=tuple(sentences(facts, asked.period, names, logs)),
        publish=facts.newest.number,
        first_root=facts.first_root,
        pins=tuple(_pin(one, vouched) for one in logs),
        witnesses=vouched.policy_text,
        tables=(
            asked_table(facts, asked.period, names),
            *of_logs(logs, within, facts.cameras),
            vouched.table,
            *of_archive(facts, asked.period, [one.tally for one in logs]),
        ),
    )


def _pin(done: LogDone, vouched: Vouched) -> Pin:
    origin = done.report.origin
    cosigned = vouched.cosigned.get(origin, b"").decode()
    return Pin(origin, done.leaves, done.root, done.report.verdict.value, done.months, cosigned)
