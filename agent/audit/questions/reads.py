"""Asks what became of each released read, and whether each recipient's numbers run 1, 2, 3."""

from collections.abc import Mapping
from datetime import timedelta

from agent.audit.questions.findings import Answer, Finding, about, number_of, text_of
from agent.audit.shown_leaves import ShownLeaf
from agent.core.log.leaf import LeafKind
from agent.core.text.rfc3339 import parse_rfc3339
from agent.values import dataclass, field

ENDS = frozenset({LeafKind.RECEIPT, LeafKind.EXPIRED, LeafKind.WITHDRAWAL, LeafKind.LOST})
SLACK = timedelta(days=1)  # a process that was off settles at its next start
REFUSES_DESTINATION = frozenset(
    {
        "recipient-not-in-policy",
        "no-broker-for-recipient",
        "destination-not-in-policy",
        "spki-pin-mismatch",
        "certificate-invalid",
        "proxy-forbidden",
    }
)


@dataclass(slots=True)
class ReadSeen:
    """A read, as one log tells of it. `release`, `end`: those leaves, None where there is none."""

    release: ShownLeaf | None = None
    end: ShownLeaf | None = None


@dataclass(slots=True)
class Reads:
    """Takes one log's leaves in their order. In deliver's log only the ends stand."""

    process: str
    answers: list[Answer] = field(default_factory=list)
    seen: dict[str, ReadSeen] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)  # the last one, by recipient
    earlier: bool = False  # an earlier log is known to be missing: it may hold releases
    _last: ShownLeaf | None = None

    def take(self, leaf: ShownLeaf) -> None:
        """One more leaf."""
        self._last = leaf
        match leaf.kind:
            case LeafKind.RELEASE:
                self._released(leaf)
            case kind if kind in ENDS:
                self._ended(leaf)
            case LeafKind.MISSING:
                self._begun_anew(leaf)
            case LeafKind.OVERFLOW:
                to = text_of(leaf.details, "recipient")
                self._tell(Finding.OVERFLOW, leaf, f"a read for {to} was not released: no room")
            case LeafKind.REFUSAL:
                self._refused(leaf)
            case LeafKind.DECOMMISSION:
                self._wiped(leaf)

    def done(self) -> list[Answer]:
        """After the last leaf: everything that was found."""
        for read in self.seen.values():
            if read.release is not None and read.end is None:
                self._open(read.release)
        return self.answers

    def _tell(self, finding: Finding, leaf: ShownLeaf, what: str) -> None:
        self.answers.append(about(finding, leaf, what))

    def _released(self, leaf: ShownLeaf) -> None:
        read = self.seen.setdefault(text_of(leaf.details, "read"), ReadSeen())
        if read.release is not None:
            what = f"this read was released before, by leaf {read.release.number}"
            self._tell(Finding.RELEASED_TWICE, leaf, what)
        read.release = leaf
        recipient, number = text_of(leaf.details, "recipient"), number_of(leaf.details, "sequence")
        last = self.numbers.get(recipient, 0)
        if number is None or number > last + 1:
            gap = f"{last + 1}" if number == last + 2 else f"{last + 1} and more"
            what = f"for {recipient} number {gap} is missing before {number}"
            self._tell(Finding.NUMBER_MISSING, leaf, what)
        elif number <= last:
            self._tell(Finding.NUMBER_TWICE, leaf, f"number {number} for {recipient} came before")
        self.numbers[recipient] = max(last, number or 0)

    def _ended(self, leaf: ShownLeaf) -> None:
        name = text_of(leaf.details, "read")
        read = self.seen.get(name)
        if read is None:
            read = self.seen[name] = ReadSeen()
            if self.process == "watch" and not self.earlier:
                what = f"a `{leaf.kind}` of a read that was never released"
                self._tell(Finding.END_WITHOUT_RELEASE, leaf, what)
        elif read.end is not None and self.process == "watch":
            what = f"this read ended before, by leaf {read.end.number}"
            self._tell(Finding.ENDED_TWICE, leaf, what)
        if read.end is None or leaf.kind == LeafKind.RECEIPT:
            read.end = leaf
        if leaf.kind == LeafKind.LOST:
            what = f"a released read is lost: {text_of(leaf.details, 'what')}"
            self._tell(Finding.READ_LOST, leaf, what)

    def _begun_anew(self, leaf: ShownLeaf) -> None:
        self.earlier = True
        leaves = number_of(leaf.details, "leaves")
        what = f"{leaves} leaves of an earlier log are missing: somebody emptied the folder"
        self._tell(Finding.LOG_BEGUN_ANEW, leaf, what)
        known = leaf.details.get("sequences")
        if isinstance(known, Mapping):
            self.numbers |= {str(name): number_of(known, str(name)) or 0 for name in known}

    def _refused(self, leaf: ShownLeaf) -> None:
        reason, what = (text_of(leaf.details, name) for name in ("reason", "what"))
        if reason in {"log-truncated", "root-mismatch"} and self.process == "deliver":
            self._tell(Finding.LOG_PUT_BACK, leaf, f"deliver says of watch's log: {what}")
        elif reason in REFUSES_DESTINATION:
            self._tell(Finding.REFUSED_DESTINATION, leaf, f"[{reason}] {what}")

    def _open(self, release: ShownLeaf) -> None:
        """Not ended at the log's end: it may wait still, until its deadline and a day."""
        deadline, last = text_of(release.details, "deadline"), self._last
        try:
            due = parse_rfc3339(deadline) + SLACK
        except (ValueError, OverflowError):
            due = None
        if due is not None and last is not None and last.at and parse_rfc3339(last.at) < due:
            self._tell(Finding.WAITING, release, f"it waits still, until {deadline}")
            return
        what = "neither a receipt, nor an expiry, nor a withdrawal, nor a loss followed"
        self._tell(Finding.RELEASE_WITHOUT_END, release, what)

    def _wiped(self, leaf: ShownLeaf) -> None:
        """A camera that is taken out of service says how many reads were wiped unsent."""
        waiting = [read for read in self.seen.values() if read.release and read.end is None]
        told = number_of(leaf.details, "reads")
        if self.process == "watch" and told is not None and told >= len(waiting):
            for read in waiting:
                read.end = leaf
        if told:
            self._tell(Finding.WIPED, leaf, f"{told} reads were wiped unsent")
