"""How many receivers take reads in from one PostgreSQL, and which of them this one is: a hint by
which they share the work. Who stores a read is decided elsewhere.

A seat is an advisory lock of the session: the server takes it back from a receiver that ends.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, LiteralString

LOOK_S = 5.0  # how long an answer serves
_STORE: LiteralString = "('platewarden_store'::regclass::oid::bigint % 1000000000)"
"""One database may hold several stores, each in a schema of its own."""
_SEATED: LiteralString = (  # no stranger's text in either
    "SELECT pid = pg_backend_pid() FROM pg_locks WHERE locktype = 'advisory' AND granted AND "  # noqa: S608
    "objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    f"AND classid::bigint = {_STORE} ORDER BY objid"
)
_TAKE: LiteralString = (
    "SELECT seat FROM generate_series(0, 15) AS seat "  # noqa: S608
    f"WHERE pg_try_advisory_lock({_STORE}::int, seat) LIMIT 1"
)
Select = Callable[..., Sequence[tuple[Any, ...]]]


class PostgresqlSeats:
    """`select`: the store's."""

    def __init__(self, select: Select) -> None:
        self._select, self._seen = select, (0, 1)
        self._looked_s: float | None = None

    def place(self) -> tuple[int, int]:
        """Which of them this one is, from 0, and how many they are; (0, 1): no seat is free.

        Raises StorageError.
        """
        now_s = time.monotonic()
        if self._looked_s is None or now_s - self._looked_s >= LOOK_S:
            self._seen, self._looked_s = self._look(), now_s
        return self._seen

    def _look(self) -> tuple[int, int]:
        seats = self._seated()
        if True not in seats:  # the first time, or after a loss of the connection
            self._select(_TAKE)
            seats = self._seated()
        return (seats.index(True), len(seats)) if True in seats else (0, 1)

    def _seated(self) -> list[bool]:
        return [mine for (mine,) in self._select(_SEATED)]
