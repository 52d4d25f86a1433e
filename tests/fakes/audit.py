"""An audit log in memory, with the same details as the real one."""

import json
from collections.abc import Mapping

from agent.core.log.leaf import canonical
from agent.core.time.instant import Instant
from agent.errors import StorageError


class FakeAuditLog:
    """Implements ports.AuditLog.

    `leaves`: (kind, details) as they would be read back; `full`: the next appends fail.
    """

    def __init__(self, now=None):
        self.leaves: list[tuple[str, dict[str, object]]] = []
        self.full = False
        self.closed = False
        self._now = now

    origin = "platewarden/fake/log"

    def signed_with(self, extensions: tuple[str, ...]) -> bytes:
        """Not signed by anybody."""
        return "".join(f"{line}\n" for line in (self.origin, *extensions)).encode()

    @property
    def size(self) -> int:
        return len(self.leaves)

    def append(self, kind: str, details: Mapping[str, object]) -> int:
        if self.full:
            raise StorageError("database or disk is full", where="log.sqlite", fix="free space")
        at: Instant | None = self._now() if self._now else None
        stamp = (
            {"at": at.iso(), "clock": at.trust.value}
            if at
            else {"at": "2026-11-22T10:00:00.000Z", "clock": "os"}
        )
        opening = json.loads(
            canonical({**details, "n": len(self.leaves), "kind": str(kind), **stamp})
        )
        self.leaves.append((str(kind), opening))
        return len(self.leaves) - 1

    def add_tables(self, _statements: str) -> None:
        """There is no database."""

    def query(self, _statement: str) -> list[tuple[object, ...]]:
        """Nothing was kept in it."""
        return []

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.leaves]

    def details(self, kind: str) -> list[dict[str, object]]:
        """The details of every leaf of this kind."""
        return [details for found, details in self.leaves if found == str(kind)]

    def copy_checkpoint(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
