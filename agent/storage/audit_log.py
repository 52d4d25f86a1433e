"""One process's append-only audit log: salted RFC 6962 leaves in SQLite, a signed checkpoint after
every one (P7).

Guarantees: `append` returns after the leaf and its checkpoint are on disk; both or neither survive
a crash; a log that does not agree with its own checkpoints does not open; one writer at a time. The
file `checkpoint` beside the database is a copy, a second behind at the most while leaves come fast.
Limit: whoever holds the log's key and its files can write another history; that is what outside
witnesses are for.
"""

import contextlib
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.log.checkpoint import MAX_NOTE_BYTES, Checkpoint, NoteSignature, body, key_id, note
from agent.core.log.leaf import SALT_BYTES, canonical, salted_leaf_hash
from agent.core.log.merkle import HASH_BYTES, Frontier, frontier_of
from agent.core.log.tally import Tally
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.disk.atomic_file import private_folder, read_bounded, sync_folder, write_atomic
from agent.disk.private_file import create_private, open_private
from agent.errors import LogRefusedError, StorageError
from agent.storage.log_notes import verified_checkpoint
from agent.storage.log_schema import CHECKPOINT_FILE, FOREIGN, database_error, open_for_writing

Also = Callable[[sqlite3.Connection, int], None]
CHECKPOINT_EVERY_S = 1.0  # the copy costs two syncs, as much as all else of a leaf
_ASK_AUDITOR = (
    "keep the folder as it is, run `platewarden audit verify`, tell the auditor; a new log needs "
    "an empty folder"
)


class AuditLog:
    """Implements ports.AuditLog. `origin`: `platewarden/<device>/<process>`. Not for use from
    several threads.

    `tally`: what was appended since it was opened.
    """

    def __init__(
        self, path: Path, origin: str, key: Ed25519PrivateKey, now: Callable[[], Instant]
    ) -> None:
        self._path, self._origin, self._key, self._now = path, origin, key, now
        self.tally = Tally()
        raw = key.public_key().public_bytes_raw()
        self._key_id = key_id(origin, raw)
        self.checkpoint_path = path.with_name(CHECKPOINT_FILE)
        self._uncopied: bytes | None = None
        self._copied_s = -CHECKPOINT_EVERY_S
        private_folder(path.parent)
        with contextlib.ExitStack() as cleanup:
            self._lock: int | None = _lock(path)
            cleanup.callback(os.close, self._lock)
            newest = self._newest_in_file()
            if newest is not None and not path.exists():
                raise LogRefusedError(
                    Reason.LOG_TRUNCATED,
                    f"the database is gone; {newest.size} leaves were signed",
                    where=path,
                    fix=_ASK_AUDITOR,
                )
            create_private(path, "cannot open the log")
            self._connection = open_for_writing(path)
            cleanup.callback(self._connection.close)
            sync_folder(path.parent)
            self._frontier = self._checked_frontier(newest)
            if self._frontier.size:
                self._write_checkpoint_file(self._stored_note(self._frontier.size))
            cleanup.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._origin

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._frontier.size

    def append(self, kind: str, details: Mapping[str, object], *, also: Also | None = None) -> int:
        """Add a leaf and return its number, once it is on disk: `append_all` of one."""
        return self.append_all(kind, (details,), also=also)

    def append_all(
        self, kind: str, many: Sequence[Mapping[str, object]], *, also: Also | None = None
    ) -> int:
        """Add a leaf for each and return the first one's number, once all are on disk: one sync for
        many. `n`, `kind`, `at` and `clock` are set here.

        `also(connection, n)` runs inside the same transaction: what it writes lives or dies with
        the leaves; `n` is the first one's number. Raises StorageError. After an error nothing was
        added, unless only the file `checkpoint` could not be written: the error names that file
        then.
        """
        first, frontier, signed_note = self._frontier.size, self._frontier, self._uncopied
        with self._transaction() as connection:
            for details in many:
                frontier, signed_note = self._insert(connection, frontier, kind, details)
            if also is not None:
                also(connection, first)
        self._frontier, self._uncopied = frontier, signed_note
        for details in many:
            self.tally.add(kind, details)
        self.copy_checkpoint()
        return first

    def _insert(
        self,
        connection: sqlite3.Connection,
        frontier: Frontier,
        kind: str,
        details: Mapping[str, object],
    ) -> tuple[Frontier, bytes]:
        """One leaf with its checkpoint; the frontier and the note after it."""
        number, at = frontier.size, self._now()
        opening = canonical(
            {**details, "n": number, "kind": str(kind), "at": at.iso(), "clock": at.trust.value}
        )
        salt = secrets.token_bytes(SALT_BYTES)
        leaf = salted_leaf_hash(salt, opening)
        after = frontier.append(leaf)
        signed_note = self._sign(after)
        connection.execute(
            "INSERT INTO leaf (n, hash, salt, details) VALUES (?, ?, ?, ?)",
            (number, leaf, salt, opening),
        )
        connection.execute(
            "INSERT INTO checkpoint (size, note, peaks) VALUES (?, ?, ?)",
            (after.size, signed_note, after.encode()),
        )
        return after, signed_note

    def copy_checkpoint(self) -> None:
        """Bring the file `checkpoint` up to date, once in CHECKPOINT_EVERY_S at most. A process
        that goes on without leaves calls this now and then. Raises StorageError.
        """
        if self._uncopied is None or time.monotonic() - self._copied_s < CHECKPOINT_EVERY_S:
            return
        self._write_checkpoint_file(self._uncopied)
        self._uncopied, self._copied_s = None, time.monotonic()

    def signed_with(self, extensions: tuple[str, ...]) -> bytes:
        """The log as it is now, signed, with lines of our own (core/log/floor.py)."""
        return self._sign(self._frontier, extensions)

    def root_at(self, size: int) -> bytes:
        """The root that was signed for the first `size` leaves. Raises LogRefusedError when none
        was.
        """
        return self._verified(self._stored_note(size), self._path).root

    def add_tables(self, statements: str) -> None:
        """Create further tables in the same database, for what must change together with a leaf.
        Raises StorageError.
        """
        with self._transaction() as connection:
            for statement in statements.split(";"):
                connection.execute(statement)

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Rows of a SELECT. Raises StorageError."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except FOREIGN as error:
            raise database_error(error, self._path) from None

    def close(self) -> None:
        """Release the database and the lock. Every leaf is on disk already; the file `checkpoint`
        follows, or is brought up to date at the next start.
        """
        if self._lock is None:
            return
        try:
            if self._uncopied is not None:
                with contextlib.suppress(StorageError):
                    self._write_checkpoint_file(self._uncopied)
            self._connection.close()
        except FOREIGN as error:
            raise database_error(error, self._path) from None
        finally:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()  # nothing, where SQLite has done so itself
                raise
        except FOREIGN as error:
            raise database_error(error, self._path) from None

    def _sign(self, frontier: Frontier, extensions: tuple[str, ...] = ()) -> bytes:
        text = body(Checkpoint(self._origin, frontier.size, frontier.root(), extensions))
        return note(text, [NoteSignature(self._origin, self._key_id, self._key.sign(text))])

    def _write_checkpoint_file(self, signed_note: bytes) -> None:
        write_atomic(self.checkpoint_path, signed_note, 0o600)

    def _stored_note(self, size: int) -> bytes:
        for (stored,) in self.query("SELECT note FROM checkpoint WHERE size = ?", (size,)):
            if isinstance(stored, bytes):
                return stored
        raise LogRefusedError(
            Reason.CHECKPOINT_INVALID,
            f"no checkpoint for {size} leaves",
            where=self._path,
            fix=_ASK_AUDITOR,
        )

    def _newest_in_file(self) -> Checkpoint | None:
        if not os.path.lexists(self.checkpoint_path):
            return None
        return self._verified(
            read_bounded(self.checkpoint_path, MAX_NOTE_BYTES), self.checkpoint_path
        )

    def _verified(self, untrusted_note: bytes, where: Path) -> Checkpoint:
        checkpoint = verified_checkpoint(untrusted_note, self._origin, self._key.public_key())
        if checkpoint is None:
            fix = "is this the log of another device, or was the key replaced? " + _ASK_AUDITOR
            raise LogRefusedError(
                Reason.CHECKPOINT_INVALID,
                "a checkpoint is not signed by this log's key and origin",
                where=where,
                fix=fix,
            )
        return checkpoint

    def _checked_frontier(self, newest: Checkpoint | None) -> Frontier:
        """Recompute the tree from the stored leaf hashes and hold it against the last checkpoint
        and the separate file.
        """
        leaves: list[bytes] = []
        for place, (n, leaf) in enumerate(self.query("SELECT n, hash FROM leaf ORDER BY n")):
            if n != place:
                raise LogRefusedError(
                    Reason.LEAF_MISSING,
                    f"leaf {place} is missing",
                    where=self._path,
                    fix=_ASK_AUDITOR,
                )
            if not isinstance(leaf, bytes) or len(leaf) != HASH_BYTES:
                raise LogRefusedError(
                    Reason.LEAF_CHANGED,
                    f"the hash of leaf {place} is no hash",
                    where=self._path,
                    fix=_ASK_AUDITOR,
                )
            leaves.append(leaf)
        frontier = frontier_of(leaves)
        self._compare(frontier, newest)
        return frontier

    def _compare(self, frontier: Frontier, newest: Checkpoint | None) -> None:
        [(last,)] = self.query("SELECT coalesce(max(size), 0) FROM checkpoint")
        signed = max(int(str(last)), newest.size if newest else 0)
        if frontier.size < signed:
            what = f"{signed} leaves were signed and {frontier.size} are there"
            raise LogRefusedError(Reason.LOG_TRUNCATED, what, where=self._path, fix=_ASK_AUDITOR)
        if frontier.size == 0:
            return
        stored = self._verified(self._stored_note(frontier.size), self._path)
        if stored.size != frontier.size or stored.root != frontier.root():
            what = f"the {frontier.size} leaves are not the ones that were signed"
            raise LogRefusedError(Reason.ROOT_MISMATCH, what, where=self._path, fix=_ASK_AUDITOR)


def _lock(path: Path) -> int:
    """Hold the writer's lock. A file of its own: closing any descriptor of the database would drop
    SQLite's own (POSIX) locks.
    """
    descriptor = open_private(path.with_name(f"{path.name}.lock"), "cannot open the lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StorageError(
            "another process is writing this log",
            where=path,
            fix="stop it first; one log has one writer",
        ) from None
    return descriptor
