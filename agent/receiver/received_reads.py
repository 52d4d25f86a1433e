"""The recipient's store: sealed bytes in files, an index without plaintext beside them; what is
past its deadline is deleted.

A read is in the store when both its file and its row are durable. The file comes first, so a crash
leaves at most a file without a row: the next start removes it, and the broker or the camera
delivers the read again because no receipt was given.
"""

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.core.wire.tags import Tags
from agent.core.wire.versions import EnvelopeMinimum
from agent.disk.atomic_file import PART_SUFFIX, private_folder, read_bounded, remove, write_atomic
from agent.errors import StorageError

INDEX, _SUFFIX = "index.sqlite", ".sealed"
KEEP_REJECTIONS_DAYS = 30
_SCHEMA = """
CREATE TABLE IF NOT EXISTS reads (
    device TEXT, read_id TEXT, sequence INTEGER, deadline TEXT, sha256 TEXT, received_at TEXT,
    PRIMARY KEY (device, read_id)
) STRICT;
CREATE TABLE IF NOT EXISTS sequences (
    device TEXT, sequence INTEGER, PRIMARY KEY (device, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejections (
    sha256 TEXT PRIMARY KEY, device TEXT, read_id TEXT, reason TEXT, at TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS dropped (reason TEXT PRIMARY KEY, messages INTEGER) STRICT;
"""


@dataclass(frozen=True, slots=True)
class StoredRead:
    """One row of the index. `wire_sha256`: lower-case hex."""

    device: str
    read_id: str
    sequence: int
    deadline: datetime
    wire_sha256: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class DeviceSequence:
    """What arrived from one camera: its highest sequence number and the runs (first, last) below it
    that never came.
    """

    device: str
    highest: int
    missing: tuple[tuple[int, int], ...]


class ReceivedReads:
    """The folder store/.

    The primary key holds the device too: one enrolled camera cannot shut out another's read by
    taking its id.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        private_folder(folder)
        try:
            self._index = sqlite3.connect(folder / INDEX, timeout=10, isolation_level=None)
            # Durable at each commit; deleted rows are overwritten. TRUNCATE, not WAL: no second
            # file keeps what was deleted.
            self._index.executescript(
                "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL; "
                f"PRAGMA secure_delete=ON; {_SCHEMA}"
            )
            (folder / INDEX).chmod(0o600)
        except (sqlite3.Error, OSError) as error:
            raise self._fault(error) from None

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def find(self, device: str, read_id: str) -> StoredRead | None:
        """The row of a read whose file is there too; a row whose file somebody deleted counts as
        absent.
        """
        rows = self._rows("WHERE device = ? AND read_id = ?", (device, read_id))
        return rows[0] if rows and self._path(device, read_id).exists() else None

    def reads(self, read_id: str | None = None) -> Sequence[StoredRead]:
        """All rows, or those with this read id, in order of arrival."""
        return self._rows("WHERE read_id = ?" if read_id else "", (read_id,) if read_id else ())

    def add(self, tags: Tags, wire: bytes, received_at: datetime) -> StoredRead:
        """Store a verified read; durable on return. Raises StorageError."""
        row = StoredRead(
            tags.device,
            tags.read_id,
            tags.sequence,
            tags.deadline,
            hashlib.sha256(wire).hexdigest(),
            received_at,
        )
        write_atomic(self._path(tags.device, tags.read_id), wire)
        values = (
            row.device,
            row.read_id,
            row.sequence,
            rfc3339(row.deadline),
            row.wire_sha256,
            rfc3339(received_at),
        )
        self._write(
            ("INSERT OR REPLACE INTO reads VALUES (?, ?, ?, ?, ?, ?)", values),
            ("INSERT OR IGNORE INTO sequences VALUES (?, ?)", (row.device, row.sequence)),
        )
        return row

    def wire(self, row: StoredRead) -> bytes:
        """The sealed bytes: untrusted again, since anybody with the disk may have changed them.

        Raises StorageError.
        """
        return read_bounded(self._path(row.device, row.read_id), MAX_WIRE_BYTES)

    def add_rejection(
        self, tags: Tags | EnvelopeMinimum, wire_sha256: str, reason: str, at: datetime
    ) -> None:
        """Remember that a read of an enrolled camera was turned away; its number did arrive, so it
        is no gap. A version that is not known here does not tell its number: that one stays a gap.
        """
        rejected = (
            "INSERT OR REPLACE INTO rejections VALUES (?, ?, ?, ?, ?)",
            (wire_sha256, tags.device, tags.read_id, reason, rfc3339(at)),
        )
        if isinstance(tags, EnvelopeMinimum):
            self._write(rejected)
            return
        self._write(
            rejected,
            ("INSERT OR IGNORE INTO sequences VALUES (?, ?)", (tags.device, tags.sequence)),
        )

    def count_dropped(self, reason: str, messages: int = 1) -> None:
        """Count messages that nobody can be told about."""
        self._write(
            (
                (
                    "INSERT INTO dropped VALUES (?, ?) ON CONFLICT "
                    "(reason) DO UPDATE SET messages = messages + excluded.messages"
                ),
                (reason, messages),
            )
        )

    def rejections(self) -> Mapping[str, int]:
        """How many reads were rejected in the last days, by reason."""
        return dict(
            self._select("SELECT reason, count(*) FROM rejections GROUP BY reason ORDER BY reason")
        )

    def dropped(self) -> Mapping[str, int]:
        """How many messages were dropped, by reason."""
        return dict(self._select("SELECT reason, messages FROM dropped ORDER BY reason"))

    def sequences(self) -> Sequence[DeviceSequence]:
        """Per camera, what never arrived (P8)."""
        devices: dict[str, list[int]] = {}
        for device, sequence in self._select(
            "SELECT device, sequence FROM sequences ORDER BY device, sequence"
        ):
            devices.setdefault(device, []).append(sequence)
        return [
            DeviceSequence(device, numbers[-1], _gaps(numbers))
            for device, numbers in devices.items()
        ]

    def delete_due(self, now: datetime) -> int:
        """Delete the sealed bytes and rows whose deadline has come; returns how many.

        Raises StorageError.
        """
        due = self._rows("WHERE deadline <= ?", (rfc3339(now),))
        for row in due:
            remove(self._path(row.device, row.read_id))
        oldest = rfc3339(now - timedelta(days=KEEP_REJECTIONS_DAYS))
        self._write(
            ("DELETE FROM reads WHERE deadline <= ?", (rfc3339(now),)),
            ("DELETE FROM rejections WHERE at < ?", (oldest,)),
        )
        return len(due)

    def remove_strays(self) -> int:
        """Remove files that a crash left without a row; returns how many.

        Only before messages are taken. Raises StorageError.
        """
        known = {self._path(row.device, row.read_id).name for row in self.reads()}
        strays = [
            path
            for path in self._folder.iterdir()
            if path.suffix in {_SUFFIX, PART_SUFFIX} and path.name not in known
        ]
        for path in strays:
            remove(path)
        return len(strays)

    def _path(self, device: str, read_id: str) -> Path:
        # both checked by core.wire.tags: no dot, no slash
        return self._folder / f"{device}.{read_id}{_SUFFIX}"

    def _rows(self, where: str, values: tuple[object, ...]) -> Sequence[StoredRead]:
        query = (
            # No stranger's text: `where` is ours.
            "SELECT device, read_id, sequence, deadline, sha256, received_at "  # noqa: S608
            f"FROM reads {where} ORDER BY received_at, rowid"
        )
        rows = self._select(query, values)
        return [
            StoredRead(device, read_id, sequence, parse_rfc3339(due), sha, parse_rfc3339(at))
            for device, read_id, sequence, due, sha, at in rows
        ]

    def _select(self, query: str, values: tuple[object, ...] = ()) -> Sequence[tuple[Any, ...]]:
        try:
            with closing(self._index.execute(query, values)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _write(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        try:
            self._index.execute("BEGIN IMMEDIATE")
            try:
                for statement, values in statements:
                    self._index.execute(statement, values)
                self._index.execute("COMMIT")
            except BaseException:
                self._index.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _fault(self, error: sqlite3.Error | OSError) -> StorageError:
        return StorageError(
            f"the index failed: {error}",
            where=self._folder / INDEX,
            fix="check the disk and that no other receiver uses this folder",
        )


def _gaps(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Runs missing from 1 up to the last of the ascending `numbers`."""
    before = (0, *numbers)
    return tuple(
        (low + 1, high - 1) for low, high in zip(before, numbers, strict=False) if high - low > 1
    )
