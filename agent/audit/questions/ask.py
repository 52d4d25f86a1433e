"""Asks every question of docs/guide/auditor.md of all the logs that were verified."""

from collections.abc import Iterator, Sequence

from agent.audit.log_report import LogReport
from agent.audit.questions import between
from agent.audit.questions.between import Story
from agent.audit.questions.findings import Answer, Finding
from agent.audit.questions.hours import Hours
from agent.audit.questions.reads import Reads
from agent.audit.questions.receiver_file import ReceiverTold
from agent.audit.shown_leaves import leaves_of

CITY_PROCESS = "city"


def ask(reports: Sequence[LogReport], receivers: Sequence[ReceiverTold] = ()) -> tuple[Answer, ...]:
    """All answers, bad ones and notes, by log and leaf. Leaves in doubt are asked, too: what they
    say is what somebody wrote there. Raises StorageError.
    """
    answers: list[Answer] = []
    stories: dict[str, Story] = {}
    for report in reports:
        story, found = one_log(report)
        stories[report.origin] = story
        answers += found
    answers += _together(stories, receivers)
    return tuple(sorted(answers, key=lambda one: (one.origin, one.leaf or 0, one.finding)))


def one_log(report: LogReport) -> tuple[Story, list[Answer]]:
    """What one log says by itself. Raises StorageError."""
    process = report.origin.rpartition("/")[2]
    hours, reads = Hours(process), Reads(process)
    story = Story(report.origin, process, reads)
    for leaf in leaves_of(report):
        hours.take(leaf)
        reads.take(leaf)
        story.take(leaf)
    return story, [*hours.done(), *(reads.done())]


def _together(stories: dict[str, Story], receivers: Sequence[ReceiverTold]) -> Iterator[Answer]:
    cameras: dict[str, dict[str, Story]] = {"watch": {}, "deliver": {}}
    cities = [one for one in stories.values() if one.process == CITY_PROCESS]
    for origin, story in stories.items():
        camera = origin.partition("/")[2].rpartition("/")[0]
        cameras.setdefault(story.process, {})[camera] = story
    watches, delivers = cameras["watch"], cameras["deliver"]
    for camera, watch in watches.items():
        if camera in delivers:
            yield from between.sides(watch, delivers[camera])
        for told in receivers:
            yield from between.receiver(watch, camera, told)
        for log in cities:
            yield from between.city(watch, log)
    yield from between.not_asked([*watches], [*delivers])
    for told in receivers:
        for camera in sorted(told.devices.keys() - watches.keys()):
            what = f"{told.recipient} received reads of this camera, whose log is not here"
            yield Answer(Finding.NOT_ASKED, f"platewarden/{camera}/watch", None, "", what)
