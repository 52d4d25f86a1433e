"""The recipient's store: sealed bytes in files, an index without plaintext beside them; what is
past its deadline is deleted.

A read is in the store when both its file and its row are durable. Order: the file, synced, in
`incoming/` → its row → its name in the store. A crash leaves at most files in `incoming/`. The next
start names those whose row is there, and removes the others: their reads are delivered again,
because no receipt was given. So no start has to go through all that is stored.
"""

import hashlib
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent.core.reasons import Reason
from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.core.wire.sealed_read import MAX_WIRE_BYTES, SealedRead
from agent.core.wire.tags import Tags
from agent.core.wire.versions import EnvelopeMinimum
from agent.disk.atomic_file import (
    PART_SUFFIX,
    private_folder,
    publish,
    read_bounded,
    remove,
    rename,
    storage_error,
    sync_folder,
    write_all_new,
)
from agent.disk.private_file import create_private
from agent.errors import StorageError
from agent.receiver.store.acts.sqlite_acts import SCHEMA as ACTS_SCHEMA
from agent.receiver.store.acts.sqlite_acts import SqliteActs
from agent.receiver.store.arrived_numbers import ArrivedNumbers
from agent.receiver.store.holds.sqlite_holds import SCHEMA as HOLDS_SCHEMA
from agent.receiver.store.holds.sqlite_holds import SqliteHolds
from agent.receiver.store.read_store import (
    KEEP_REJECTIONS_DAYS,
    DeviceSequence,
    Kept,
    Name,
    StoredRead,
    row_of,
)
from agent.receiver.store.sqlite_rings import SCHEMA as RINGS_SCHEMA
from agent.receiver.store.sqlite_rings import SqliteRings

INDEX, INCOMING, _SUFFIX = "index.sqlite", "incoming", ".sealed"
SCHEMA_VERSION = 5
# numbers stay when a read is deleted: a number that comes again is known for ever. `runs`: the same
# numbers without gaps; `twice`: digests that came under a number after the first. `to_tell`: reads
# of which nobody knows yet.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS reads (
    device TEXT, read_id TEXT, sequence INTEGER, deadline TEXT, sha256 TEXT, received_at TEXT,
    PRIMARY KEY (device, read_id)
) STRICT;
CREATE INDEX IF NOT EXISTS reads_by_deadline ON reads (deadline);
CREATE INDEX IF NOT EXISTS reads_by_id ON reads (read_id);
CREATE TABLE IF NOT EXISTS sequences (
    device TEXT, sequence INTEGER, sha256 TEXT, PRIMARY KEY (device, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    device TEXT, first INTEGER, last INTEGER, PRIMARY KEY (device, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twice (
    device TEXT, sequence INTEGER, sha256 TEXT, PRIMARY KEY (device, sequence, sha256)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS to_tell (
    device TEXT, read_id TEXT, PRIMARY KEY (device, read_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejections (
    sha256 TEXT PRIMARY KEY, device TEXT, read_id TEXT, reason TEXT, at TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS dropped (reason TEXT PRIMARY KEY, messages INTEGER) STRICT
"""


class ReceivedReads:
    """The folder store/. Implements ReadStore, for one receiver at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._incoming = folder, folder / INCOMING
        private_folder(folder)
        private_folder(self._incoming)
        create_private(folder / INDEX, "cannot open the index")
        try:
            self._index = sqlite3.connect(folder / INDEX, timeout=10, isolation_level=None)
            # Durable at each commit; deleted rows are overwritten. The write-ahead log, which could
            # keep what was deleted, is emptied with each deletion.
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                self._index.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            raise self._fault(error) from None
        self._numbers = ArrivedNumbers(self._index.execute, self._select)
        parts = (self._index.execute, self._select, self._transaction)
        self.rings, self.acts = SqliteRings(*parts), SqliteActs(*parts)
        self.holds = SqliteHolds(*parts)
        self._prepare()

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
        digest = hashlib.sha256(wire).hexdigest()
        return self.add_all({digest: SealedRead(tags, wire)}, received_at)[0].row

    def add_all(self, reads: Mapping[str, SealedRead], received_at: datetime) -> Sequence[Kept]:
        """Implements ReadStore: one sync of the index and one of the folder for all."""
        rows = [row_of(read.tags, digest, received_at) for digest, read in reads.items()]
        there = {row.name: self.find(*row.name) for row in rows}
        new = {row: reads[row.wire_sha256].wire for row in rows if there[row.name] is None}
        if new:
            self._store(new)
        return [Kept(there[row.name] or row, row in new) for row in rows]

    def place(self) -> tuple[int, int]:
        """Implements ReadStore: there is one."""
        return 0, 1

    def doubts(self) -> Sequence[str]:
        """Implements ReadStore: files and index are synced, whatever anybody set."""
        return ()

    def known(self, names: Sequence[Name]) -> Mapping[Name, str]:
        """Implements ReadStore."""
        found = (self.find(*name) for name in names)
        return {row.name: row.wire_sha256 for row in found if row is not None}

    def untold(self) -> Sequence[StoredRead]:
        """Implements ReadStore: who left them is dead, since one receiver runs at a time."""
        return self._rows("WHERE (device, read_id) IN (SELECT device, read_id FROM to_tell)")

    def told(self, names: Sequence[Name], ringers: Sequence[str] = ()) -> None:
        """Implements ReadStore. No sync: a crash of the machine tells them again."""
        self._select("PRAGMA synchronous = NORMAL")
        try:
            with self._transaction():
                for name in names:
                    self._told(name, ringers)
        finally:
            self._select("PRAGMA synchronous = FULL")

    def wire(self, row: StoredRead) -> bytes:
        """The sealed bytes: untrusted again, since anybody with the disk may have changed them.

        Raises StorageError.
        """
        path = self._path(row.device, row.read_id)
        for place in (path, self._incoming / path.name):  # there, or just arriving
            with suppress(StorageError):
                return read_bounded(place, MAX_WIRE_BYTES)
        return read_bounded(path, MAX_WIRE_BYTES)

    def add_rejection(
        self, tags: Tags | EnvelopeMinimum, wire_sha256: str, reason: str, at: datetime
    ) -> None:
        """Remember that a read of an enrolled camera was turned away; its number did arrive, so it
        is no gap. Another recipient's numbers are not ours, and a version that is not known here
        does not tell its number: that one stays a gap.
        """
        values = (wire_sha256, tags.device, tags.read_id, reason, rfc3339(at))
        with self._transaction():
            self._index.execute("INSERT OR REPLACE INTO rejections VALUES (?, ?, ?, ?, ?)", values)
            if isinstance(tags, Tags) and reason != Reason.NOT_FOR_THIS_RECIPIENT:
                self._numbers.count([(tags.device, tags.sequence, wire_sha256)])

    def count_dropped(self, reason: str, messages: int = 1) -> None:
        """Count messages that nobody can be told about."""
        with self._transaction():
            self._index.execute(
                "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET messages = "
                "messages + excluded.messages",
                (reason, messages),
            )

    def held(self) -> tuple[int, datetime | None]:
        """How many reads are stored, and the first deadline among them."""
        [(count,)] = self._select("SELECT count(*) FROM reads")
        [(first,)] = self._select("SELECT min(deadline) FROM reads")
        return count, parse_rfc3339(first) if first else None

    def rejections(self) -> Mapping[str, int]:
        """How many reads were rejected in the last days, by reason."""
        return dict(
            self._select("SELECT reason, count(*) FROM rejections GROUP BY reason ORDER BY reason")
        )

    def dropped(self) -> Mapping[str, int]:
        """How many messages were dropped, by reason."""
        return dict(self._select("SELECT reason, messages FROM dropped ORDER BY reason"))

    def sequences(self) -> Sequence[DeviceSequence]:
        """Implements ReadStore."""
        return self._numbers.sequences()

    def delete_due(self, now: datetime, spared: Collection[Name] = ()) -> int:
        """Implements ReadStore."""
        rows = self._rows("WHERE deadline <= ?", (rfc3339(now),))
        due = [row for row in rows if row.name not in spared]
        for row in due:
            remove(self._path(row.device, row.read_id))
        oldest = rfc3339(now - timedelta(days=KEEP_REJECTIONS_DAYS))
        with self._transaction():
            for table in ("reads", "to_tell", "to_ring", "acts"):
                self._index.executemany(
                    f"DELETE FROM {table} WHERE device = ? AND read_id = ?",  # noqa: S608  # ours
                    [row.name for row in due],
                )
            self._index.execute("DELETE FROM rejections WHERE at < ?", (oldest,))
        # into the database, where what was deleted is overwritten, and out of the log beside it
        self._select("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(due)

    def recover(self) -> int:
        """Finish or remove what a crash left in `incoming/`; returns how many files there were.

        Only before messages are taken. Raises StorageError.
        """
        left = self._left()
        for part in sorted(left):
            device, _, read_id = part.name.removesuffix(_SUFFIX).partition(".")
            rows = self._rows("WHERE device = ? AND read_id = ?", (device, read_id))
            found = hashlib.sha256(read_bounded(part, MAX_WIRE_BYTES)).hexdigest()
            if rows and rows[0].wire_sha256 == found:
                publish(part, self._path(device, read_id))
            else:
                remove(part)
        return len(left)

    def _left(self) -> set[Path]:
        """What lies in `incoming/`: nothing, but after a crash or a failed write."""
        try:
            return set(self._incoming.iterdir())
        except OSError as error:
            raise storage_error(error, self._incoming, "cannot list the folder") from None

    def _prepare(self) -> None:
        """Make the tables, or bring those of an older version up to date: once, and it looks at
        every row and file.
        """
        if self._version() == SCHEMA_VERSION:
            return
        with self._transaction():
            version = self._version()
            if version > SCHEMA_VERSION:
                raise StorageError(
                    f"is of version {version}; this software knows {SCHEMA_VERSION}",
                    where=self._folder / INDEX,
                    fix="update Platewarden on this machine",
                )
            if version < SCHEMA_VERSION:
                self._upgrade(version)
                self._index.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _told(self, name: Name, ringers: Sequence[str]) -> None:
        """A read that was told already is not rung again."""
        gone = self._index.execute("DELETE FROM to_tell WHERE device = ? AND read_id = ?", name)
        if gone.rowcount:
            self._index.executemany(
                "INSERT OR IGNORE INTO to_ring VALUES (?, ?, ?)",
                [(*name, ringer) for ringer in ringers],
            )

    def _version(self) -> int:
        [(version,)] = self._select("PRAGMA user_version")
        return int(version)

    def _upgrade(self, version: int) -> None:
        for schema in (_SCHEMA, RINGS_SCHEMA, ACTS_SCHEMA, HOLDS_SCHEMA):
            for statement in schema.split(";"):
                self._index.execute(statement)
        if version >= 1:  # only tables that were empty were missing
            return
        if not self._select("SELECT 1 FROM pragma_table_info('sequences') WHERE name = 'sha256'"):
            self._index.execute("ALTER TABLE sequences ADD COLUMN sha256 TEXT")
        known = self._select("SELECT device, sequence, sha256, read_id FROM reads ORDER BY rowid")
        self._numbers.make_runs()
        self._numbers.count([(device, sequence, digest) for device, sequence, digest, _ in known])
        names = {self._path(device, read_id).name for device, _, _, read_id in known}
        self._remove_strays(names)

    def _remove_strays(self, known: set[str]) -> None:
        """Files that a crash of an older version left without a row."""
        for path in self._folder.iterdir():
            if path.suffix in {_SUFFIX, PART_SUFFIX} and path.name not in known:
                remove(path)

    def _store(self, new: Mapping[StoredRead, bytes]) -> None:
        """Files, rows, names: as this file's head says."""
        paths = [self._path(*row.name) for row in new]
        parts = {self._incoming / path.name: path for path in paths}
        for part in self._left() & parts.keys():  # of an attempt that failed
            remove(part)
        write_all_new(dict(zip(parts, new.values(), strict=True)), final=parts.__getitem__)
        with self._transaction():
            self._insert(list(new))
        for part, path in parts.items():
            rename(part, path)
        sync_folder(self._folder)

    def _insert(self, rows: Sequence[StoredRead]) -> None:
        self._index.executemany(
            "INSERT OR REPLACE INTO reads VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    *(*row.name, row.sequence),
                    *(rfc3339(row.deadline), row.wire_sha256, rfc3339(row.received_at)),
                )
                for row in rows
            ],
        )
        self._index.executemany(
            "INSERT OR IGNORE INTO to_tell VALUES (?, ?)", [row.name for row in rows]
        )
        self._numbers.count([(row.device, row.sequence, row.wire_sha256) for row in rows])

    def _path(self, device: str, read_id: str) -> Path:
        # both checked by core.wire.tags: no dot, no slash
        return self._folder / f"{device}.{read_id}{_SUFFIX}"

    def _rows(self, where: str, values: tuple[object, ...] = ()) -> Sequence[StoredRead]:
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

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._index.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._index.execute("COMMIT")
            except BaseException:
                self._index.rollback()  # nothing, where SQLite has done so itself
                raise
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _fault(self, error: sqlite3.Error | OSError) -> StorageError:
        return StorageError(
            f"the index failed: {error}",
            where=self._folder / INDEX,
            fix="check the disk and that no other receiver uses this folder",
        )
