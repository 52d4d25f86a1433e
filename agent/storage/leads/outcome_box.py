"""What recipients report of leads, beside the receipts: deliver writes `<read id>.outcome`, watch
asks for those of the reads that it released, and nobody removes one but for room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.disk.atomic_file import remove, write_atomic
from agent.errors import StorageError
from agent.storage.mailbox import (
    FILE_MODE,
    MAX_ASKED,
    OUTCOME_SUFFIX,
    RECEIPT_SUFFIX,
    Folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MOST = 1_000  # outcomes that lie there; the oldest make room


class OutcomeBox:
    """Two processes share the folder, and each uses its own half: `keep` is deliver's."""

    def __init__(self, folder: Path, max_bytes: int, most: int = MOST) -> None:
        self._folder = Folder(folder, OUTCOME_SUFFIX, max_bytes, beside=RECEIPT_SUFFIX)
        self._max_bytes, self._most = max_bytes, most
        self._to_ask: list[str] = []

    def keep(self, read_id: str, outcome: bytes) -> bool:
        """Make an outcome visible to watch, whole and durably; the first one of a read stands, and
        False says so. Raises StorageError.
        """
        path = self._folder.file(read_id)
        if len(outcome) > self._max_bytes:
            raise StorageError("an outcome is too long", where=path)
        if self._folder.has(read_id):
            return False
        self._folder.make()
        self._folder.look_again()
        there = self._folder.listing().read_ids
        for old in there[: max(0, len(there) - self._most + 1)]:
            remove(self._folder.file(old))
        write_atomic(path, outcome, FILE_MODE)
        return True

    def arrived(self, unreported: Callable[[], Sequence[str]]) -> Sequence[str]:
        """For watch: which of these reads have an outcome, or anything in its place; asked for by
        their names, at most MAX_ASKED in one call, and `unreported` only once the folder moved.

        Mitigates against: a deliver that fills the folder, as with receipts.
        """
        if self._folder.stirred():
            self._to_ask = list(reversed(unreported()))
        asked = [self._to_ask.pop() for _ in range(min(MAX_ASKED, len(self._to_ask)))]
        return [read_id for read_id in asked if self._folder.has(read_id)]

    def untrusted_outcome(self, read_id: str) -> bytes | None:
        """An outcome as found, None when there is none. Raises StorageError."""
        return self._folder.untrusted(read_id)

    def strangers(self) -> Sequence[str]:
        """Names of what does not belong there."""
        return self._folder.listing().strangers
