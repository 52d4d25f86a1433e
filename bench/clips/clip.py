"""A clip: frames with capture times, and the truth about each plate in them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.core.reading.sighting import Frame, Image
from agent.core.time.instant import Instant

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
# docs/design/aim.md promises an installer that plates from this width on are read.
READABLE_PX = 80.0
READABLE_SMEAR = 0.03  # of the plate's width: more motion blur, and strokes run into each other
READABLE_FRAMES = 3  # fewer say too little to ask for a read

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """One plate in one frame.

    `box`: x, y, width, height of the whole plate, px; may reach out of the frame. `shown`: share of
    the plate that is inside the frame and behind nothing, 0–1. `smear_px`: motion blur.
    """

    box: Box
    shown: float
    smear_px: float

    @property
    def readable(self) -> bool:
        """Wide enough, whole and still enough for a person to read it at once."""
        width = self.box[2]
        return (
            self.shown >= 1.0 and width >= READABLE_PX and self.smear_px <= READABLE_SMEAR * width
        )


@dataclass(frozen=True, slots=True)
class PassingPlate:
    """The truth about one plate from its coming to its going. The text is fictitious.

    `seen`: by frame number, in order; only frames in which some of it is shown.
    """

    text: str
    seen: Mapping[int, Seen]

    @property
    def readable_frames(self) -> tuple[int, ...]:
        return tuple(number for number, seen in self.seen.items() if seen.readable)

    @property
    def readable(self) -> bool:
        """Must a good camera read it?"""
        return len(self.readable_frames) >= READABLE_FRAMES

    @property
    def first_readable(self) -> int | None:
        return next(iter(self.readable_frames), None)

    @property
    def last_readable(self) -> int | None:
        return next(reversed(self.readable_frames), None)


@dataclass(frozen=True, slots=True)
class Clip:
    """A scene drawn from a seed; drawing starts anew with every `frames()`.

    `paint(number)`: H×W×3 BGR of that frame, the same whenever it is asked for.
    """

    scene: str
    seed: int
    width_px: int
    height_px: int
    frames_per_second: float
    length: int
    plates: tuple[PassingPlate, ...]
    paint: Callable[[int], Image]

    def frames(self) -> Iterator[Frame]:
        """Every frame in order of capture."""
        for number in range(self.length):
            yield Frame(self.paint(number), Instant(self.captured(number)), number)

    def captured(self, number: int) -> datetime:
        """When frame `number` was taken."""
        return START + timedelta(seconds=number / self.frames_per_second)

    @property
    def seconds(self) -> float:
        return self.length / self.frames_per_second
