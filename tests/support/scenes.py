"""Streets for the tracker: cars that drive, stand and are hidden, as reads from frame to frame.

Every plate is fictitious. A scene is a function from seconds to reads.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from agent.core.reading.sighting import PlateRead, Sighting, Track
from agent.core.reading.tracking import Tracker
from agent.core.reading.voting import vote
from tests.support.judging import frame, read

Scene = Callable[[float], list[PlateRead]]
Way = Callable[[float], tuple[float, float]]
ALPHABET = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


def stand(x: float = 400.0, y: float = 300.0) -> Way:
    """A place that a car keeps."""
    return lambda _at: (x, y)


def drive(x: float, y: float, *, vx: float, vy: float = 0.0, start: float = 0.0) -> Way:
    """A straight way. `vx`, `vy`: px a second."""
    return lambda at: (x + vx * (at - start), y + vy * (at - start))


@dataclass(frozen=True)
class Car:
    """A plate in view from `start` to `end`, but for the spans in `hidden` (seconds)."""

    text: str
    way: Way = field(default_factory=stand)
    start: float = 0.0
    end: float = 1e9
    hidden: tuple[tuple[float, float], ...] = ()
    width: float = 100.0
    confidence: float = 0.99

    def at(self, at: float) -> list[PlateRead]:
        if not self.start <= at < self.end or any(a <= at < b for a, b in self.hidden):
            return []
        x, y = self.way(at)
        return [read(self.text, x, y, self.width, confidence=self.confidence, at=at)]


def street(*cars: Car) -> Scene:
    """All cars, each read right."""
    return lambda at: [one for car in cars for one in car.at(at)]


@dataclass(frozen=True)
class Reader:
    """How a detector and a reader go wrong: shares of the reads of a frame.

    `missed`: not detected. `flipped`: one character misread, mostly unsurely, seldom at 0.9 and
    more. `faint`: read right, but at 0.3 to 0.9. `unread`: a box without a text. `tremor`: of the
    box, in shares of its width (standard deviation).
    """

    missed: float = 0.05
    flipped: float = 0.04
    faint: float = 0.15
    unread: float = 0.02
    tremor: float = 0.01

    def spoil(self, scene: Scene, chance: random.Random) -> Scene:
        return lambda at: [
            self._spoilt(one, chance) for one in scene(at) if chance.random() >= self.missed
        ]

    def _spoilt(self, one: PlateRead, chance: random.Random) -> PlateRead:
        text, confidence = one.text.value, one.confidence
        fate = chance.random()
        if fate < self.unread:
            text = ""
        elif fate < self.unread + self.flipped:
            place = chance.randrange(len(text))
            wrong = chance.choice(ALPHABET.replace(text[place], ""))
            text = text[:place] + wrong + text[place + 1 :]
            confidence = chance.uniform(0.2, 0.95)
        elif fate < self.unread + self.flipped + self.faint:
            confidence = chance.uniform(0.3, 0.9)
        x, y, width, _ = one.box.box
        shift = [chance.gauss(0, self.tremor * width) for _ in range(3)]
        fresh = read(text, x + shift[0], y + shift[1], width + shift[2], confidence=confidence)
        return replace(fresh, captured=one.captured)


@dataclass(frozen=True)
class Seen:
    """One vehicle that a tracker told, `at` seconds, at the end for infinity."""

    at: float
    track: Track
    sighting: Sighting

    @property
    def text(self) -> str:
        return self.sighting.text.value

    @property
    def read_texts(self) -> set[str]:
        return {one.text.value for one in self.track.reads}


def watch(
    scene: Scene,
    seconds: float,
    *,
    rate: float = 15.0,
    tracker: Tracker | None = None,
    start: float = 0.0,
) -> list[Seen]:
    """What a tracker tells of a scene, its end included."""
    tracker = tracker or Tracker()
    told: list[tuple[float, Track]] = []
    for number in range(int(seconds * rate)):
        at = start + number / rate
        told += [(at, track) for track in tracker.add(frame(number, at), scene(at))]
    told += [(float("inf"), track) for track in tracker.finish()]
    return [Seen(at, track, vote(track, "cam-1")) for at, track in told]


def texts(seen: Iterable[Seen]) -> list[str]:
    return sorted(one.text for one in seen)


def fleet(count: int, stem: str = "7TST", first: int = 1) -> Sequence[str]:
    """Consecutive numbers."""
    return [f"{stem}{number:03}" for number in range(first, first + count)]
