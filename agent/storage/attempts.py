"""Deliver's own memory of what it has tried: how often each read was published, when it is due
again, what was withdrawn.

Limit: not evidence (the log is that). Lost or deleted, reads are published once more, which
receivers recognise by read id.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from agent.disk.atomic_file import private_folder
from agent.disk.private_file import create_private
from agent.errors import StorageError
from agent.values import dataclass

APPLICATION_ID = 0x504C5754  # "PLWT"
SCHEMA_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS attempt (
    read_id TEXT PRIMARY KEY, tries INTEGER NOT NULL, due_ms INTEGER NOT NULL,
    withdrawn TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class _Row:
    tries: int = 0
    due_ms: int = 0
    withdrawn: str = ""


class Attempts:
    """A table kept in memory and written through to SQLite; one process, one writer. Raises
    StorageError.

    Damaged or of another version: refuses to open, because what was withdrawn must not be forgotten
    by accident.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        private_folder(path.parent)
        create_private(path, "cannot open the attempts database")
        with self._foreign():
            self._connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
            try:
                self._prepare()
                self._rows = {
                    str(read_id): _Row(tries, due, withdrawn)
                    for read_id, tries, due, withdrawn in self._connection.execute(
                        "SELECT * FROM attempt"
                    )
                }
            except BaseException:
                self._connection.close()
                raise

    def tries(self, read_id: str) -> int:
        """How often this read was acknowledged or refused, or ended a connection."""
        return self._rows.get(read_id, _Row()).tries

    def due(self, read_id: str) -> datetime | None:
        """When it may be published again (UTC); None: it never was tried."""
        row = self._rows.get(read_id)
        return datetime.fromtimestamp(row.due_ms / 1000, UTC) if row and row.tries else None

    def withdrawn(self, read_id: str) -> str:
        """The reason for which this read may never be published again; empty if it may."""
        return self._rows.get(read_id, _Row()).withdrawn

    def tried(self, read_id: str, due: datetime) -> None:
        """One more try; the next one is due then."""
        self._write(
            read_id,
            _Row(self.tries(read_id) + 1, int(due.timestamp() * 1000), self.withdrawn(read_id)),
        )

    def withdraw(self, read_id: str, reason: str) -> None:
        """Never again, whatever a later policy says."""
        row = self._rows.get(read_id, _Row())
        self._write(read_id, _Row(row.tries, row.due_ms, reason))

    def keep_only(self, read_ids: Collection[str]) -> None:
        """Forget reads that have left the outbox."""
        gone = [(read_id,) for read_id in self._rows if read_id not in read_ids]
        if not gone:
            return
        with self._foreign():
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM attempt WHERE read_id = ?", gone)
            self._connection.execute("COMMIT")
        for (read_id,) in gone:
            del self._rows[read_id]

    def close(self) -> None:
        """Release the database; everything is on disk already."""
        with self._foreign():
            self._connection.close()

    def _write(self, read_id: str, row: _Row) -> None:
        with self._foreign():
            self._connection.execute(
                "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?)",
                (read_id, row.tries, row.due_ms, row.withdrawn),
            )
        self._rows[read_id] = row

    def _prepare(self) -> None:
        (application_id,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if (application_id, version) not in {(0, 0), (APPLICATION_ID, SCHEMA_VERSION)}:
            raise StorageError(
                "is not deliver's attempts database of this version",
                where=self._path,
                fix="move it away; reads are then published once more",
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        # a lost row costs one repeated publication, a sync per row costs the card
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA trusted_schema = OFF")
        self._connection.execute("PRAGMA cache_size = -256")  # KiB: all rows are in memory already
        self._connection.execute(_TABLE)
        self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _foreign(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            with suppress(AttributeError, sqlite3.Error):  # never opened, or closed
                self._connection.rollback()
            raise StorageError(
                f"the attempts database failed: {error}",
                where=self._path,
                fix="check the disk; if it is damaged move it away: reads are published once more",
            ) from None
