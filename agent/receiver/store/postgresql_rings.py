"""What waits to be rung, in PostgreSQL: of many receivers one rings, by the server's clock."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg

from agent.receiver.store.ring_queue import MOST_AT_ONCE, Claim, RingerState

TABLES: tuple[LiteralString, ...] = (
    """CREATE TABLE to_ring (
        ringer text, device text, read_id text, PRIMARY KEY (ringer, device, read_id))""",
    """CREATE TABLE ringers (
        ringer text PRIMARY KEY, not_before timestamptz NOT NULL DEFAULT '-infinity',
        rung_at timestamptz, failures integer NOT NULL DEFAULT 0, failing_since timestamptz,
        words text NOT NULL DEFAULT '')""",
)
Ask = psycopg.Cursor[tuple[Any, ...]]
Transaction = Callable[[], AbstractContextManager[Ask]]
Select = Callable[..., Sequence[tuple[Any, ...]]]


class PostgresqlRings:
    """Implements RingQueue. `transaction`, `select`: their store's."""

    def __init__(self, transaction: Transaction, select: Select) -> None:
        self._transaction, self._select = transaction, select

    def claim(self, ringer: str, lease_s: float) -> Claim | None:
        """Implements RingQueue."""
        if not self._select("SELECT 1 FROM to_ring WHERE ringer = %s LIMIT 1", (ringer,)):
            return None
        with self._transaction() as ask:
            ask.execute(
                "INSERT INTO ringers (ringer) VALUES (%s) ON CONFLICT DO NOTHING", (ringer,)
            )
            ask.execute(
                "UPDATE ringers SET not_before = clock_timestamp() + make_interval(secs => %s) "
                "WHERE ringer = %s AND not_before <= clock_timestamp() RETURNING failures",
                (lease_s, ringer),
            )
            mine = ask.fetchall()
            if not mine:
                return None
            ask.execute(
                "SELECT device, read_id FROM to_ring WHERE ringer = %s LIMIT %s",
                (ringer, MOST_AT_ONCE),
            )
            names = tuple((device, read_id) for device, read_id in ask)
        return Claim(names, mine[0][0]) if names else None

    def rung(self, ringer: str, claim: Claim) -> None:
        """Implements RingQueue."""
        with self._transaction() as ask:
            ask.execute(
                "DELETE FROM to_ring WHERE ringer = %s AND (device, read_id) IN "
                "(SELECT * FROM unnest(%s::text[], %s::text[]))",
                (ringer, *map(list, zip(*claim.names, strict=True))),
            )
            ask.execute(
                "UPDATE ringers SET not_before = '-infinity', rung_at = clock_timestamp(), "
                "failures = 0, failing_since = NULL, words = '' WHERE ringer = %s",
                (ringer,),
            )

    def failed(self, ringer: str, words: str, pause_s: float) -> None:
        """Implements RingQueue."""
        with self._transaction() as ask:
            ask.execute(
                "UPDATE ringers SET not_before = clock_timestamp() + make_interval(secs => %s), "
                "failures = failures + 1, failing_since = coalesce(failing_since, "
                "clock_timestamp()), words = %s WHERE ringer = %s",
                (pause_s, words, ringer),
            )

    def states(self) -> Sequence[RingerState]:
        """Implements RingQueue."""
        return [
            RingerState(ringer, waiting, _moment(rung_at), failures, _moment(since), words)
            for ringer, waiting, rung_at, failures, since, words in self._select(
                "SELECT ringer, coalesce(waiting, 0), rung_at, coalesce(failures, 0), "
                "failing_since, coalesce(words, '') FROM ringers FULL JOIN (SELECT ringer, "
                "count(*) AS waiting FROM to_ring GROUP BY ringer) AS there USING (ringer) "
                "ORDER BY ringer"
            )
        ]


def _moment(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
