"""The outbox as watch, its only writer, holds it: no read becomes visible, or disappears, without
its leaf in the log (P8).

Order of `put`: the bytes, synced, under a hidden name → leaf and ledger row in one transaction →
rename → sync of the folder. Order of `remove`: leaf and ledger row → unlink. `recover` finishes
either after a crash at any instant. In between, nothing is looked up on the disk: what waits is
held in memory.
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
from agent.core.text.strict_json import canonical, parse_object
from agent.core.wire.sealed_read import ReleasedRead, SealedRead, minimum_of, split, tags_of
from agent.core.wire.tags import Tags
from agent.core.wire.versions import VERSIONS, EnvelopeMinimum, Versions, parse_minimum
from agent.disk.atomic_file import (
    PART_SUFFIX,
    publish,
    read_bounded,
    remove,
    storage_error,
    write_new,
)
from agent.errors import EnvelopeRefusedError, RefusedError, StorageError
from agent.storage.audit_log import Also, AuditLog
from agent.storage.leads.released_leads import TABLES as LEAD_TABLES
from agent.storage.leads.released_leads import remember
from agent.storage.log_schema import SEQUENCE_TABLE
from agent.storage.mailbox import FILE_MODE, SEALED_SUFFIX, Folder
from agent.values import dataclass

_TABLE = """
CREATE TABLE IF NOT EXISTS outbox_read (
    read_id TEXT PRIMARY KEY, recipient TEXT NOT NULL, sequence INTEGER NOT NULL,
    sha256 TEXT NOT NULL, leaf INTEGER NOT NULL, removed INTEGER, tags BLOB
) STRICT
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """A read in the ledger. `removed`: its removal has a leaf."""

    digest: str
    removed: bool


class Outbox:
    """Implements ports.Outbox over a folder and the log's database. Call `recover` once at the
    start.

    `versions`: of the sealed read, those that this build knows. Limit: a reader of the folder
    (deliver) can copy the sealed bytes; only the recipient can open them.
    """

    def __init__(
        self,
        folder: Path,
        log: AuditLog,
        max_reads: int,
        max_bytes: int,
        versions: Versions = VERSIONS,
    ) -> None:
        self._log, self._max_reads, self._max_bytes = log, max_reads, max_bytes
        self._versions = versions
        self._folder = Folder(folder, SEALED_SUFFIX, max_bytes)
        self._waiting: dict[str, ReleasedRead] = {}
        self._unknown = 0  # reads of which not even the minimum can be read: they stay
        # removals whose file is gone: their rows go with the next transaction
        self._finished: list[str] = []
        self._folder.make()
        log.add_tables(f"{_TABLE}; {SEQUENCE_TABLE}; {LEAD_TABLES}")
        if not log.query("SELECT 1 FROM pragma_table_info('outbox_read') WHERE name = 'tags'"):
            log.add_tables("ALTER TABLE outbox_read ADD COLUMN tags BLOB")  # of an older version

    def next_sequence(self, recipient: str) -> int:
        """One more than the last sequence number that the log has committed for this recipient."""
        rows = self._log.query("SELECT last FROM outbox_sequence WHERE recipient = ?", (recipient,))
        [(last,)] = rows or [(0,)]
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
        self._finished.clear()  # their rows went with this leaf
        publish(part, path)
        self._waiting[tags.read_id] = ReleasedRead(tags, digest)

    def pending(self) -> Sequence[str]:
        """The ids of what waits, in order of release."""
        return list(self._waiting)

    def waiting(self) -> Mapping[str, ReleasedRead]:
        """What was released and has not left, in order of release. A view: only `put` and `remove`
        change it.
        """
        return self._waiting

    def remove(self, read_id: str, kind: str, details: Mapping[str, object]) -> None:
        """Log why a read leaves (receipt, expired, withdrawal …), then remove it. Raises
        StorageError for a read that is not here.
        """
        path = self._folder.file(read_id)
        if read_id not in self._waiting:
            raise StorageError("no such read in the outbox", where=path)
        self._take_out(read_id, path, kind, details)

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
        lost: list[str] = []
        self._waiting, self._unknown = {}, 0
        for read_id, digest, tags in self._kept():
            path = self._folder.file(read_id)
            found = self._digest(path)
            if found == digest:
                self._learn(read_id, digest, tags, path)
                continue
            what = "the file is not the one that was released" if found else "the file is gone"
            self._take_out(read_id, path, LeafKind.LOST, {"what": what})
            lost.append(read_id)
        if self._unknown:
            what = f"{self._unknown} reads wait whose tags cannot be read"
            details = {"reason": Reason.MALFORMED, "where": "outbox", "what": what}
            self._log.append(LeafKind.REFUSAL, details)
        return lost

    def _take_out(self, read_id: str, path: Path, kind: str, details: Mapping[str, object]) -> None:
        self._log.append(kind, {**details, "read": read_id}, also=self._removal(read_id))
        self._waiting.pop(read_id, None)
        remove(path)
        self._finished = [read_id]  # the others' rows went with this leaf

    def _learn(self, read_id: str, digest: str, tags: bytes | None, path: Path) -> None:
        """Take a read of the ledger into memory.

        No signature is checked: ledger and bytes agree, and nobody but watch writes the ledger.
        """
        try:
            # Software without tags in its ledger left none: they stand in the bytes.
            known = self._tags(tags) if tags is not None else self._tags_of_file(path)
        except EnvelopeRefusedError:
            self._unknown += 1
        else:
            self._waiting[read_id] = ReleasedRead(known, digest)

    def _tags(self, kept: bytes) -> Tags | EnvelopeMinimum:
        """A row's tags; of a version that this build does not know, the minimum."""
        table = parse_object(kept, "tags")
        try:
            return self._versions.parse_tags(table)
        except EnvelopeRefusedError:
            return parse_minimum(table)

    def _tags_of_file(self, path: Path) -> Tags | EnvelopeMinimum:
        envelope = split(read_bounded(path, self._max_bytes), self._max_bytes)
        try:
            return tags_of(envelope, self._versions)
        except EnvelopeRefusedError:
            return minimum_of(envelope)

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
        kept = len(self._waiting) + self._unknown
        if kept >= self._max_reads:
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
        if row is None or row.removed or self._digest(part) != row.digest:
            remove(part)
        else:
            publish(part, self._folder.file(read_id))

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

    def _row(self, read_id: str) -> _Row | None:
        rows = self._log.query(
            "SELECT sha256, removed FROM outbox_read WHERE read_id = ?", (read_id,)
        )
        for digest, removed in rows:
            return _Row(str(digest), removed is not None)
        return None

    def _kept(self) -> list[tuple[str, str, bytes | None]]:
        """Ids, digests and tags of the reads that were released and not removed, in order of
        release.
        """
        rows = self._log.query(
            "SELECT read_id, sha256, tags FROM outbox_read WHERE removed IS NULL ORDER BY leaf"
        )
        return [
            (str(read_id), str(digest), tags if isinstance(tags, bytes) else None)
            for read_id, digest, tags in rows
        ]

    def _release(self, tags: Tags, digest: str) -> Also:
        def also(connection: sqlite3.Connection, leaf: int) -> None:
            self._forget_finished(connection)
            kept = canonical(self._versions.format_tags(tags))
            values = (tags.read_id, tags.recipient, tags.sequence, digest, leaf, kept)
            connection.execute(
                "INSERT INTO outbox_read (read_id, recipient, sequence, sha256, leaf, tags) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
            connection.execute(
                "INSERT OR REPLACE INTO outbox_sequence (recipient, last) VALUES (?, ?)",
                (tags.recipient, tags.sequence),
            )
            remember(connection, tags)

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
