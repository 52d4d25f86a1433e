"""What waits to be rung, in the SQLite index."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from agent.receiver.store.ring_queue import LONGEST_PAUSE_S, MOST_AT_ONCE, Claim, RingerState

SCHEMA = """
CREATE TABLE IF NOT EXISTS to_ring (
    device TEXT, read_id TEXT, ringer TEXT, PRIMARY KEY (ringer, device, read_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ringers (
    ringer TEXT PRIMARY KEY, not_before REAL NOT NULL DEFAULT 0, rung_at REAL,
    failures INTEGER NOT NULL DEFAULT 0, failing_since REAL, words TEXT NOT NULL DEFAULT ''
) STRICT
"""
Execute = Callable[[str, tuple[object, ...]], Any]
Select = Callable[..., Sequence[tuple[Any, ...]]]
Transaction = Callable[[], AbstractContextManager[None]]


class SqliteRings:
    """Implements RingQueue. `execute`, `select`, `transaction`: their index's."""

    def __init__(self, execute: Execute, select: Select, transaction: Transaction) -> None:
        self._execute, self._select, self._transaction = execute, select, transaction

    def claim(self, ringer: str, lease_s: float) -> Claim | None:
        """Implements RingQueue. A time far ahead is a clock's that was wrong: passed over."""
        if not self._waiting(ringer, 1):
            return None
        now_s = time.time()
        with self._transaction():
            self._execute("INSERT OR IGNORE INTO ringers (ringer) VALUES (?)", (ringer,))
            mine = self._execute(
                "UPDATE ringers SET not_before = ? WHERE ringer = ? "
                "AND (not_before <= ? OR not_before > ?)",
                (now_s + lease_s, ringer, now_s, now_s + max(LONGEST_PAUSE_S, lease_s)),
            ).rowcount
            names = self._waiting(ringer, MOST_AT_ONCE) if mine else []
        if not names:
            return None
        [(failures,)] = self._select("SELECT failures FROM ringers WHERE ringer = ?", (ringer,))
        return Claim(tuple((device, read_id) for device, read_id in names), failures)

    def rung(self, ringer: str, claim: Claim) -> None:
        """Implements RingQueue."""
        with self._transaction():
            for name in claim.names:
                self._execute(
                    "DELETE FROM to_ring WHERE ringer = ? AND device = ? AND read_id = ?",
                    (ringer, *name),
                )
            self._execute(
                "UPDATE ringers SET not_before = 0, rung_at = ?, failures = 0, "
                "failing_since = NULL, words = '' WHERE ringer = ?",
                (time.time(), ringer),
            )

    def failed(self, ringer: str, words: str, pause_s: float) -> None:
        """Implements RingQueue."""
        now_s = time.time()
        with self._transaction():
            self._execute(
                "UPDATE ringers SET not_before = ?, failures = failures + 1, "
                "failing_since = coalesce(failing_since, ?), words = ? WHERE ringer = ?",
                (now_s + pause_s, now_s, words, ringer),
            )

    def states(self) -> Sequence[RingerState]:
        """Implements RingQueue."""
        waiting: dict[str, int] = dict(
            self._select("SELECT ringer, count(*) FROM to_ring GROUP BY ringer")
        )
        known = {
            ringer: rest
            for ringer, *rest in self._select(
                "SELECT ringer, rung_at, failures, failing_since, words FROM ringers"
            )
        }
        found = []
        for ringer in sorted(waiting.keys() | known.keys()):
            rung_at, failures, since, words = known.get(ringer, (None, 0, None, ""))
            state = RingerState(
                ringer, waiting.get(ringer, 0), _moment(rung_at), failures, _moment(since), words
            )
            found.append(state)
        return found

    def _waiting(self, ringer: str, most: int) -> Sequence[tuple[Any, ...]]:
        return self._select(
            "SELECT device, read_id FROM to_ring WHERE ringer = ? LIMIT ?", (ringer, most)
        )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
