"""Receipts as deliver, their only writer, holds them: each is in the log's database, in one
transaction with its leaf, before watch can see it (P8).

One sync for all that came together. The files in `receipts/` are copies for watch, and are not
synced: `recover` writes again what a power cut took or emptied.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from agent.core.log.leaf import LeafKind
from agent.errors import StorageError
from agent.storage.audit_log import Also, AuditLog
from agent.storage.leads.outcome_box import OutcomeBox
from agent.storage.mailbox import ReceiptBox

_TABLE = """
CREATE TABLE IF NOT EXISTS receipt (read_id TEXT PRIMARY KEY, receipt BLOB NOT NULL) STRICT
"""


class KeptReceipts:
    """Implements ports.ReceiptBox over a folder and the log's database. Call `recover` once at the
    start.
    """

    def __init__(self, folder: Path, log: AuditLog, max_bytes: int) -> None:
        self._box, self._log, self._max_bytes = ReceiptBox(folder, max_bytes), log, max_bytes
        self._finished: list[str] = []  # their files are gone: their rows go with the next leaves
        self._outcomes = OutcomeBox(folder, max_bytes)
        log.add_tables(_TABLE)

    def recover(self) -> None:
        """Remove what a crash left half-written, and write what lacks a whole file. Raises
        StorageError.
        """
        self._box.clear()
        for read_id, receipt in self._log.query("SELECT read_id, receipt FROM receipt"):
            if not isinstance(receipt, bytes) or len(receipt) > self._max_bytes:
                continue  # the limit was lowered since: the read is sent and answered again
            if self._file(str(read_id)) != receipt:
                self._box.put(str(read_id), receipt)

    def put_all(
        self, receipts: Mapping[str, bytes], leaves: Sequence[Mapping[str, object]]
    ) -> None:
        """Make receipts visible to watch, each with its leaf. Raises StorageError."""
        files = {self._box.check(read_id, one): one for read_id, one in receipts.items()}
        self._log.append_all(LeafKind.RECEIPT, leaves, also=self._keep(receipts))
        self._finished.clear()
        self._box.show(files)

    def keep_outcome(self, read_id: str, outcome: bytes) -> bool:
        """Make what became of a lead visible to watch; False: one is there. Raises StorageError."""
        return self._outcomes.keep(read_id, outcome)

    def pending(self) -> Sequence[str]:
        """Read ids that have a receipt, oldest first."""
        return self._box.pending()

    def remove(self, read_ids: Sequence[str]) -> None:
        """Forget receipts of reads that have left the outbox. Raises StorageError."""
        for read_id in read_ids:
            self._box.remove(read_id)
        self._finished += read_ids

    def _keep(self, receipts: Mapping[str, bytes]) -> Also:
        finished = [(read_id,) for read_id in self._finished]

        def also(connection: sqlite3.Connection, _first: int) -> None:
            connection.executemany("DELETE FROM receipt WHERE read_id = ?", finished)
            connection.executemany("INSERT OR REPLACE INTO receipt VALUES (?, ?)", receipts.items())

        return also

    def _file(self, read_id: str) -> bytes | None:
        with suppress(StorageError):  # a link, or too long: no receipt of ours
            return self._box.untrusted_receipt(read_id)
        return None
