"""Asks whether watch, deliver, the recipients and the city's log tell the same story."""

from collections.abc import Iterator, Mapping

from agent.audit.questions.findings import Answer, Finding, about, number_of, text_of
from agent.audit.questions.holds import HoldsSeen
from agent.audit.questions.reads import Reads
from agent.audit.questions.receiver_file import ReceiverTold
from agent.audit.shown_leaves import ShownLeaf
from agent.core.log.leaf import LeafKind
from agent.storage.log_key import parts_of
from agent.values import dataclass, field


@dataclass(slots=True)
class Lists:
    """Which hot lists watch obeyed: `new` as (leaf, city, version before, version then)."""

    new: list[tuple[ShownLeaf, str, int, int]] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _city: str = ""
    _version: int = 0
    _obeyed: int = 0  # the version when a list was last obeyed
    _refused: bool = False

    def take(self, leaf: ShownLeaf) -> None:
        """One more leaf of watch's log."""
        digest = text_of(leaf.details, "hotlist_digest")
        if leaf.kind == LeafKind.BUNDLES:
            versions = leaf.details.get("versions")
            told = number_of(versions, "hotlist") if isinstance(versions, Mapping) else None
            self._version, self._city = told or 0, text_of(leaf.details, "city")
        elif leaf.kind == LeafKind.REFUSAL:
            # no list is obeyed in its place, and that has a digest, too
            self._refused = text_of(leaf.details, "what").startswith("hot list")
        elif digest:
            new = digest not in self._known and not self._refused
            if new and self._version > self._obeyed > 0:
                self.new.append((leaf, self._city, self._obeyed, self._version))
            self._known.add(digest)
            self._obeyed, self._refused = self._version, False


@dataclass(slots=True)
class Story:
    """What one log told. `last`: its last time; `lists`: the hot lists that it obeyed, by the leaf
    at which each is new, with the versions before and then.
    """

    origin: str
    process: str
    reads: Reads
    last: str = ""
    lists: Lists = field(default_factory=Lists)
    holds: HoldsSeen | None = None  # of a recipient's hold log
    published: list[int] = field(default_factory=list)  # versions, in a city's log

    def take(self, leaf: ShownLeaf) -> None:
        """One more leaf."""
        self.last = max(self.last, leaf.at)
        if self.process == "watch":
            self.lists.take(leaf)
        if self.holds is not None:
            self.holds.take(leaf)
        if leaf.kind == LeafKind.HOTLIST and leaf.details.get("act") == "publish":
            self.published.append(number_of(leaf.details, "version") or 0)


def sides(watch: Story, deliver: Story) -> Iterator[Answer]:
    """One camera's two processes. A log that was copied earlier is asked until its end only. One
    that was begun anew does not hold what was released before.
    """
    for name, told in () if watch.reads.earlier else deliver.reads.seen.items():
        end, own = told.end, watch.reads.seen.get(name)
        if end is not None and (own is None or own.release is None) and end.at <= watch.last:
            what = f"a `{end.kind}` of a read that watch never released"
            yield about(Finding.SENT_UNKNOWN, end, what)
    for name, own in watch.reads.seen.items():
        end = own.end
        if end is None or end.kind != LeafKind.RECEIPT or end.at > deliver.last:
            continue
        other = deliver.reads.seen.get(name)
        if other is None or other.end is None or other.end.kind != LeafKind.RECEIPT:
            yield about(Finding.RECEIPT_UNKNOWN, end, "a `receipt` that deliver never took in")
            continue
        differ = [
            member
            for member in ("recipient", "outcome")
            if text_of(end.details, member) != text_of(other.end.details, member)
        ]
        if differ:
            what = f"another {' and '.join(differ)} than deliver's leaf {other.end.number} says"
            yield about(Finding.ANSWERS_DIFFER, end, what)


def receiver(watch: Story, camera: str, told: ReceiverTold) -> Iterator[Answer]:
    """What a recipient's own records say of this camera."""
    device = told.devices.get(camera)
    if device is None:
        return
    last = watch.reads.numbers.get(told.recipient, 0)
    if device.highest > last:
        what = f"{told.recipient} received number {device.highest}; the log ends at {last}"
        yield Answer(Finding.BEYOND_LOG, watch.origin, None, watch.last, what)
    for run in device.twice:
        what = f"{told.recipient} received other reads under {_numbers(run)} that it had before"
        yield Answer(Finding.RECEIVED_TWICE, watch.origin, None, "", what)
    for read in watch.reads.seen.values():
        if read.release is None or read.end is None or read.end.details.get("outcome") != "stored":
            continue
        number = number_of(read.release.details, "sequence")
        named = text_of(read.release.details, "recipient") == told.recipient
        if named and any(low <= (number or 0) <= high for low, high in device.missing):
            what = f"{told.recipient} signed for number {number}, and says that it never came"
            yield about(Finding.NOT_HELD, read.end, what)


def city(camera: Story, log: Story) -> Iterator[Answer]:
    """Each hot list that is new to a camera was published by an act that is a leaf. Lists from
    before the city's log began, or after its copy ends, cannot be asked about.
    """
    begun = min(log.published, default=0)
    for leaf, name, before, version in camera.lists.new:
        of_this = parts_of(log.origin)[0] == name
        if not of_this or not begun or before < begun or leaf.at > log.last:
            continue
        if not any(before < one <= version for one in log.published):
            what = f"a hot list (version {version}) that the city's log never says was published"
            yield about(Finding.LIST_UNKNOWN, leaf, what)


def not_asked(here: Story) -> Answer:
    """A camera of which only one log is there."""
    lacks = "deliver" if here.process == "watch" else "watch"
    what = f"{lacks}'s log is not here, so the two were not compared"
    return Answer(Finding.NOT_ASKED, here.origin, None, "", what)


def _numbers(run: tuple[int, int]) -> str:
    low, high = run
    return f"number {low}" if low == high else f"numbers {low} to {high}"
