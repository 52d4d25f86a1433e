"""Writes a new test plate: four characters by chance, so that a recipient can tell whose sheet came
through.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from agent.core.wire.test_plate import ALPHABET, FREE, plate_for
from agent.disk.atomic_file import write_atomic
from agent.errors import StorageError, UsageError
from agent.provision.plate_pdf import PAPERS_MM, plate_pdf

if TYPE_CHECKING:
    from pathlib import Path


def write_test_plate(path: Path, paper: str) -> dict[str, object]:
    """A PDF of two sheets. Raises UsageError, StorageError."""
    if paper not in PAPERS_MM:
        raise UsageError(
            f"{paper[:20]!a} is no paper", where="--paper", fix=f"one of: {', '.join(PAPERS_MM)}"
        )
    if os.path.lexists(path):
        raise StorageError(
            "exists already; nothing is ever overwritten", where=path, fix="choose another name"
        )
    plate = plate_for([secrets.randbelow(len(ALPHABET)) for _ in range(FREE)])
    write_atomic(path, plate_pdf(plate, paper), 0o644)
    return {"plate": plate, "file": str(path), "paper": paper, "print": "at 100 %, two sheets"}
