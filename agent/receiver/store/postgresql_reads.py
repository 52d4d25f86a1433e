"""The recipient's store in PostgreSQL, for any number of receivers: the first to commit a read has
stored it, and every other finds it there.

A read's sealed bytes, its number and its "to tell" row are one statement
(postgresql_statements.py), so a receiver that hangs holds nothing of it. Where there is more than
one statement, the server ends a hung receiver's transaction before the others give up waiting.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg.types.multirange import Multirange

from agent.core.reasons import Reason
from agent.core.wire.sealed_read import MAX_WIRE_BYTES, SealedRead
from agent.core.wire.tags import Tags
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import StorageError, StoreAwayError
from agent.receiver.store import postgresql_statements as statements
from agent.receiver.store.acts.postgresql_acts import PostgresqlActs
from agent.receiver.store.holds.postgresql_holds import PostgresqlHolds
from agent.receiver.store.number_runs import gaps, runs_of
from agent.receiver.store.postgresql_rings import PostgresqlRings
from agent.receiver.store.postgresql_seats import PostgresqlSeats
from agent.receiver.store.postgresql_tables import prepare
from agent.receiver.store.read_store import (
    KEEP_REJECTIONS_DAYS,
    DeviceSequence,
    Kept,
    Name,
    StoredRead,
    row_of,
)

WHERE = "the PostgreSQL store"
TELL_AGAIN_S = 30
"""A read that was stored this long ago and not told of: whoever stored it is dead or hangs."""
IDLE_IN_TRANSACTION_S, LOCK_S, STATEMENT_S = 5, 10, 15
_SETTINGS = {
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
    "lock_timeout": f"{LOCK_S}s",
    "statement_timeout": f"{STATEMENT_S}s",
    "default_transaction_isolation": "read committed",
    "synchronous_commit": "on",  # a receipt says "durable", whatever the server's default
}
_ROW: LiteralString = "SELECT device, read_id, sequence, deadline, sha256, received_at FROM reads"
# A server that went without a word, its machine or the network: libpq's own limits, in s and ms.
_LIMITS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

_ROWS_OF: LiteralString = (
    _ROW + " JOIN unnest(%s::text[], %s::text[]) AS asked (device, read_id) "
    "USING (device, read_id) ORDER BY arrival"
)


class PostgresqlReads:
    """Implements ReadStore. Connects when it is first asked, and again after a loss.

    `conninfo`: `service=NAME` or a URL. Unless that says otherwise a server over TCP must show a
    certificate that libpq verifies with its name.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self.rings = PostgresqlRings(self._transaction, self._select)
        self.acts = PostgresqlActs(self._transaction, self._select)
        self.holds = PostgresqlHolds(self._transaction, self._select)
        self._seats = PostgresqlSeats(self._select)

    def close(self) -> None:
        """Implements ReadStore."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def recover(self) -> int:
        """Implements ReadStore: a transaction is whole or gone, so this only reaches the server."""
        self._select("SELECT 1")
        return 0

    def place(self) -> tuple[int, int]:
        """Implements ReadStore."""
        return self._seats.place()

    def doubts(self) -> Sequence[str]:
        """Implements ReadStore: settings with which the server forgets what it has committed."""
        return [
            f"its server has {name} off"
            for (name,) in self._select(
                "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') "
                "AND setting = 'off' ORDER BY name"
            )
        ]

    def known(self, names: Sequence[Name]) -> Mapping[Name, str]:
        """Implements ReadStore: one question for all."""
        if not names:
            return {}
        found = self._select(
            "SELECT device, read_id, sha256 FROM reads JOIN unnest(%s::text[], %s::text[]) "
            "AS asked (device, read_id) USING (device, read_id)",
            tuple(map(list, zip(*names, strict=True))),
        )
        return {(device, read_id): digest for device, read_id, digest in found}

    def add_all(self, reads: Mapping[str, SealedRead], received_at: datetime) -> Sequence[Kept]:
        """Implements ReadStore: one transaction for all."""
        if not reads:
            return []
        rows = [row_of(read.tags, digest, received_at) for digest, read in reads.items()]
        new = set(self._select(statements.ADD, _columns(rows, reads)))
        there = {row.name: row for row in rows}
        if others := [name for name in there if name not in new]:  # another receiver was quicker
            # one that is not there any more: its deadline has come just now
            there |= {row.name: row for row in self._rows_of(others)}
        return [Kept(there[row.name], row.name in new) for row in rows]

    def untold(self) -> Sequence[StoredRead]:
        """Implements ReadStore. They are lent for TELL_AGAIN_S; then somebody else gets them."""
        with self._transaction() as ask:
            ask.execute(
                "UPDATE to_tell SET since = clock_timestamp() WHERE (device, read_id) IN (SELECT "
                "device, read_id FROM to_tell WHERE since < clock_timestamp() - "
                "make_interval(secs => %s) LIMIT 100 FOR UPDATE SKIP LOCKED) "
                "RETURNING device, read_id",
                (TELL_AGAIN_S,),
            )
            lent = ask.fetchall()
            if not lent:
                return []
            ask.execute(_ROWS_OF, tuple(map(list, zip(*lent, strict=True))))
            return [_row(*row) for row in ask]

    def told(self, names: Sequence[Name], ringers: Sequence[str] = ()) -> None:
        """Implements ReadStore. No sync: a crash of the server tells them again."""
        if not names:
            return
        self._select(statements.TOLD, (*map(list, zip(*names, strict=True)), list(ringers)))

    def reads(self, read_id: str | None = None) -> Sequence[StoredRead]:
        """Implements ReadStore."""
        if read_id is None:
            rows = self._select(_ROW + " ORDER BY arrival")
        else:
            rows = self._select(_ROW + " WHERE read_id = %s ORDER BY arrival", (read_id,))
        return [_row(*row) for row in rows]

    def _rows_of(self, names: Sequence[Name]) -> Sequence[StoredRead]:
        found = self._select(_ROWS_OF, tuple(map(list, zip(*names, strict=True))))
        return [_row(*row) for row in found]

    def wire(self, row: StoredRead) -> bytes:
        """Implements ReadStore."""
        found = self._select(
            "SELECT wire FROM reads WHERE device = %s AND read_id = %s AND length(wire) <= %s",
            (*row.name, MAX_WIRE_BYTES),
        )
        if not found:
            raise StorageError(f"no read {row.read_id} of camera {row.device}", where=WHERE)
        return bytes(found[0][0])

    def add_rejection(
        self, tags: Tags | EnvelopeMinimum, wire_sha256: str, reason: str, at: datetime
    ) -> None:
        """Implements ReadStore."""
        with self._transaction() as ask:
            if isinstance(tags, Tags) and reason != Reason.NOT_FOR_THIS_RECIPIENT:
                ask.execute(statements.COUNT, ([tags.device], [tags.sequence], [wire_sha256]))
            ask.execute(
                "INSERT INTO rejections VALUES (%s, %s, %s, %s, %s) ON CONFLICT (sha256) DO UPDATE "
                "SET reason = excluded.reason, at = excluded.at",
                (wire_sha256, tags.device, tags.read_id, reason, at),
            )

    def count_dropped(self, reason: str, messages: int = 1) -> None:
        """Implements ReadStore. Each receiver counts what came to it."""
        with self._transaction() as ask:
            ask.execute(
                "INSERT INTO dropped VALUES (%s, %s) ON CONFLICT (reason) DO UPDATE SET messages = "
                "dropped.messages + excluded.messages",
                (reason, messages),
            )

    def held(self) -> tuple[int, datetime | None]:
        """Implements ReadStore."""
        [(count, first)] = self._select("SELECT count(*), min(deadline) FROM reads")
        return count, first.astimezone(UTC) if first else None

    def rejections(self) -> Mapping[str, int]:
        """Implements ReadStore."""
        return dict(
            self._select("SELECT reason, count(*) FROM rejections GROUP BY reason ORDER BY reason")
        )

    def dropped(self) -> Mapping[str, int]:
        """Implements ReadStore."""
        return dict(self._select("SELECT reason, messages FROM dropped ORDER BY reason"))

    def sequences(self) -> Sequence[DeviceSequence]:
        """Implements ReadStore."""
        twice: dict[str, list[int]] = {}
        for device, sequence in self._select(
            "SELECT DISTINCT device, sequence FROM twice ORDER BY 1, 2"
        ):
            twice.setdefault(device, []).append(sequence)
        found = []
        for device, numbers in self._select("SELECT device, numbers FROM runs ORDER BY device"):
            runs = _closed(numbers)
            found.append(
                DeviceSequence(device, runs[-1][1], gaps(runs), runs_of(twice.get(device, ())))
            )
        return found

    def delete_due(self, now: datetime, spared: Collection[Name] = ()) -> int:
        """Implements ReadStore: a read that two receivers would delete is deleted, and counted, by
        one. What is left of it in the server's files is sealed, and its key is gone.
        """
        with self._transaction() as ask:
            ask.execute(
                "WITH gone AS (DELETE FROM reads WHERE deadline <= %s AND (device, read_id) NOT IN "
                "(SELECT * FROM unnest(%s::text[], %s::text[])) RETURNING device, read_id), "
                "silent AS (DELETE FROM to_tell USING gone WHERE to_tell.device = gone.device AND "
                "to_tell.read_id = gone.read_id), still AS (DELETE FROM to_ring USING gone WHERE "
                "to_ring.device = gone.device AND to_ring.read_id = gone.read_id) "
                "SELECT count(*) FROM gone",
                (now, [device for device, _ in spared], [read_id for _, read_id in spared]),
            )
            (deleted,) = _one(ask)
            oldest = now - timedelta(days=KEEP_REJECTIONS_DAYS)
            ask.execute("DELETE FROM rejections WHERE at < %s", (oldest,))
        return int(deleted)

    def _reached(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection, made if there is none."""
        if self._connection is None:
            # Mitigates against: a server in another's place. libpq's own default asks for nothing.
            os.environ.setdefault("PGSSLMODE", "verify-full")
            connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                application_name="platewarden-receiver",
                **_LIMITS,  # type: ignore[arg-type]
            )
            self._connection = connection
            for name, value in _SETTINGS.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            prepare(connection)
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
        with self._faults():
            connection = self._reached()
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor

    def _select(
        self, query: LiteralString, values: Sequence[object] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        with self._faults():
            return self._reached().execute(query, values).fetchall()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Errors of the server as ours; a connection that had one is not used again."""
        try:
            yield
        except psycopg.Error as error:
            # also where the server ended the session of a receiver that hung, whatever it calls it
            lost = self._connection is None or self._connection.closed
            self.close()
            if lost or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise StoreAwayError(
                    f"does not answer: {_words(error)}",
                    where=WHERE,
                    fix="see that it runs and lets this receiver in ([store] in receiver.toml)",
                ) from None
            raise StorageError(
                f"failed: {_words(error)}",
                where=WHERE,
                fix="see that the receiver's role owns its tables (docs/guide/recipient.md)",
            ) from None


def _columns(rows: Sequence[StoredRead], reads: Mapping[str, SealedRead]) -> Sequence[object]:
    """For statements.ADD."""
    return (
        [row.device for row in rows],
        [row.sequence for row in rows],
        [row.wire_sha256 for row in rows],
        [row.read_id for row in rows],
        [row.deadline for row in rows],
        [row.received_at for row in rows],
        [reads[row.wire_sha256].wire for row in rows],
    )


def _one(ask: psycopg.Cursor[tuple[Any, ...]]) -> tuple[Any, ...]:
    [row] = ask.fetchall()
    return row


def _row(  # as the columns come
    device: str, read_id: str, sequence: int, deadline: datetime, digest: str, at: datetime
) -> StoredRead:
    deadline, at = deadline.astimezone(UTC), at.astimezone(UTC)
    return StoredRead(device, read_id, sequence, deadline, digest, at)


def _closed(numbers: Multirange[int]) -> list[tuple[int, int]]:
    """Runs (first, last); none is without an end."""
    return [(run.lower or 0, (run.upper or 0) - 1) for run in numbers]


def _words(error: psycopg.Error) -> str:
    """The server's first line; what follows may quote a value."""
    return error.diag.message_primary or (str(error).splitlines() or [type(error).__name__])[0]
