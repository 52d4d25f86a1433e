"""Searches bytes on disk for plates, in every encoding that a careless program could have written
them in (P9).
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """Where, and in which encoding.

    The plate itself is not repeated: a test's report is an artefact too.
    """

    file: Path
    encoding: str


def encodings(plate: str) -> dict[str, tuple[bytes, ...]]:
    """Every form in which this plate is looked for, by name of the encoding."""
    texts = (plate, plate.lower())
    return {
        "text": tuple(t.encode("ascii") for t in texts),
        "utf-16": tuple(t.encode(order) for t in texts for order in ("utf-16-le", "utf-16-be")),
        "base64": tuple(form for t in texts for form in _base64_forms(t.encode("ascii"))),
        "json-escaped": tuple(form for t in texts for form in _escaped_forms(t)),
    }


def _base64_forms(data: bytes) -> Iterator[bytes]:
    """The characters that `data` alone decides, at each of the three alignments within a longer
    text, in both alphabets.
    """
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data)
        first = -(-shift * 8 // 6)
        last = (shift + len(data)) * 8 // 6
        core = text[first:last]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


def _escaped_forms(text: str) -> Iterator[bytes]:
    """Wholly escaped, with hexadecimal digits in either case."""
    for form in ("\\u{:04x}", "\\u{:04X}"):
        yield "".join(form.format(ord(c)) for c in text).encode("ascii")


def search(folder: Path, plates: Iterable[str], skip: Iterable[Path] = ()) -> list[Found]:
    """All hits in all files below `folder`, apart from the files and folders in `skip`."""
    wanted = [
        (name, form)
        for plate in plates
        for name, forms in encodings(plate).items()
        for form in forms
    ]
    skipped = tuple(skip)
    hits = []
    for file in sorted(
        p
        for p in folder.rglob("*")
        if p.is_file() and not any(p.is_relative_to(s) for s in skipped)
    ):
        data = file.read_bytes()
        hits += [Found(file, name) for name, form in wanted if form in data]
    return hits
