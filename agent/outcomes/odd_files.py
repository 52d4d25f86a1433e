"""What watch says of odd files that deliver shows it, receipts and outcomes: each costs one leaf
for each reason, and all together no more than the log can bear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.log.leaf import LeafKind

if TYPE_CHECKING:
    from collections.abc import Container

    from agent.ports import AuditLog

# leaves that one run writes about odd files; beyond it they are ignored silently, so that deliver
# cannot flood the log. A file altered again and again takes one for each reason: else it alone
# would use them up, and what comes after it left no trace.
MAX_REFUSALS = 1000


class OddFiles:
    """Of one folder, whose name the leaves give as `where`."""

    def __init__(self, log: AuditLog, where: str) -> None:
        self._log, self._where = log, where
        self._leaves = 0
        self._refused: dict[str, str] = {}  # read id → digest of the file that was refused
        self._told: set[tuple[str, str]] = set()  # read id and reason: it has its leaf

    def known(self, read_id: str, digest: str) -> bool:
        """Were these very bytes refused under this read's name, last?"""
        return self._refused.get(read_id) == digest

    def refuse(self, read_id: str, digest: str, reason: str, what: str) -> None:
        """One leaf for each read and reason. Raises StorageError.

        Other bytes for the same reason have none: a file that changes each round must not use up
        the leaves of all.
        """
        told = read_id, str(reason)
        if told not in self._told and self._leaves < MAX_REFUSALS:
            self._leaves += 1
            self._told.add(told)
            self._log.append(
                LeafKind.REFUSAL,
                {"reason": str(reason), "read": read_id, "where": self._where, "what": what},
            )
        self._refused[read_id] = digest

    def keep_only(self, read_ids: Container[str]) -> None:
        """Forget the others."""
        self._refused = {read: digest for read, digest in self._refused.items() if read in read_ids}
        self._told = {told for told in self._told if told[0] in read_ids}
