"""Verifies, asks and counts one log: the work that is shared out among processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.audit.log_report import LogReport
from agent.audit.log_verify import verify
from agent.audit.questions.ask import Asking, camera_of, of_camera
from agent.audit.questions.between import Story
from agent.audit.questions.findings import Answer
from agent.audit.shown_leaves import ShownLeaf, leaves_of
from agent.city.report.log_tally import Tally
from agent.city.report.report_tables import Period
from agent.core.log.checkpoint import parse_body, parse_note
from agent.errors import PlatewardenError
from agent.storage.log_key import TrustedLogKeys, parts_of
from agent.storage.log_reader import database_of, snapshot


@dataclass(frozen=True, slots=True)
class LogJob:
    """One camera's logs, or the city's. `keys`: raw Ed25519 by origin; `most`: of a log by origin,
    how many leaves to look at.
    """

    paths: tuple[Path, ...]
    keys: Mapping[str, bytes]
    source: str
    period: Period
    most: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogDone:
    """What one log gave. `months`: leaves and root (hex) at the end of each month."""

    report: LogReport
    leaves: int
    root: str
    months: Mapping[str, tuple[int, str]]
    tally: Tally
    story: Story
    answers: list[Answer]


def work(job: LogJob) -> list[LogDone | PlatewardenError]:
    """Each of them, and what they say of each other; what cannot be judged is an error of that log
    alone. The single reads stay here: a year of them need not travel between processes.
    """
    done = [_one(job, path) for path in job.paths]
    judged = [one for one in done if isinstance(one, LogDone)]
    whose = {one.report.origin for one in judged}
    if len(whose) == len(judged):  # a second copy of a log is refused later
        told = {camera_of(origin): origin for origin in whose}
        for camera in told:
            own = [one.story for one in judged if camera_of(one.report.origin) == camera]
            judged[0].answers.extend(of_camera(own))
    for one in judged:
        one.story.reads.seen.clear()
    return done


def _one(job: LogJob, path: Path) -> LogDone | PlatewardenError:
    try:
        return _work(job, path)
    except PlatewardenError as error:
        return error


def _work(job: LogJob, path: Path) -> LogDone:
    keys = {name: Ed25519PublicKey.from_public_bytes(raw) for name, raw in job.keys.items()}
    counting = _Counting(job)
    report = verify(path, TrustedLogKeys(keys, job.source), taker=counting)
    if not counting.begun:
        counting.begin(report.origin)
        for leaf in leaves_of(report, counting.most):
            counting.count(leaf)
    most, ends, tally, asking = counting.most, counting.ends, counting.tally, counting.asking
    head = report.head.size if report.head else 0
    size = head if most is None else min(most, head)
    roots = _roots(path, {size, *ends.values()})
    months = {month: (end, roots[end]) for month, end in sorted(ends.items()) if end in roots}
    return LogDone(report, size, roots.get(size, ""), months, tally, asking.story, asking.done())


@dataclass(slots=True)
class _Counting:
    """Counts a log's leaves and asks of them while it is verified: each is read once."""

    job: LogJob
    begun: bool = False
    origin: str = ""
    camera: str = ""
    process: str = ""
    most: int | None = None
    before: str = ""
    ends: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=lambda: Tally("", ""))
    asking: Asking = field(default_factory=lambda: Asking(""))

    def begin(self, origin: str) -> None:
        """Implements LeafTaker."""
        self.begun, self.origin, self.before, self.ends = True, origin, "", {}
        self.camera, self.process = parts_of(origin)
        self.most = self.job.most.get(origin)
        self.asking, self.tally = Asking(origin), Tally(self.camera, self.process)

    def void(self) -> None:
        """Implements LeafTaker."""
        self.begun = False

    def take(self, number: int, at: str, kind: str, details: Mapping[str, object]) -> None:
        """Implements LeafTaker. A leaf that tells no time was logged after the one before it."""
        if self.most is not None and number >= self.most:
            return
        self.before = at or self.before
        self.count(
            ShownLeaf(
                self.origin, self.camera, self.process, number, self.before, kind, "", details
            )
        )

    def count(self, leaf: ShownLeaf) -> None:
        """One more leaf that counts."""
        self.asking.take(leaf)
        self.tally.take(leaf, self.job.period)
        self.ends[leaf.at[:7]] = leaf.number + 1


def _roots(path: Path, sizes: set[int]) -> dict[int, str]:
    """The roots that the log states for these sizes; verification has held them against the
    tree.
    """
    found = {}
    with snapshot(database_of(path)) as connection:
        for size in sorted(sizes):
            query = "SELECT note FROM checkpoint WHERE size = ?"
            for (note,) in connection.execute(query, (size,)):
                if isinstance(note, bytes):
                    try:
                        found[size] = parse_body(parse_note(note).signed).root.hex()
                    except ValueError:
                        continue  # verification has named it
    return found
