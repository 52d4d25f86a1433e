"""Keeps what a trial must remember over a power cut: one small file, written whole, that everybody
may read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.software.installed import (
    MAX_MEMORY_BYTES,
    MEMORY,
    Memory,
    format_memory,
    parse_memory,
)
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import EnvelopeRefusedError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

_PUBLIC = 0o644


def read_memory(folder: Path) -> Memory:
    """What is remembered; nothing where nothing was kept, or where a card has lost its bits: then
    what was tried before may be tried again, and goes through its trial again.

    Raises StorageError.
    """
    path = folder / MEMORY
    try:
        return parse_memory(read_bounded(path, MAX_MEMORY_BYTES), str(path))
    except EnvelopeRefusedError:
        return Memory()
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return Memory()
        raise


def keep_memory(folder: Path, memory: Memory) -> None:
    """On the disk when this returns. Raises StorageError."""
    write_atomic(folder / MEMORY, format_memory(memory), _PUBLIC)
