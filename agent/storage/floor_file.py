"""The floor under watch's log, kept outside its folder: watch signs it into the outbox, deliver
keeps the highest and shows it in receipts/, and watch looks there before it begins.

Mitigates against: an older copy of state/watch that is put back, or the folder emptied, and numbers
that are then used twice. Deliver can keep a floor from watch, and cannot make one up: watch's own
log key has signed it. Limit: whoever puts back all folders of the state, or holds that key.
"""

import base64
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.core.log.checkpoint import MAX_NOTE_BYTES
from agent.core.log.floor import Floor, floor_lines
from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import LogRefusedError, StorageError
from agent.storage.audit_log import AuditLog
from agent.storage.log_notes import looked_at, verified_floor
from agent.storage.log_schema import EARLIER_TABLE, SEQUENCE_TABLE

WRITE_EVERY_S = 10.0
SHARED_MODE = 0o640  # the other process is another user of the same group
_FIX = (
    "keep the folder as it is, run `platewarden audit verify` with --checkpoint {}, tell the "
    "auditor; a new log needs an empty folder, says that this one is missing, and counts on"
)


def open_above(
    path: Path, origin: str, key: Ed25519PrivateKey, now: Callable[[], Instant], shown: Path
) -> AuditLog:
    """Watch's log, above the floor at `shown`, if there is one. A new log says in its first leaf
    how many leaves are missing, and its numbers go on above those that were given out.

    Raises LogRefusedError where an older copy of the log was put back (log-truncated), or another
    history (root-mismatch), StorageError.
    """
    log = AuditLog(path, origin, key, now)
    try:
        log.add_tables(f"{SEQUENCE_TABLE}; {EARLIER_TABLE}")
        floor, refused = looked_at(shown, origin, key.public_key())
        if floor is not None and log.size == 0:
            _begin_above(log, floor)
        elif floor is not None:
            _require_above(log, floor, path, shown)
        if refused:
            log.append(
                LeafKind.REFUSAL,
                {"reason": Reason.CHECKPOINT_INVALID, "where": "receipts", "what": refused},
            )
    except BaseException:
        log.close()
        raise
    return log


class FloorWriter:
    """Watch's part: the floor in the outbox, not older than WRITE_EVERY_S while leaves come."""

    def __init__(self, path: Path, log: AuditLog) -> None:
        self._path, self._log = path, log
        self._written, self._written_s = -1, -WRITE_EVERY_S

    def write(self, *, at_once: bool = False) -> None:
        """Bring it up to date, if it is due. Raises StorageError."""
        now_s = time.monotonic()
        if self._log.size == self._written or not (
            at_once or now_s - self._written_s >= WRITE_EVERY_S
        ):
            return
        rows = self._log.query("SELECT recipient, last FROM outbox_sequence")
        sequences = {str(recipient): last for recipient, last in rows if isinstance(last, int)}
        lines = floor_lines(_earlier(self._log), sequences)
        write_atomic(self._path, self._log.signed_with(lines), SHARED_MODE)
        self._written, self._written_s = self._log.size, now_s


class FloorKeeper:
    """Deliver's part: takes the floor from the outbox, keeps the highest in its own state, and
    shows it to watch. All that it reads is untrusted until its signature is checked.
    """

    def __init__(
        self, source: Path, kept: Path, shown: Path, origin: str, public_key: bytes
    ) -> None:
        self._source, self._targets, self._origin = source, (kept, shown), origin
        self._key = Ed25519PublicKey.from_public_bytes(public_key)
        self._stamp: tuple[int, int] | None = None
        notes = [(found, note) for path in self._targets for found, note in self._read(path)]
        self._highest = max((found.height for found, _ in notes), default=-1)
        for found, note in notes:
            if found.height == self._highest:
                self._write(note)
                break

    def look(self) -> tuple[Reason, str] | None:
        """Take a newer floor; the reason and the words, if there is something wrong with watch's
        log. Raises StorageError.
        """
        try:
            status = os.stat(self._source)  # noqa: PTH116 - four times a second
        except OSError:
            return None
        if (stamp := (status.st_ino, status.st_mtime_ns)) == self._stamp:
            return None
        self._stamp = stamp
        for found, note in self._read(self._source):
            if found.height < self._highest:
                what = f"watch's log knows of {found.height} leaves; {self._highest} were signed"
                return Reason.LOG_TRUNCATED, what
            self._highest = found.height
            self._write(note)
            return None
        return Reason.CHECKPOINT_INVALID, "watch's checkpoint is not signed by its log's key"

    def _read(self, path: Path) -> list[tuple[Floor, bytes]]:
        """The floor in a file and its bytes; empty when there is none that counts."""
        try:
            note = read_bounded(path, MAX_NOTE_BYTES)
        except StorageError:
            return []
        found = verified_floor(note, self._origin, self._key)
        return [(found, note)] if found else []

    def _write(self, note: bytes) -> None:
        for path, mode in zip(self._targets, (0o600, SHARED_MODE), strict=True):
            if note not in [there for _, there in self._read(path)]:
                write_atomic(path, note, mode)


def _begin_above(log: AuditLog, floor: Floor) -> None:
    def also(connection: sqlite3.Connection, _leaf: int) -> None:
        connection.execute("INSERT INTO earlier_log VALUES (?)", (floor.height,))
        connection.executemany("INSERT INTO outbox_sequence VALUES (?, ?)", floor.sequences.items())

    details = {
        "leaves": floor.height,
        "root": base64.b64encode(floor.checkpoint.root).decode(),
        "sequences": dict(floor.sequences),
    }
    log.append(LeafKind.MISSING, details, also=also)


def _require_above(log: AuditLog, floor: Floor, path: Path, shown: Path) -> None:
    earlier = _earlier(log)
    if earlier + log.size < floor.height:
        what = (
            f"an older copy of the log was put back: deliver keeps a checkpoint of {floor.height} "
            f"leaves, {earlier + log.size} are there"
        )
        raise LogRefusedError(Reason.LOG_TRUNCATED, what, where=path, fix=_FIX.format(shown))
    same_log = floor.earlier == earlier and floor.checkpoint.size > 0
    if same_log and log.root_at(floor.checkpoint.size) != floor.checkpoint.root:
        what = f"the first {floor.checkpoint.size} leaves are not the ones that deliver knows of"
        raise LogRefusedError(Reason.ROOT_MISMATCH, what, where=path, fix=_FIX.format(shown))


def _earlier(log: AuditLog) -> int:
    rows = log.query("SELECT leaves FROM earlier_log")
    return rows[0][0] if rows and isinstance(rows[0][0], int) else 0
