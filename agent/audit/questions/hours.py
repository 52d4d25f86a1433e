"""Asks whether a process was ever silent while it ran: watch counts every UTC hour, deliver at
least once an hour.
"""

from datetime import UTC, datetime, timedelta

from agent.audit.questions.findings import Answer, Finding, about, text_of
from agent.audit.shown_leaves import ShownLeaf
from agent.core.log.leaf import LeafKind
from agent.core.text.rfc3339 import rfc3339
from agent.values import dataclass, field

HOUR = timedelta(hours=1)
SLACK = timedelta(minutes=10)  # from an hour's end to its leaf
LONGEST_SILENCE = timedelta(hours=2)  # of deliver, which counts by its own clock
MOST_TOLD = 1_000  # of one log: a log without counts for years must not fill a screen
TO_THE_HOUR = len("2026-11-22T10")
_SIGNS = frozenset({LeafKind.COUNTS, LeafKind.START, LeafKind.STOP})
_ENDS = frozenset({LeafKind.STOP, LeafKind.DECOMMISSION})
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Hours:
    """Takes one log's leaves in their order. A change of the clock ends a stretch: across it,
    nobody can tell which hours there were.
    """

    process: str
    answers: list[Answer] = field(default_factory=list)
    _counted: set[str] = field(default_factory=set)
    _stretches: list[tuple[datetime, ShownLeaf, datetime]] = field(default_factory=list)
    _begin: tuple[datetime, ShownLeaf] | None = None
    _told: datetime = _NEVER  # deliver's last sign of life
    _last: ShownLeaf | None = None
    _at: datetime = _NEVER
    _stopped: ShownLeaf | None = None

    def take(self, leaf: ShownLeaf) -> None:
        """One more leaf."""
        if not leaf.at:
            return
        at = datetime.fromisoformat(leaf.at)  # checked as RFC 3339 before
        if leaf.kind == LeafKind.COUNTS:
            self._counted.add(text_of(leaf.details, "hour")[:TO_THE_HOUR])
        if self._begin is not None and (leaf.kind == LeafKind.CLOCK or at < self._at):
            self._end()
            self._begin = at, leaf
            self._told = at
        if leaf.kind == LeafKind.START:
            self._start(at, leaf)
        self._sign(at, leaf)
        self._last, self._at = leaf, at
        if leaf.kind in _ENDS and self._begin is not None:
            self._end()
            self._begin, self._stopped = None, leaf

    def _start(self, at: datetime, leaf: ShownLeaf) -> None:
        if self._begin is not None and self._last is not None:
            self._end()
            what = f"it ended after leaf {self._last.number} of {self._last.at} without a `stop`"
            self.answers.append(about(Finding.STOPPED_BY_FORCE, leaf, what))
        elif self._stopped is not None and at - self._at >= HOUR:
            what = f"it was off from {self._stopped.at} to {leaf.at}"
            self.answers.append(about(Finding.OFF, leaf, what))
        self._begin, self._told = (at, leaf), at

    def _sign(self, at: datetime, leaf: ShownLeaf) -> None:
        """Deliver's silence shows at the leaf that ends it."""
        if self.process != "deliver" or self._begin is None or leaf.kind not in _SIGNS:
            return
        if at - self._told > LONGEST_SILENCE:
            what = f"no `counts` between {rfc3339(self._told)} and {leaf.at}, although it ran"
            self.answers.append(about(Finding.SILENT, leaf, what))
        self._told = at

    def _end(self) -> None:
        if self._begin is not None:
            self._stretches.append((*self._begin, self._at))

    def done(self) -> list[Answer]:
        """After the last leaf: everything that was found."""
        self._end()
        if self.process == "watch":
            for begin, leaf, end in self._stretches:
                self.answers += self._uncounted(begin, leaf, end)
        return self.answers

    def _uncounted(self, begin: datetime, leaf: ShownLeaf, end: datetime) -> list[Answer]:
        """The whole hours of a stretch that no leaf counts, told at the leaf that begins it."""
        hour = begin.replace(minute=0, second=0, microsecond=0)
        hour += HOUR if hour < begin else timedelta()
        missing: list[Answer] = []
        while hour + HOUR + SLACK <= end and len(missing) < MOST_TOLD:
            if hour.isoformat()[:TO_THE_HOUR] not in self._counted:
                what = f"nothing was counted in the hour from {rfc3339(hour)}, although it ran"
                missing.append(about(Finding.HOUR_WITHOUT_COUNTS, leaf, what))
            hour += HOUR
        return missing
