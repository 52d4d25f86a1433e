"""Splits the photographs that may only be measured into two parts, once and for ever: *tune*, on
which thresholds and checkpoints are chosen, and *test*, which the cards quote.

The part follows from the photograph's own bytes. So it stays when files are renamed, moved or
added, and two copies of one photograph never judge each other. Never choose on *test*: a figure
that one has chosen by tells nothing of other photographs.
"""

import hashlib
from pathlib import Path
from typing import Literal

Part = Literal["tune", "test"]
PARTS: tuple[Part, ...] = ("tune", "test")
SALT = b"platewarden: tune or test, 1\n"  # another one would be another split: never change it


def part_of(photograph: bytes) -> Part:
    """By the file's content."""
    return PARTS[hashlib.sha256(SALT + photograph).digest()[0] % len(PARTS)]


def part_of_file(path: Path) -> Part:
    """As part_of. Raises OSError where it cannot be read."""
    return part_of(path.read_bytes())
