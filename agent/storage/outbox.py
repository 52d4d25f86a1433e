"""The outbox as watch, its only writer, holds it: no read becomes visible, or disappears, without
its leaf in the log (P8).

Order of `put`: the bytes, synced, under a hidden name → leaf and ledger row in one transaction →
rename → sync of the folder. Order of `remove`: leaf and ledger row → unlink. `recover` finishes
either after a crash at any instant.
"""

import hashlib
import sqlite3
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.tags import Tags
from agent.disk.atomic_file import (
    PART_SUFFIX,
    publish,
    read_bounded,
    remove,
    storage_error,
    write_new,
)
from agent.errors import RefusedError, StorageError
from agent.storage.audit_log import Also, AuditLog
from agent.storage.mailbox import FILE_MODE, SEALED_SUFFIX, Folder

_TABLES = """
CREATE TABLE IF NOT EXISTS outbox_read (
    read_id TEXT PRIMARY KEY, recipient TEXT NOT NULL, sequence INTEGER NOT NULL,
    sha256 TEXT NOT NULL, leaf INTEGER NOT NULL, removed INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS outbox_sequence (
    recipient TEXT PRIMARY KEY, last INTEGER NOT NULL
) STRICT
"""


class Outbox:
    """Implements ports.Outbox over a folder and the log's database. Call `recover` once at the
    start.

    Limit: a reader of the folder (deliver) can copy the sealed bytes; only the recipient can open
    them.
    """

    def __init__(self, folder: Path, log: AuditLog, max_reads: int, max_bytes: int) -> None:
        self._log, self._max_reads, self._max_bytes = log, max_reads, max_bytes
        self._folder = Folder(folder, SEALED_SUFFIX, max_bytes)
        # removals whose file is gone: their rows go with the next transaction
        self._finished: list[str] = []
        self._folder.make()
        log.add_tables(_TABLES)

    def next_sequence(self, recipient: str) -> int:
        """One more than the last sequence number that the log has committed for this recipient."""
        rows = self._log.query("SELECT last FROM outbox_sequence WHERE recipient = ?", (recipient,))
        last = rows[0][0] if rows else 0
        if not isinstance(last, int):
            raise StorageError("the outbox's sequence numbers are damaged", where=self._folder.path)
        return last + 1

    def put(self, sealed: SealedRead) -> None:
        """Release a read. Raises RefusedError(outbox-full) after logging the overflow, StorageError
        when it cannot be kept.
        """
        tags = sealed.tags
        path = self._folder.file(tags.read_id)
        self._check(sealed, path)
        part = self._part(path)
        write_new(part, sealed.wire, FILE_MODE, final=path)
        digest = hashlib.sha256(sealed.wire).hexdigest()
        try:
            self._log.append(
                LeafKind.RELEASE, release_details(tags, digest), also=self._release(tags, digest)
            )
        except BaseException:
            # the first error is the one to report; `recover` clears what stays
            with suppress(StorageError):
                if not self._row(tags.read_id):
                    remove(part)
            raise
        publish(part, path)

    def pending(self) -> Sequence[str]:
        """Read ids in order of release, of those whose file is visible."""
        visible = set(self._folder.listing().read_ids)
        return [read_id for read_id, _ in self._kept() if read_id in visible]

    def strangers(self) -> Sequence[str]:
        """Names of files that no leaf knows, well named or not, for one logged refusal each."""
        listing, known = self._folder.listing(), {read_id for read_id, _ in self._kept()}
        planted = [
            f"{read_id}{SEALED_SUFFIX}"
            for read_id in listing.read_ids
            if read_id not in known and read_id not in self._finished
        ]
        return sorted([*planted, *listing.strangers])

    def untrusted_wire(self, read_id: str) -> bytes | None:
        """The sealed bytes as found; None when they are not there. Raises StorageError."""
        return self._folder.untrusted(read_id)

    def remove(self, read_id: str, kind: str, details: Mapping[str, object]) -> None:
        """Log why a read leaves (receipt, expired, withdrawal …), then remove it. Raises
        StorageError for a read that is not here.
        """
        path = self._folder.file(read_id)
        row = self._row(read_id)
        if row is None or row[1] is not None:
            raise StorageError("no such read in the outbox", where=path)
        self._log.append(kind, {**details, "read": read_id}, also=self._removal(read_id))
        remove(path)
        self._finished.append(read_id)

    def recover(self) -> Sequence[str]:
        """Finish or undo what a crash left. Returns the ids of reads that are lost: released, yet
        nowhere; each is logged as `lost`.
        """
        for part in self._folder.parts():
            self._finish(part)
        for (read_id,) in self._log.query(
            "SELECT read_id FROM outbox_read WHERE removed IS NOT NULL"
        ):
            remove(self._folder.file(str(read_id)))
            self._finished.append(str(read_id))
        lost = [
            (read_id, what)
            for read_id, digest in self._kept()
            if (what := self._fault(read_id, digest))
        ]
        for read_id, what in lost:
            self.remove(read_id, LeafKind.LOST, {"what": what})
        return [read_id for read_id, _ in lost]

    def _check(self, sealed: SealedRead, path: Path) -> None:
        tags = sealed.tags
        if len(sealed.wire) > self._max_bytes:
            raise StorageError(
                f"a sealed read of {len(sealed.wire)} bytes; at most {self._max_bytes} are kept",
                where=path,
                fix="raise [limits]",
            )
        if self._row(tags.read_id):
            raise StorageError("a read of this id was released before", where=path)
        if tags.sequence != self.next_sequence(tags.recipient):
            raise StorageError(
                f"sequence {tags.sequence} is not the next one, "
                f"{self.next_sequence(tags.recipient)}",
                where=path,
            )
        kept = self._log.query("SELECT count(*) FROM outbox_read WHERE removed IS NULL")[0][0]
        if not isinstance(kept, int) or kept >= self._max_reads:
            self._log.append(
                LeafKind.OVERFLOW,
                {"recipient": tags.recipient, "rule": tags.rule, "limit_reads": self._max_reads},
            )
            what = f"the outbox holds {kept} reads, its limit; this one was not released"
            fix = (
                "is deliver running, and the recipient answering? or raise max_outbox_reads in "
                "[limits]"
            )
            raise RefusedError(Reason.OUTBOX_FULL, what, where=self._folder.path, fix=fix)

    def _finish(self, part: Path) -> None:
        """A hidden file of a crash: its leaf decides whether it becomes visible or goes."""
        read_id = part.name.removeprefix(".").removesuffix(PART_SUFFIX).removesuffix(SEALED_SUFFIX)
        row = self._row(read_id)
        if row is None or row[1] is not None or self._digest(part) != row[0]:
            remove(part)
        else:
            publish(part, self._folder.file(read_id))

    def _fault(self, read_id: str, digest: str) -> str:
        path = self._folder.file(read_id)
        found = self._digest(path)
        if found == digest:
            return ""
        return "the file is gone" if not found else "the file is not the one that was released"

    def _digest(self, path: Path) -> str:
        """SHA-256 of a file; "" when nothing is there, "odd" for what is no file of ours. Raises
        StorageError when the disk fails.
        """
        try:
            status = path.lstat()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise storage_error(error, path, "cannot examine") from None
        if not stat.S_ISREG(status.st_mode) or status.st_size > self._max_bytes:
            return "odd"
        return hashlib.sha256(read_bounded(path, self._max_bytes)).hexdigest()

    def _part(self, path: Path) -> Path:
        return path.with_name(f".{path.name}{PART_SUFFIX}")

    def _row(self, read_id: str) -> tuple[str, int | None] | None:
        """Digest and removal leaf of a read in the ledger."""
        rows = self._log.query(
            "SELECT sha256, removed FROM outbox_read WHERE read_id = ?", (read_id,)
        )
        return (
            (str(rows[0][0]), rows[0][1] if isinstance(rows[0][1], int) else None) if rows else None
        )

    def _kept(self) -> list[tuple[str, str]]:
        """Ids and digests of the reads that were released and not removed, in order of release."""
        rows = self._log.query(
            "SELECT read_id, sha256 FROM outbox_read WHERE removed IS NULL ORDER BY leaf"
        )
        return [(str(read_id), str(digest)) for read_id, digest in rows]

    def _release(self, tags: Tags, digest: str) -> Also:
        def also(connection: sqlite3.Connection, leaf: int) -> None:
            self._forget_finished(connection)
            values = (tags.read_id, tags.recipient, tags.sequence, digest, leaf)
            connection.execute(
                "INSERT INTO outbox_read (read_id, recipient, sequence, sha256, leaf) VALUES (?, "
                "?, ?, ?, ?)",
                values,
            )
            connection.execute(
                "INSERT OR REPLACE INTO outbox_sequence (recipient, last) VALUES (?, ?)",
                (tags.recipient, tags.sequence),
            )

        return also

    def _removal(self, read_id: str) -> Also:
        def also(connection: sqlite3.Connection, leaf: int) -> None:
            self._forget_finished(connection)
            connection.execute(
                "UPDATE outbox_read SET removed = ? WHERE read_id = ?", (leaf, read_id)
            )

        return also

    def _forget_finished(self, connection: sqlite3.Connection) -> None:
        connection.executemany(
            "DELETE FROM outbox_read WHERE read_id = ?", [(read_id,) for read_id in self._finished]
        )


def release_details(tags: Tags, wire_sha256: str) -> Mapping[str, object]:
    """What the log keeps of a release: no plate, no picture, no place in the picture."""
    return {
        "read": tags.read_id,
        "recipient": tags.recipient,
        "rule": tags.rule,
        "sequence": tags.sequence,
        "purpose": tags.purpose,
        "category": tags.category,
        "match": tags.match.value,
        "deadline": rfc3339(tags.deadline),
        "policy": tags.policy_name,
        "policy_version": tags.policy_version,
        "policy_digest": tags.policy_digest,
        "sha256": wire_sha256,
    }
