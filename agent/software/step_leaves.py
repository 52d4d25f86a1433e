"""Copies what happened to the software into watch's log: each step once, also over a crash.

The run that tries a version is root's and has no log. It leaves its steps in a file that watch only
reads, and watch tells them between two frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.log.leaf import LeafKind
from agent.core.software.installed import MEMORY
from agent.core.text.rfc3339 import rfc3339
from agent.errors import StorageError
from agent.software.memory_file import read_memory

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from agent.core.software.installed import Step
    from agent.storage.audit_log import AuditLog

_TABLE = "CREATE TABLE IF NOT EXISTS software_told (step INTEGER NOT NULL) STRICT"


class StepLeaves:
    """`folder`: state/software; `log`: watch's."""

    def __init__(self, folder: Path, log: AuditLog) -> None:
        self._folder, self._log = folder, log
        self._stamp: tuple[int, int] | None = None

    def tell(self) -> None:
        """Whatever is new. Raises StorageError (the log's)."""
        stamp = self._now()
        if stamp is None or stamp == self._stamp:
            return
        try:
            steps = read_memory(self._folder).steps
        except StorageError:
            return  # somebody else's file: told when it can be read
        self._stamp = stamp
        self._log.add_tables(_TABLE)
        [(found,)] = self._log.query("SELECT coalesce(max(step), 0) FROM software_told")
        last = int(str(found))
        if steps and steps[-1].n < last:
            last = 0  # the file was lost, and begins anew
        for step in steps:
            if step.n > last:
                self._log.append(LeafKind.SOFTWARE, _details(step), also=_remembers(step.n))

    def _now(self) -> tuple[int, int] | None:
        try:
            found = (self._folder / MEMORY).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def _details(step: Step) -> dict[str, object]:
    details: dict[str, object] = {
        "what": step.what,
        "software": step.version,
        "software_sha256": step.sha256,
        "happened": rfc3339(step.at),
    }
    told = {"reason": step.why, "told": step.told}
    return details | {name: text for name, text in told.items() if text}


def _remembers(n: int) -> Callable[[sqlite3.Connection, int], None]:
    """In the leaf's own transaction: told and remembered, or neither."""

    def write(connection: sqlite3.Connection, _leaf: int) -> None:
        connection.execute("DELETE FROM software_told")
        connection.execute("INSERT INTO software_told (step) VALUES (?)", (n,))

    return write
