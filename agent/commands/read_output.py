"""What `platewarden read` puts out: JSON lines, a table for people, and annotated pictures."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.bulk.reader import Picture
from agent.core.reading.sighting import Frame
from agent.disk.atomic_file import private_folder, write_new
from agent.errors import StorageError, UsageError
from agent.vision.annotate import annotate

ENCODABLE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
FRAME_SUFFIX = ".jpg"  # of an annotated video frame
WIDE = 200  # columns, where the table goes to no terminal: file names should stay whole for grep


def to_json(picture: Picture) -> str:
    """The line of docs/ref/read.md. Pixels to a tenth, probabilities to four places: more would be
    noise.
    """
    plates = [
        {
            "text": plate.text.value,
            "box": [round(value, 1) for value in plate.box.box],
            "corners": [[round(x, 1), round(y, 1)] for x, y in plate.box.corners],
            "confidence": round(plate.confidence, 4),
            "char_confidence": [round(value, 4) for value in plate.char_confidence],
            "region": plate.region,
            "state": plate.state,
            "rows": plate.box.rows,
            "alternatives": [
                {"text": other.text.value, "probability": round(other.probability, 4)}
                for other in plate.alternatives
            ],
            "network_text": plate.network_text.value if plate.network_text else None,
            "limits": sorted(plate.limits),
        }
        for plate in picture.plates
    ]
    turned = {} if picture.turned is None else {"turned": picture.turned}
    return json.dumps(
        {"file": picture.name, "plates": plates, "cpu_ms": round(picture.cpu_ms, 2), **turned}
    )


class JsonPrinter:
    """One line a picture, at once: another program may be waiting for it."""

    def add(self, picture: Picture) -> None:
        print(to_json(picture), flush=True)

    def finish(self, failed: int) -> None:
        """Nothing: every line of the output is JSON."""


class TablePrinter:
    """A table for people, printed at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(
            markup=False, highlight=False, width=None if sys.stdout.isatty() else WIDE
        )
        self._table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        self._table.add_column("file", overflow="fold")
        for title in ("plate", "confidence", "region", "x, y, width, height"):
            self._table.add_column(title, no_wrap=True)
        self._pictures = self._plates = 0
        self._cpu_ms = 0.0

    def add(self, picture: Picture) -> None:
        self._pictures += 1
        self._plates += len(picture.plates)
        self._cpu_ms += picture.cpu_ms
        turned = f" (turned {picture.turned}°)" if picture.turned else ""
        name = Text(printable(picture.name) + turned)
        for plate in picture.plates:
            sides = ", ".join(f"{value:.0f}" for value in plate.box.box)
            self._table.add_row(
                name,
                plate.text.value or "not readable",
                f"{plate.confidence:.2f}",
                plate.state or plate.region,
                sides,
            )
            name = Text("")  # said once
        if not picture.plates:
            self._table.add_row(name, "no plate")

    def finish(self, failed: int) -> None:
        """The table, then one line that sums it up."""
        if self._pictures:
            self._console.print(self._table)
            mean_ms = self._cpu_ms / self._pictures
            self._console.print(
                (
                    f"{self._plates} plates in {self._pictures} pictures or frames, "
                    f"{mean_ms:.1f} ms "
                    "CPU each"
                )
                + (f", {failed} could not be read" if failed else "")
            )


class Album:
    """Annotated pictures in a folder of their own, named like the input (never like the plate),
    readable by their owner only: personal data.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Raises UsageError unless `folder` is new or empty, and all names differ: no picture of
        anybody's is ever overwritten.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                "--annotate: exists and is not an empty folder",
                where=folder,
                fix="give a new folder",
            )
        twice = [name for name, times in Counter(names).items() if times > 1]
        if twice:
            raise UsageError(
                "--annotate: two of the inputs have this name",
                where=printable(twice[0]),
                fix="read them in two runs, with a folder each",
            )
        self._folder = folder

    def add(self, frame: Frame, picture: Picture) -> None:
        """Write one. Raises StorageError."""
        name = (
            picture.name
            if Path(picture.name).suffix.lower() in ENCODABLE_SUFFIXES
            else picture.name + FRAME_SUFFIX
        )
        path = self._folder / name
        encoded, data = cv2.imencode(path.suffix.lower(), annotate(frame.image, picture.plates))
        if not encoded:
            raise StorageError(
                "cannot be encoded as a picture",
                where=path,
                fix="this is a fault of Platewarden: please report it",
            )
        private_folder(path.parent)
        write_new(path, data.tobytes())


def printable(text: str) -> str:
    """File names can hold anything: no control character reaches a terminal, no lone surrogate an
    encoder.
    """
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
