"""Verifies, asks and counts one log: the work that is shared out among processes."""

from collections.abc import Mapping
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
from agent.errors import PlatewardenError
from agent.storage.log_key import TrustedLogKeys, parts_of
from agent.storage.log_reader import database_of, stated_roots
from agent.values import dataclass, field


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
    stated = stated_roots(database_of(path), {size, *ends.values()})
    roots = {number: root.hex() for number, root in stated.items()}
    months = {month: (end, roots[end]) for month, end in sorted(ends.items()) if end in roots}
    return LogDone(report, size, roots.get(size, ""), months, tally, asking.story, asking.done())


@dataclass(slots=True)
class _Counting:
    """Counts a log's leaves and asks of them while it is verified: each is read once."""

    job: LogJob
    begun: bool = False
    most: int | None = None
    before: str = ""
    ends: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=lambda: Tally("", ""))
    asking: Asking = field(default_factory=lambda: Asking(""))

    def begin(self, origin: str) -> None:
        """Implements LeafTaker."""
        self.begun, self.before, self.ends = True, "", {}
        self.most = self.job.most.get(origin)
        self.asking, self.tally = Asking(origin), Tally(*parts_of(origin))

    def void(self) -> None:
        """Implements LeafTaker."""
        self.begun = False

    def take(self, number: int, at: str, kind: str, details: Mapping[str, object]) -> None:
        """Implements LeafTaker. A leaf that tells no time was logged after the one before it."""
        if self.most is not None and number >= self.most:
            return
        self.before = at or self.before
        whose = self.asking.story.origin, self.tally.camera, self.tally.process
        self.count(ShownLeaf(*whose, number, self.before, kind, "", details))

    def count(self, leaf: ShownLeaf) -> None:
        """One more leaf that counts."""
        self.asking.take(leaf)
        self.tally.take(leaf, self.job.period)
        self.ends[leaf.at[:7]] = leaf.number + 1
