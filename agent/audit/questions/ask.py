"""Asks every question of docs/guide/auditor.md of all the logs that were verified."""

from collections.abc import Iterator, Mapping, Sequence

from agent.audit.log_report import LogReport
from agent.audit.questions import between
from agent.audit.questions import holds as holds_asked
from agent.audit.questions.between import Story
from agent.audit.questions.checkpoints import checkpoint_told
from agent.audit.questions.findings import Answer, Finding
from agent.audit.questions.holds import HoldsSeen
from agent.audit.questions.hours import Hours
from agent.audit.questions.reads import Reads
from agent.audit.questions.receiver_file import ReceiverTold
from agent.audit.shown_leaves import ShownLeaf, leaves_of
from agent.storage.log_key import parts_of

CITY_PROCESS = "city"


class Asking:
    """Takes one log's leaves in their order, and says what they tell by themselves."""

    def __init__(self, origin: str) -> None:
        process = origin.rpartition("/")[2]
        self._hours, reads = Hours(process), Reads(process)
        holds = HoldsSeen() if process == holds_asked.PROCESS else None
        self.story = Story(origin, process, reads, holds=holds)
        self._checkpoints: list[Answer] = []

    def take(self, leaf: ShownLeaf) -> None:
        """One more leaf."""
        self._hours.take(leaf)
        self.story.reads.take(leaf)
        self.story.take(leaf)
        if (told := checkpoint_told(leaf)) and self.story.process == CITY_PROCESS:
            self._checkpoints.append(told)

    def done(self) -> list[Answer]:
        """After the last leaf."""
        return [*self._hours.done(), *self.story.reads.done(), *self._checkpoints]


def ask(reports: Sequence[LogReport], receivers: Sequence[ReceiverTold] = ()) -> tuple[Answer, ...]:
    """All answers, bad ones and notes, by log and leaf. Leaves in doubt are asked, too: what they
    say is what somebody wrote there. Raises StorageError.
    """
    answers: list[Answer] = []
    stories: dict[str, Story] = {}
    for report in reports:
        asking = Asking(report.origin)
        for leaf in leaves_of(report):
            asking.take(leaf)
        stories[report.origin] = asking.story
        answers += asking.done()
    return in_order([*answers, *compared(stories, receivers)])


def in_order(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """By log and leaf."""
    return tuple(sorted(answers, key=lambda one: (one.origin, one.leaf or 0, one.finding)))


def compared(
    stories: Mapping[str, Story], receivers: Sequence[ReceiverTold] = ()
) -> Iterator[Answer]:
    """What the logs, by their names, and the recipients say of each other."""
    by_camera: dict[str, list[Story]] = {}
    for origin, story in stories.items():
        by_camera.setdefault(camera_of(origin), []).append(story)
    watches = set[str]()
    for camera, own in by_camera.items():
        yield from of_camera(own)
        for watch in (one for one in own if one.process == "watch"):
            watches.add(camera)
            for told in receivers:
                yield from between.receiver(watch, camera, told)
    yield from with_city(stories)
    yield from with_holds(stories)
    for told in receivers:
        for camera in sorted(told.devices.keys() - watches):
            what = f"{told.recipient} received reads of this camera, whose log is not here"
            yield Answer(Finding.NOT_ASKED, f"platewarden/{camera}/watch", None, "", what)


def of_camera(stories: Sequence[Story]) -> Iterator[Answer]:
    """One camera's logs, held against each other."""
    own = {one.process: one for one in stories}
    if "watch" in own and "deliver" in own:
        yield from between.sides(own["watch"], own["deliver"])
    elif "watch" in own or "deliver" in own:
        yield between.not_asked(next(iter(own.values())))


def with_city(stories: Mapping[str, Story]) -> Iterator[Answer]:
    """Every camera against every city's log that is here."""
    cities = [one for one in stories.values() if one.process == CITY_PROCESS]
    for watch in (one for one in stories.values() if one.process == "watch"):
        for log in cities:
            yield from between.city(watch, log)


def with_holds(stories: Mapping[str, Story]) -> Iterator[Answer]:
    """All recipients' hold logs that are here."""
    logs = [one.holds for one in stories.values() if one.holds is not None]
    if logs:
        latest = max(one.last for one in stories.values())
        releases = {
            name: seen.release
            for story in stories.values()
            for name, seen in story.reads.seen.items()
            if seen.release is not None
        }
        yield from holds_asked.of_holds(logs, latest, releases)


def camera_of(origin: str) -> str:
    """The camera of `platewarden/<camera>/<process>`."""
    return parts_of(origin)[0]
