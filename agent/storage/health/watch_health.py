"""What watch tells of itself, on its way through the outbox: written once an hour, and read by
deliver as an outsider's.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from agent import boundary
from agent.core.camera.health.watch_facts import MAX_BYTES, WatchFacts, format_facts, parse_facts
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import StorageError
from agent.storage.mailbox import FILE_MODE

TOLD_EVERY_S = 3_600.0
FIRST_AFTER_S = 30.0  # by then the first frames have come, or not
SILENT_AFTER_H = 2.0
"""Watch writes once an hour; what is older says that it does not run, or hangs."""


class WatchHealthWriter:
    """Watch's part. `monotonic_s`: seconds."""

    def __init__(self, path: Path, monotonic_s: Callable[[], float]) -> None:
        self._path, self._monotonic_s = path, monotonic_s
        self._due_s = monotonic_s() + FIRST_AFTER_S

    def write(self, facts: Callable[[], WatchFacts]) -> None:
        """If it is due. Raises StorageError."""
        now_s = self._monotonic_s()
        if now_s >= self._due_s:
            self._due_s = now_s + TOLD_EVERY_S
            write_atomic(self._path, format_facts(facts()), FILE_MODE)


def told_by_watch(path: Path) -> WatchFacts | None:
    """None: it has told nothing. Raises StorageError, EnvelopeRefusedError."""
    try:
        untrusted = read_bounded(path, MAX_BYTES)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    with boundary.document("what watch tells of itself"):
        return parse_facts(untrusted)


def silent_h(facts: WatchFacts | None, now: datetime) -> float | None:
    """Hours since watch told something, where that is too long; 0.0: it tells; None: never."""
    if facts is None:
        return None
    hours = (now - facts.at).total_seconds() / 3_600
    return hours if hours > SILENT_AFTER_H else 0.0
