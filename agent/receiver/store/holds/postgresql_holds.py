"""Holds, and what is held under them, in PostgreSQL: the same for every receiver that shares it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg

from agent.errors import StorageError
from agent.receiver.store.holds.held_reads import HeldRead, KeptHold

TABLES: tuple[LiteralString, ...] = (
    """CREATE TABLE holds (
        id text PRIMARY KEY, record bytea NOT NULL, own_half text NOT NULL,
        expires_at timestamptz NOT NULL, by text NOT NULL, at timestamptz NOT NULL,
        ended_at timestamptz, ended_by text NOT NULL DEFAULT '', told boolean NOT NULL DEFAULT false
    )""",
    """CREATE TABLE held (
        hold text REFERENCES holds, device text, read_id text, sha256 text NOT NULL,
        at timestamptz NOT NULL, by text NOT NULL, refused text NOT NULL, sealed bytea NOT NULL,
        number bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (hold, device, read_id))""",
    "ALTER TABLE held ALTER COLUMN sealed SET STORAGE EXTERNAL",
)
Ask = psycopg.Cursor[tuple[Any, ...]]
Transaction = Callable[[], AbstractContextManager[Ask]]
Select = Callable[..., Sequence[tuple[Any, ...]]]


class PostgresqlHolds:
    """Implements HeldReads. `transaction`, `select`: their store's."""

    def __init__(self, transaction: Transaction, select: Select) -> None:
        self._transaction, self._select = transaction, select

    def add(self, hold: KeptHold) -> None:
        """Implements HeldReads."""
        with self._transaction() as ask:
            ask.execute(
                "INSERT INTO holds (id, record, own_half, expires_at, by, at) "
                "VALUES (%s, %s, %s, %s, %s, %s) "
                "ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                (hold.id, hold.record, hold.own_half, hold.expires_at, hold.by, hold.at),
            )

    def holds(self) -> Sequence[KeptHold]:
        """Implements HeldReads."""
        return [
            KeptHold(
                *(name, bytes(record), own_half, expires.astimezone(UTC), by, at.astimezone(UTC)),
                ended_at=ended.astimezone(UTC) if ended else None,
                ended_by=ended_by,
                told=told,
            )
            for name, record, own_half, expires, by, at, ended, ended_by, told in self._select(
                "SELECT id, record, own_half, expires_at, by, at, ended_at, ended_by, told "
                "FROM holds ORDER BY at, id"
            )
        ]

    def keep(self, read: HeldRead, sealed: bytes) -> bool:
        """Implements HeldReads. The hold's row is locked: nothing is added while another receiver
        ends it.
        """
        with self._transaction() as ask:
            ask.execute(
                "INSERT INTO held (hold, device, read_id, sha256, at, by, refused, sealed) "
                "SELECT id, %s, %s, %s, %s, %s, %s, %s FROM (SELECT id FROM holds WHERE id = %s "
                "AND ended_at IS NULL FOR UPDATE) AS lasting ON CONFLICT DO NOTHING",
                (
                    *(*read.name, read.wire_sha256, read.at, read.by, read.refused),
                    *(sealed, read.hold),
                ),
            )
            return bool(ask.rowcount)

    def reads(self, hold: str) -> Sequence[HeldRead]:
        """Implements HeldReads."""
        return [
            HeldRead(name, device, read_id, digest, at.astimezone(UTC), by, refused)
            for name, device, read_id, digest, at, by, refused in self._select(
                "SELECT hold, device, read_id, sha256, at, by, refused FROM held WHERE hold = %s "
                "ORDER BY at, number",
                (hold,),
            )
        ]

    def sealed(self, read: HeldRead) -> bytes:
        """Implements HeldReads."""
        found = self._select(
            "SELECT sealed FROM held WHERE hold = %s AND device = %s AND read_id = %s",
            (read.hold, *read.name),
        )
        if not found:
            raise StorageError("is held no longer", where=f"read {read.read_id}")
        return bytes(found[0][0])

    def end(self, hold: str, at: datetime, by: str) -> None:
        """Implements HeldReads. What is left of it in the server's files is sealed, and one of its
        two keys is gone.
        """
        with self._transaction() as ask:
            ask.execute(
                "UPDATE holds SET ended_at = %s, ended_by = %s WHERE id = %s AND ended_at IS NULL",
                (at, by, hold),
            )
            ask.execute("DELETE FROM held WHERE hold = %s", (hold,))

    def told(self, hold: str) -> None:
        """Implements HeldReads."""
        with self._transaction() as ask:
            ask.execute("UPDATE holds SET told = true WHERE id = %s", (hold,))
