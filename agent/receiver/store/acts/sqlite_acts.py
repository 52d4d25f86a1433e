"""What people did with leads, in the SQLite index."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.errors import StorageError
from agent.receiver.store.acts.lead_acts import Act, ActKind, Name

SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (
    device TEXT, read_id TEXT, at TEXT, by TEXT, kind TEXT, value TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS acts_by_read ON acts (device, read_id)
"""
Execute = Callable[[str, tuple[object, ...]], Any]
Select = Callable[..., Sequence[tuple[Any, ...]]]
Transaction = Callable[[], AbstractContextManager[None]]


class SqliteActs:
    """Implements LeadActs. `execute`, `select`, `transaction`: their index's."""

    def __init__(self, execute: Execute, select: Select, transaction: Transaction) -> None:
        self._execute, self._select, self._transaction = execute, select, transaction

    def add(self, name: Name, act: Act) -> None:
        """Implements LeadActs."""
        with self._transaction():
            added = self._execute(
                "INSERT INTO acts SELECT device, read_id, ?, ?, ?, ? FROM reads "
                "WHERE device = ? AND read_id = ?",
                (rfc3339(act.at), act.by, act.kind.value, act.value, *name),
            )
            if not added.rowcount:
                raise StorageError("the read is gone", where=f"read {name[1]}")

    def of(self, names: Sequence[Name]) -> Mapping[Name, Sequence[Act]]:
        """Implements LeadActs."""
        found: dict[Name, Sequence[Act]] = {}
        for name in names:
            rows = self._select(
                "SELECT at, by, kind, value FROM acts WHERE device = ? AND read_id = ? "
                "ORDER BY rowid",
                name,
            )
            if rows:
                found[name] = [
                    Act(parse_rfc3339(at), by, ActKind(kind), value) for at, by, kind, value in rows
                ]
        return found
