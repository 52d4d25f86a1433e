"""Runs our line over a clip, in memory, and notes what it tells: nothing is sealed or kept."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from agent import pipeline
from agent.core.hotlist.intake.list_import import parse_hotlist
from agent.core.policy.counts import Counts
from agent.core.policy.decider import Decider
from agent.core.policy.policy import Decision, Match
from agent.core.reading.sighting import Frame, PlateBox, PlateRead, Sighting, Track
from agent.core.reading.tracking import Tracker
from agent.core.reasons import Reason
from agent.ports import PlateDetector, PlateReader
from agent.vision.stream.on_a_stream import on_a_stream
from bench.clips.clip import START, Box, Clip
from bench.scoring import plain

EMPTY_LIST = b"plate,state,category,agency,case,source_date,expires\n"


@dataclass(frozen=True, slots=True)
class Telling:
    """One vehicle, as the line told it.

    `at`: the frame in hand when it was told. `reads`: frame and box of each read that voted.
    """

    text: str
    confidence: float
    at: int
    reads: tuple[tuple[int, Box], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """All that a line told of one clip, in order.

    `first_read`: for each text, folded, the frame in which the reader first gave it, of any plate.
    """

    tellings: tuple[Telling, ...]
    first_read: Mapping[str, int]


def folded(text: str) -> str:
    """The same for texts that differ at most in characters that issuers draw alike."""
    return plain(text, fold=True)


class Listener:
    """Stands where the line reads, tracks and decides, and writes down what passes."""

    def __init__(self, clip: Clip, reader: PlateReader, tracker: Tracker) -> None:
        self._clip, self._reader, self._tracker = clip, reader, tracker
        self._at, self._track = 0, None
        self._told: list[Telling] = []
        self._first_read: dict[str, int] = {}

    @property
    def told(self) -> Told:
        return Told(tuple(self._told), self._first_read)

    def read(self, frame: Frame, box: PlateBox) -> PlateRead:
        """As PlateReader.read."""
        read = self._reader.read(frame, box)
        self._first_read.setdefault(folded(read.text.value), self._at)
        return read

    def frames(self) -> Iterator[Frame]:
        for frame in self._clip.frames():
            self._at = frame.sequence
            yield frame

    def add(self, *arguments: object) -> Iterator[Track]:
        """As Tracker.add: a track is noted just before the line reports it."""
        return self._noted(self._tracker.add(*arguments))

    def finish(self) -> Iterator[Track]:
        return self._noted(self._tracker.finish())

    def __getattr__(self, name: str) -> object:
        return getattr(self._tracker, name)

    def _noted(self, tracks: Iterable[Track]) -> Iterator[Track]:
        for track in tracks:
            self._track = track
            yield track

    def decide(self, sighting: Sighting, match: Match | None) -> Decision:
        """As Decider.decide: releases nothing."""
        del match
        reads = tuple((self._number(read.captured.utc), read.box.box) for read in self._track.reads)
        self._told.append(Telling(sighting.text.value, sighting.confidence, self._at, reads))
        return Decision((), (Reason.NO_HOTLIST_MATCH,))

    def _number(self, captured: datetime) -> int:
        return round((captured - START).total_seconds() * self._clip.frames_per_second)


def told_by_our_line(
    clip: Clip, detector: PlateDetector, reader: PlateReader, tracker: Tracker | None = None
) -> Told:
    """What `watch` would have matched against its list."""
    listener = Listener(clip, reader, tracker or Tracker())
    looking, reading = on_a_stream(detector, listener, listener)
    line = unsealing_line(looking, reading, listener, listener, Counts())
    pipeline.watch(line, listener.frames(), lambda: None)
    return listener.told


def unsealing_line(
    detector: PlateDetector,
    reader: PlateReader,
    tracker: Tracker,
    decider: Decider,
    counts: Counts,
) -> pipeline.Line:
    """A camera's line over an empty list, whose `decider` releases nothing."""
    return pipeline.Line(
        camera="clip",
        detector=detector,
        reader=reader,
        tracker=tracker,
        hotlist=parse_hotlist(EMPTY_LIST, "empty", date(2026, 11, 22)),
        decider=decider,
        sealer=None,  # nothing is released
        outbox=None,
        log=None,
        counts=counts,
    )
