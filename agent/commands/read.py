"""`platewarden read`: reads the plates in pictures and videos of one's own, for trying out and
measuring. Not in the camera's package (P1).

Everything it reads it prints: this is the one command that writes plates, because a person asked
for exactly that.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import PlatewardenError, SourceError, UsageError

if TYPE_CHECKING:
    from agent.commands.read_output import Picture
    from agent.core.reading.sighting import Frame
    from agent.ports import Clock, PlateDetector, PlateReader

app = typer.Typer(add_completion=False)

NANOSECONDS_PER_MS = 1_000_000


@app.command()
def read(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Pictures, videos, or folders of them (with sub-folders).",
            show_default=False,
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per picture or video frame, one a line.")
    ] = False,
    threads: Annotated[
        int, typer.Option("--threads", min=1, max=16, help="Threads for one picture.")
    ] = 1,
    annotate: Annotated[
        Path | None,
        typer.Option(
            "--annotate",
            help="Also write pictures with what was read drawn in: personal data. A new or empty "
            "folder.",
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option("--models", help="Another folder with a manifest.json and its models."),
    ] = None,
    detector_file: Annotated[
        Path | None,
        typer.Option(
            "--detector", help="Another project's plate detector, for comparing: a YOLO in ONNX."
        ),
    ] = None,
    recognizer_file: Annotated[
        Path | None,
        typer.Option(
            "--recognizer",
            help="Another project's recogniser, for comparing: fast-plate-ocr's ONNX.",
        ),
    ] = None,
    recognizer_config: Annotated[
        Path | None,
        typer.Option(
            "--recognizer-config",
            help="Its plate config (YAML); without: NAME_plate_config.yaml beside it.",
        ),
    ] = None,
) -> None:
    """Read the plates in pictures, videos or folders."""
    from agent.commands.read_output import Album, JsonPrinter, TablePrinter

    peers = Peers(detector_file, recognizer_file, recognizer_config)
    peers.require_sense(models)
    inputs, failures = find_inputs(paths)
    album = Album(annotate, [given.name for given in inputs]) if annotate else None
    printer = JsonPrinter() if as_json else TablePrinter()
    detector, reader = (
        open_peers(threads, models, peers) if peers.any() else open_vision(threads, models)
    )
    with progress_bar(
        len(inputs), shown=sys.stderr.isatty() and not (as_json and sys.stdout.isatty())
    ) as advance:
        for given in inputs:
            try:
                for frame in frames_of(given):
                    picture = read_frame(detector, reader, frame)
                    printer.add(picture)
                    if album:
                        album.add(frame, picture)
            except SourceError as error:
                failures.append(error)
                complain(error)
            advance()
    printer.finish(len(failures))
    if failures or not inputs:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read. `name`: what stands in the output, relative to the folder that was
    given.
    """

    path: Path
    name: str


def find_inputs(paths: Sequence[str]) -> tuple[list[Input], list[SourceError]]:
    """All files to read, sorted within each folder, and the folders that hold none. Raises
    UsageError for a path that does not exist.
    """
    from agent.camera.images import IMAGE_SUFFIXES, find_files
    from agent.camera.sources import decline_address
    from agent.camera.video import VIDEO_SUFFIXES

    inputs: list[Input] = []
    failures: list[SourceError] = []
    for text in paths:
        decline_address(text)
        path = Path(text)
        if not path.exists():
            raise UsageError("no such file or folder", where=text, fix="check the path")
        found = (
            [(path, path.name)]
            if not path.is_dir()
            else find_files(path, IMAGE_SUFFIXES | VIDEO_SUFFIXES)
        )
        inputs += (Input(file, name) for file, name in found)
        if not found:
            failures.append(
                SourceError(
                    "no picture or video in this folder",
                    where=text,
                    fix=f"they end in {', '.join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))}",
                )
            )
            complain(failures[-1])
    return inputs, failures


def open_vision(threads: int, models: Path | None) -> "tuple[PlateDetector, PlateReader]":
    """The real detector and reader. Raises ModelError."""
    from agent.vision.model_loader import load_vision

    return load_vision(threads, models)


@dataclass(frozen=True, slots=True)
class Peers:
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


def open_peers(
    threads: int, models: Path | None, peers: Peers
) -> "tuple[PlateDetector, PlateReader]":
    """Theirs where named, ours elsewhere; imported only here, when asked for. Raises ModelError,
    ConfigError, UsageError.
    """
    from agent.peers.peer_loader import load_detector, load_reader

    detector = load_detector(peers.detector, threads) if peers.detector else None
    reader = load_reader(peers.recognizer, peers.config, threads) if peers.recognizer else None
    if detector and reader:
        return detector, reader
    our_detector, our_reader = open_vision(threads, models)
    return detector or our_detector, reader or our_reader


def frames_of(given: Input) -> Iterator["Frame"]:
    """The frames of one picture or video. Raises SourceError."""
    from agent.camera.images import IMAGE_SUFFIXES, ImageSource
    from agent.camera.video import VideoSource
    from agent.host.clock import SystemClock
    from agent.settings import Limits

    clock: Clock = SystemClock()
    max_pixels = Limits().max_source_pixels
    if given.path.suffix.lower() in IMAGE_SUFFIXES:
        yield from ImageSource([(given.path, given.name)], clock, max_pixels).frames()
        return
    video = VideoSource(given.path, given.name, clock, max_pixels)
    try:
        yield from video.frames()
    finally:
        video.close()


def read_frame(detector: "PlateDetector", reader: "PlateReader", frame: "Frame") -> "Picture":
    """Find and read; the clock runs for nothing else."""
    from agent.commands.read_output import Picture
    from agent.pipeline import plates_in

    begun_ns = time.process_time_ns()
    plates = plates_in(detector, reader, frame)
    cpu_ms = (time.process_time_ns() - begun_ns) / NANOSECONDS_PER_MS
    return Picture(
        frame.file,
        tuple(sorted(plates, key=lambda plate: (-plate.confidence, -plate.box.confidence))),
        cpu_ms,
    )


def complain(error: PlatewardenError) -> None:
    """One line on stderr; the run goes on."""
    from agent.commands.read_output import printable

    print(f"platewarden: {printable(str(error))}", file=sys.stderr)


@contextmanager
def progress_bar(total: int, *, shown: bool) -> "Iterator[Callable[[], None]]":
    """A bar on stderr, gone when done; without a terminal, nothing. Gives the function that moves
    it by one.
    """
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    # rich would send what we print through its own console, that is, to stderr: only errors may
    # take that way.
    with Bar(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("reading", total=total)
        yield lambda: bar.advance(task)
