"""`platewarden read`: reads the plates in pictures and videos of one's own, for trying out and
measuring. Not in the camera's package (P1).

Everything it reads it prints: this is the one command that writes plates, because a person asked
for exactly that.
"""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.bulk.inputs import Input
    from agent.commands.read_output import Album, JsonPrinter, TablePrinter
    from agent.core.camera.camera_event import CameraEvent
    from agent.ports import PlateDetector, PlateReader

NAMED = 5  # files that were not read
app = typer.Typer(add_completion=False)


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
    stills: Annotated[
        bool,
        typer.Option(
            "--stills",
            help="A picture in which no plate surely stands upright is tried turned by 90, 180 and "
            "270 degrees.",
        ),
    ] = False,
    threads: Annotated[
        int, typer.Option("--threads", min=1, max=16, help="Threads for one picture.")
    ] = 1,
    longest_text: Annotated[
        int,
        typer.Option(
            "--longest-text",
            min=9,
            max=12,
            help="Characters of the longest plates issued there: 10 in India. Longer is never "
            "sure.",
        ),
    ] = 9,
    annotate: Annotated[
        Path | None,
        typer.Option(
            "--annotate",
            help="Also write pictures with what was read drawn in, into a new or empty folder. "
            "They are personal data.",
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
            help="Its plate config (YAML). Without it, NAME_plate_config.yaml beside it is taken.",
        ),
    ] = None,
) -> None:
    """Read the plates in pictures, videos or folders."""
    from agent.bulk.inputs import find_inputs
    from agent.bulk.reader import PeerFiles, open_peers, open_vision
    from agent.commands.read_output import Album, JsonPrinter, TablePrinter

    peers = PeerFiles(detector_file, recognizer_file, recognizer_config)
    peers.require_sense(models)
    found = find_inputs(paths)
    inputs, failures = found.inputs, found.failures
    for failure in failures:
        complain(failure)
    album = Album(annotate, [given.name for given in inputs]) if annotate else None
    printer = JsonPrinter() if as_json else TablePrinter()
    vision = (
        open_peers(threads, models, peers, longest_text)
        if peers.any()
        else open_vision(threads, models, longest_text)
    )
    failures += read_all(
        inputs,
        vision,
        printer,
        album,
        stills=stills,
        bar=sys.stderr.isatty() and not (as_json and sys.stdout.isatty()),
    )
    tell_others(found.others)
    printer.finish(len(failures))
    if failures or not inputs:
        raise typer.Exit(1)


def read_all(
    inputs: "Sequence[Input]",
    vision: "tuple[PlateDetector, PlateReader]",
    printer: "JsonPrinter | TablePrinter",
    album: "Album | None",
    *,
    stills: bool = False,
    bar: bool,
) -> list[SourceError]:
    """Read and print each; one that cannot be read is told, and the others follow."""
    from agent.bulk.inputs import frames_of
    from agent.bulk.reader import read_frame

    failures: list[SourceError] = []
    with progress_bar(len(inputs), shown=bar) as advance:
        for given in inputs:
            try:
                for frame in frames_of(given, tell_event):
                    picture = read_frame(*vision, frame, still=stills and given.is_still)
                    printer.add(picture)
                    if album:
                        album.add(frame, picture)
            except SourceError as error:
                failures.append(error)
                complain(error)
            advance()
    return failures


def tell_others(names: "Sequence[str]") -> None:
    """Nothing is left out in silence."""
    from agent.commands.read_output import printable

    if names:
        listed = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
        print(
            f"platewarden: not read, no picture or video by name ({len(names)}): "
            f"{printable(listed)}",
            file=sys.stderr,
        )


def tell_event(event: "CameraEvent") -> None:
    """One line on stderr: what of a video is not read."""
    from agent.commands.read_output import printable

    print(f"platewarden: {printable(event.said)}", file=sys.stderr)


def complain(error: SourceError) -> None:
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
