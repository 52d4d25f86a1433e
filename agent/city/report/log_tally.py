"""Counts what one verified log says within a period. Nothing of a single read is kept but what the
questions ask.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from agent.audit.questions.findings import number_of, text_of
from agent.audit.questions.reads import REFUSES_DESTINATION
from agent.audit.shown_leaves import WITHHELD, ShownLeaf
from agent.city.report.report_tables import Period
from agent.core.log.leaf import LeafKind
from agent.core.log.tally import MOST
from agent.core.reasons import Reason
from agent.core.wire.receipt import Disposition
from agent.values import dataclass, field

NOBODY = "none"
_ENDS = frozenset({LeafKind.RECEIPT, LeafKind.EXPIRED, LeafKind.WITHDRAWAL, LeafKind.LOST})
_REASONS = frozenset(reason.value for reason in Reason)
_HOLD_ACTS = frozenset({"begin", "keep", "unkept", "open", "end"})
_DISPOSITIONS = frozenset(one.value for one in Disposition)
Key = tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """Of one log. Keys of `releases`: month, rule, recipient; `matches`: category, level; `ends`:
    recipient, what became of it, why; `refusals`: reason, destination; `hours` and `stale`: hours
    counted, and those in which a stale list dropped something, by month; `seen`: month and what;
    `dropped`: month and reason; `clock`: month, trust; `obeyed`: policy version and digest, with
    the first and last time; `software`: version and digest, likewise; `outcomes`: category and what
    became of the lead; `acts`: month, act, category, agency; `holds`: month and act, in a
    recipient's log; `left_out`: leaves that are withheld or in doubt.
    """

    camera: str
    process: str
    releases: Counter[Key] = field(default_factory=Counter)
    matches: Counter[Key] = field(default_factory=Counter)
    ends: Counter[Key] = field(default_factory=Counter)
    refusals: Counter[Key] = field(default_factory=Counter)
    hours: Counter[str] = field(default_factory=Counter)
    stale: Counter[str] = field(default_factory=Counter)
    seen: Counter[Key] = field(default_factory=Counter)
    dropped: Counter[Key] = field(default_factory=Counter)
    clock: Counter[Key] = field(default_factory=Counter)
    obeyed: dict[Key, tuple[str, str]] = field(default_factory=dict)
    software: dict[Key, tuple[str, str]] = field(default_factory=dict)
    outcomes: Counter[Key] = field(default_factory=Counter)
    acts: Counter[Key] = field(default_factory=Counter)
    holds: Counter[Key] = field(default_factory=Counter)
    left_out: int = 0
    _recipients: dict[str, str] = field(default_factory=dict)
    _hours_seen: set[str] = field(default_factory=set)

    def take(self, leaf: ShownLeaf, period: Period) -> None:
        """One more leaf, in the log's order."""
        if leaf.kind == LeafKind.RELEASE:
            read = text_of(leaf.details, "read")
            self._recipients[read] = text_of(leaf.details, "recipient")
        if not period.holds(leaf.at):
            return
        if leaf.doubt or leaf.kind == WITHHELD:
            self.left_out += 1
            return
        if self.process == "watch":
            self._of_watch(leaf)
        match leaf.kind:
            case LeafKind.REFUSAL:
                self.refusals[_refusal(leaf.details)] += 1
            case LeafKind.HOTLIST:
                self._act(leaf)
            case LeafKind.HOLD if text_of(leaf.details, "act") in _HOLD_ACTS:
                self.holds[leaf.at[:7], text_of(leaf.details, "act")] += 1
            case LeafKind.START:
                self._started(leaf)
            case LeafKind.CLOCK:
                trust = text_of(leaf.details, "clock") or NOBODY
                self.clock[leaf.at[:7], trust] += 1

    def _of_watch(self, leaf: ShownLeaf) -> None:
        said, month = leaf.details, leaf.at[:7]
        match leaf.kind:
            case LeafKind.RELEASE:
                self.releases[month, text_of(said, "rule"), text_of(said, "recipient")] += 1
                self.matches[text_of(said, "category"), text_of(said, "match")] += 1
            case kind if kind in _ENDS:
                self._ended(leaf)
            case LeafKind.COUNTS:
                self._counts(said, month)
            case LeafKind.OUTCOME if text_of(said, "outcome") in _DISPOSITIONS:
                self.outcomes[text_of(said, "category"), text_of(said, "outcome")] += 1
            case LeafKind.START | LeafKind.POLICY:
                self._policy(leaf)

    def _ended(self, leaf: ShownLeaf) -> None:
        said, why = leaf.details, NOBODY
        what = leaf.kind
        if leaf.kind == LeafKind.RECEIPT:
            outcome = text_of(said, "outcome")
            what, _, why = outcome.partition(":")
        elif leaf.kind == LeafKind.WITHDRAWAL:
            why = text_of(said, "reason")
        read = text_of(said, "read")
        recipient = text_of(said, "recipient") or self._recipients.get(read, NOBODY)
        self.ends[recipient, what, why or NOBODY] += 1

    def _counts(self, said: Mapping[str, object], month: str) -> None:
        reasons = said.get("reasons")
        drops = reasons if isinstance(reasons, Mapping) else {}
        hour = text_of(said, "hour")
        for what in ("sightings", "unreadable"):
            self.seen[month, what] += min(number_of(said, what) or 0, MOST)
        for reason in drops:
            if reason in _REASONS:
                number = number_of(drops, reason) or 0
                self.dropped[month, reason] += min(number, MOST)
        if hour in self._hours_seen:
            return  # a clock that was set back gives an hour twice
        self._hours_seen.add(hour)
        self.hours[month] += 1
        self.stale[month] += bool(number_of(drops, Reason.HOTLIST_STALE.value))

    def _policy(self, leaf: ShownLeaf) -> None:
        version = number_of(leaf.details, "policy_version")
        digest = text_of(leaf.details, "policy_digest")
        if version is not None and version <= MOST and digest:
            first, _ = self.obeyed.get((str(version), digest), (leaf.at, ""))
            self.obeyed[str(version), digest] = first, leaf.at

    def _started(self, leaf: ShownLeaf) -> None:
        key = text_of(leaf.details, "software"), text_of(leaf.details, "software_sha256")
        if key[0]:
            first, _ = self.software.get(key, (leaf.at, ""))
            self.software[key] = first, leaf.at

    def _act(self, leaf: ShownLeaf) -> None:
        said, month, act = leaf.details, leaf.at[:7], text_of(leaf.details, "act")
        if act in {"import", "publish", ""}:
            return
        entries = said.get("entries")
        told = entries if isinstance(entries, list) else [said]
        for one in told:
            if isinstance(one, Mapping):
                named = (text_of(one, "category") or NOBODY, text_of(one, "agency") or NOBODY)
                self.acts[month, act, *named] += 1


def by_camera(tallies: Sequence[Tally], of: Callable[[Tally], Counter[Key]]) -> Counter[Key]:
    """What `of` each tally is counted, by camera first. One may have two logs: an older name, and
    one with a domain.
    """
    found = Counter[Key]()
    for one in tallies:
        found.update({(one.camera, *key): number for key, number in of(one).items()})
    return found


def _refusal(said: Mapping[str, object]) -> Key:
    """Reason and destination: the recipient, else the words in which an address is named."""
    reason = text_of(said, "reason")
    words = text_of(said, "what") if reason in REFUSES_DESTINATION else ""
    return reason, text_of(said, "recipient") or words or NOBODY
