"""Holds, and what is held under them, in the SQLite index."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.errors import StorageError
from agent.receiver.store.holds.held_reads import HeldRead, KeptHold

SCHEMA = """
CREATE TABLE IF NOT EXISTS holds (
    id TEXT PRIMARY KEY, record BLOB, own_half TEXT, expires_at TEXT, by TEXT, at TEXT,
    ended_at TEXT, ended_by TEXT NOT NULL DEFAULT '', told INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS held (
    hold TEXT, device TEXT, read_id TEXT, sha256 TEXT, at TEXT, by TEXT, refused TEXT, sealed BLOB,
    PRIMARY KEY (hold, device, read_id)
) STRICT
"""
Execute = Callable[[str, tuple[object, ...]], Any]
Select = Callable[..., Sequence[tuple[Any, ...]]]
Transaction = Callable[[], AbstractContextManager[None]]


class SqliteHolds:
    """Implements HeldReads. `execute`, `select`, `transaction`: their index's."""

    def __init__(self, execute: Execute, select: Select, transaction: Transaction) -> None:
        self._execute, self._select, self._transaction = execute, select, transaction

    def add(self, hold: KeptHold) -> None:
        """Implements HeldReads."""
        with self._transaction():
            self._execute(
                "INSERT INTO holds (id, record, own_half, expires_at, by, at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                (
                    *(hold.id, hold.record, hold.own_half, rfc3339(hold.expires_at)),
                    *(hold.by, rfc3339(hold.at)),
                ),
            )

    def holds(self) -> Sequence[KeptHold]:
        """Implements HeldReads."""
        return [
            KeptHold(
                *(name, record, own_half, parse_rfc3339(expires), by, parse_rfc3339(at)),
                ended_at=parse_rfc3339(ended) if ended else None,
                ended_by=ended_by,
                told=bool(told),
            )
            for name, record, own_half, expires, by, at, ended, ended_by, told in self._select(
                "SELECT * FROM holds ORDER BY at, id"
            )
        ]

    def keep(self, read: HeldRead, sealed: bytes) -> bool:
        """Implements HeldReads."""
        with self._transaction():
            added = self._execute(
                "INSERT OR IGNORE INTO held SELECT ?, ?, ?, ?, ?, ?, ?, ? "
                "WHERE EXISTS (SELECT 1 FROM holds WHERE id = ? AND ended_at IS NULL)",
                (
                    *(read.hold, *read.name, read.wire_sha256, rfc3339(read.at), read.by),
                    *(read.refused, sealed, read.hold),
                ),
            )
        return bool(added.rowcount)

    def reads(self, hold: str) -> Sequence[HeldRead]:
        """Implements HeldReads."""
        return [
            HeldRead(name, device, read_id, digest, parse_rfc3339(at), by, refused)
            for name, device, read_id, digest, at, by, refused in self._select(
                "SELECT hold, device, read_id, sha256, at, by, refused FROM held WHERE hold = ? "
                "ORDER BY at, rowid",
                (hold,),
            )
        ]

    def sealed(self, read: HeldRead) -> bytes:
        """Implements HeldReads."""
        found = self._select(
            "SELECT sealed FROM held WHERE hold = ? AND device = ? AND read_id = ?",
            (read.hold, *read.name),
        )
        if not found:
            raise StorageError("is held no longer", where=f"read {read.read_id}")
        return bytes(found[0][0])

    def end(self, hold: str, at: datetime, by: str) -> None:
        """Implements HeldReads. What is deleted is overwritten, and out of the log beside the
        index.
        """
        with self._transaction():
            self._execute("DELETE FROM held WHERE hold = ?", (hold,))
            self._execute(
                "UPDATE holds SET ended_at = ?, ended_by = ? WHERE id = ? AND ended_at IS NULL",
                (rfc3339(at), by, hold),
            )
        self._select("PRAGMA wal_checkpoint(TRUNCATE)")

    def told(self, hold: str) -> None:
        """Implements HeldReads."""
        with self._transaction():
            self._execute("UPDATE holds SET told = 1 WHERE id = ?", (hold,))
