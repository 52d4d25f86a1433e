"""The files that `platewarden read` is to read, and the frames in them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.camera.images import IMAGE_SUFFIXES, ImageSource, find_files
from agent.camera.sources import decline_address
from agent.camera.video import VIDEO_SUFFIXES, VideoSource
from agent.core.camera.camera_event import Tell, nobody
from agent.core.reading.sighting import Frame
from agent.errors import SourceError, UsageError
from agent.host.clock import SystemClock
from agent.settings import Limits
from agent.values import dataclass

SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read.

    `name`: what stands in the output, relative to the folder that was given.
    """

    path: Path
    name: str

    @property
    def is_still(self) -> bool:
        """A picture, by its name, and no video."""
        return self.path.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class Found:
    """All files to read, sorted within each folder; the folders that hold none; the names of the
    files in folders that are, by their names, no pictures or videos.
    """

    inputs: list[Input]
    failures: list[SourceError]
    others: list[str]


def find_inputs(paths: Sequence[str]) -> Found:
    """Raises UsageError for a path that does not exist."""
    inputs: list[Input] = []
    failures: list[SourceError] = []
    others: list[str] = []
    for text in paths:
        decline_address(text)
        path = Path(text)
        if not path.exists():
            raise UsageError("no such file or folder", where=text, fix="check the path")
        found = [(path, path.name)]
        if path.is_dir():
            found = find_files(path, SUFFIXES)
            others += (name for _, name in find_files(path, None) if not _is_known(name))
        inputs += (Input(file, name) for file, name in found)
        if not found:
            failures.append(
                SourceError(
                    "no picture or video in this folder",
                    where=text,
                    fix=f"they end in {', '.join(sorted(SUFFIXES))}",
                )
            )
    return Found(inputs, failures, others)


def _is_known(name: str) -> bool:
    """Hidden files are nobody's pictures."""
    path = Path(name)
    return path.suffix.lower() in SUFFIXES or path.name.startswith(".")


def frames_of(given: Input, tell: Tell = nobody) -> Iterator[Frame]:
    """The frames of one picture or video. `tell`: hears of what is not played. Raises
    SourceError.
    """
    clock, max_pixels = SystemClock(), Limits().max_source_pixels
    if given.is_still:
        yield from ImageSource([(given.path, given.name)], clock, max_pixels).frames()
        return
    video = VideoSource(given.path, given.name, clock, max_pixels, tell=tell)
    try:
        yield from video.frames()
    finally:
        video.close()
