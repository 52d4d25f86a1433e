"""Opens our models or other people's, and reads one frame with them, by the clock."""

import time
from pathlib import Path

from agent.core.reading.quarter_turns import StillReads
from agent.core.reading.sighting import Frame, PlateRead
from agent.errors import UsageError
from agent.pipeline import plates_in, plates_in_still
from agent.ports import PlateDetector, PlateReader
from agent.values import dataclass
from agent.vision.model_loader import load_vision
from agent.vision.whole.limits import LONGEST

NANOSECONDS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """What was read in one picture or video frame, best plate first.

    `cpu_ms`: process CPU time of finding and reading, all turns together, without decoding.
    `turned`: degrees clockwise that a still was turned to read it; None: no turn was to be tried.
    """

    name: str
    plates: tuple[PlateRead, ...]
    cpu_ms: float
    turned: int | None = None


@dataclass(frozen=True, slots=True)
class PeerFiles:
    """Other projects' models, as typed; None: ours."""

    detector: Path | None = None
    recognizer: Path | None = None
    config: Path | None = None

    def any(self) -> bool:
        return self.detector is not None or self.recognizer is not None

    def require_sense(self, models: Path | None) -> None:
        """Raises UsageError for an option that could have no effect."""
        if self.config and not self.recognizer:
            raise UsageError(
                "there is no recogniser that it could describe",
                where="--recognizer-config",
                fix="add --recognizer, or leave it out",
            )
        if models and self.detector and self.recognizer:
            raise UsageError(
                "no model of ours is left to load",
                where="--models",
                fix="leave it out, or one of --detector and --recognizer",
            )


def open_vision(
    threads: int, models: Path | None, longest_text: int = LONGEST
) -> tuple[PlateDetector, PlateReader]:
    """Our own detector and reader. Raises ModelError."""
    return load_vision(threads, models, longest_text)


def open_peers(
    threads: int, models: Path | None, peers: PeerFiles, longest_text: int = LONGEST
) -> tuple[PlateDetector, PlateReader]:
    """Theirs where named, ours elsewhere. Raises ModelError, ConfigError, UsageError."""
    # imported only when asked for: reading with our own models loads nothing of theirs
    from agent.peers.peer_loader import load_detector, load_reader  # noqa: PLC0415

    detector = load_detector(peers.detector, threads) if peers.detector else None
    reader = load_reader(peers.recognizer, peers.config, threads) if peers.recognizer else None
    if detector and reader:
        return detector, reader
    our_detector, our_reader = open_vision(threads, models, longest_text)
    return detector or our_detector, reader or our_reader


def read_frame(
    detector: PlateDetector, reader: PlateReader, frame: Frame, *, still: bool = False
) -> Picture:
    """Find and read; the clock runs for nothing else. `still`: it may lie or stand on its head."""
    begun_ns = time.process_time_ns()
    seen = (
        plates_in_still(detector, reader, frame)
        if still
        else StillReads(plates_in(detector, reader, frame))
    )
    cpu_ms = (time.process_time_ns() - begun_ns) / NANOSECONDS_PER_MS
    return Picture(
        frame.file,
        tuple(sorted(seen.reads, key=lambda plate: (-plate.confidence, -plate.box.confidence))),
        cpu_ms,
        seen.turned if still else None,
    )
