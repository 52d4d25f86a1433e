"""What people did with leads, in PostgreSQL: the same for every inbox that shares it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC
from typing import Any, LiteralString

import psycopg

from agent.errors import StorageError
from agent.receiver.store.acts.lead_acts import Act, ActKind, Name

TABLES: tuple[LiteralString, ...] = (
    """CREATE TABLE acts (
        device text, read_id text, at timestamptz NOT NULL, by text NOT NULL, kind text NOT NULL,
        value text NOT NULL, number bigint GENERATED ALWAYS AS IDENTITY,
        PRIMARY KEY (device, read_id, number),
        FOREIGN KEY (device, read_id) REFERENCES reads ON DELETE CASCADE)""",
)
Ask = psycopg.Cursor[tuple[Any, ...]]
Transaction = Callable[[], AbstractContextManager[Ask]]
Select = Callable[..., Sequence[tuple[Any, ...]]]


class PostgresqlActs:
    """Implements LeadActs. `transaction`, `select`: their store's."""

    def __init__(self, transaction: Transaction, select: Select) -> None:
        self._transaction, self._select = transaction, select

    def add(self, name: Name, act: Act) -> None:
        """Implements LeadActs."""
        with self._transaction() as ask:
            ask.execute(
                "INSERT INTO acts (device, read_id, at, by, kind, value) SELECT device, read_id, "
                "%s, %s, %s, %s FROM reads WHERE device = %s AND read_id = %s",
                (act.at, act.by, act.kind.value, act.value, *name),
            )
            if not ask.rowcount:
                raise StorageError("the read is gone", where=f"read {name[1]}")

    def of(self, names: Sequence[Name]) -> Mapping[Name, Sequence[Act]]:
        """Implements LeadActs: one question for all."""
        found: dict[Name, list[Act]] = {}
        if not names:
            return found
        for device, read_id, at, by, kind, value in self._select(
            "SELECT device, read_id, at, by, kind, value FROM acts JOIN unnest(%s::text[], "
            "%s::text[]) AS asked (device, read_id) USING (device, read_id) ORDER BY number",
            tuple(map(list, zip(*names, strict=True))),
        ):
            act = Act(at.astimezone(UTC), by, ActKind(kind), value)
            found.setdefault((device, read_id), []).append(act)
        return found
