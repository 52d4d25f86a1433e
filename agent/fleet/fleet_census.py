"""Counts a fleet, and finds whom to visit first, by the store's indexes: what is shown is read, and
no other message.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.fleet.camera_troubles import HOUR_S, Who
from agent.fleet.fleet_store import FleetStore
from agent.fleet.fleet_view import REFUSED_FOR_S, CameraState, Counts, states_of
from agent.values import dataclass

_REFUSED = "c.name IN (SELECT name FROM refused WHERE at_s > :refused_since)"
_SILENT = "c.heard_s <= :silent_since"
_LADDER = f"(c.who = 0 OR {_SILENT})"
_DESK = f"(c.who = 1 OR c.heard_s IS NULL OR c.policy < :newest OR {_REFUSED})"
_NOT_LADDER = "coalesce(c.who, 2) <> 0 AND (c.heard_s IS NULL OR c.heard_s > :silent_since)"
_NOT_DESK = (
    "coalesce(c.who, 2) <> 1 AND c.heard_s IS NOT NULL "
    f"AND coalesce(c.policy, :newest) >= :newest AND NOT {_REFUSED}"
)
_OF = {
    Who.LADDER: _LADDER,
    Who.DESK: f"{_DESK} AND {_NOT_LADDER}",
    Who.NOBODY: f"{_NOT_LADDER} AND {_NOT_DESK}",
}
_TROUBLES = (
    "length(coalesce(codes, '')) - length(replace(coalesce(codes, ''), ' ', '')) "
    f"+ (coalesce(codes, '') <> '') + coalesce({_SILENT}, 1) + coalesce(c.policy < :newest, 0) "
    f"+ ({_REFUSED})"
)
_URGENCY = f"CASE WHEN {_SILENT} THEN (:now - c.heard_s) / 3600 ELSE 0 END DESC, {_TROUBLES} DESC"


@dataclass(frozen=True, slots=True)
class Brief:
    """One camera for metrics. `heard_s`: None: never."""

    name: str
    heard_s: int | None
    who: Who
    missed: int


@dataclass(frozen=True, slots=True)
class Census:
    """`at`: UTC."""

    store: FleetStore
    at: datetime
    silent_after_h: int

    def counts(self) -> Counts:
        """Of all cameras. Raises StorageError."""
        policies = self._tally("SELECT policy, count(*) FROM camera WHERE policy IS NOT NULL ")
        versions = self._tally("SELECT version, count(*) FROM camera WHERE version IS NOT NULL ")
        cameras = self._count("1")
        who = {one: self._count(_OF[one]) for one in (Who.LADDER, Who.DESK)}
        who[Who.NOBODY] = cameras - sum(who.values())
        return Counts(
            cameras,
            who,
            self._troubles(),
            dict(sorted(versions.items(), key=lambda one: (-one[1], one[0]))),
            dict(sorted(policies.items(), reverse=True)),
        )

    def states(
        self, most: int | None = None, skip: int = 0, of: Sequence[Who] = tuple(Who)
    ) -> Sequence[CameraState]:
        """Whom to visit first stands first: at most so many, after the first `skip`. None: all.

        Raises StorageError.
        """
        found: list[CameraState] = []
        values = self._values
        for who in of:
            left = -1 if most is None else most - len(found)
            order = "" if who is Who.NOBODY else f"{_URGENCY}, "
            such = f"WHERE {_OF[who]} ORDER BY {order}c.name LIMIT :most OFFSET :skip"
            rows = tuple(self.store.rows(such, {**values, "most": left, "skip": skip}))
            found += states_of(rows, self.at, self.silent_after_h, values["newest"])
            skip = 0 if rows or not skip else max(0, skip - self._count(_OF[who]))
        return found

    def briefs(self) -> Iterator[Brief]:
        """Every camera, whoever needs a ladder first. Raises StorageError."""
        for who in Who:
            query = f"SELECT name, heard_s, missed FROM camera c WHERE {_OF[who]} ORDER BY name"  # noqa: S608  # texts of this file
            for name, heard_s, missed in self.store.ask(query, self._values):
                yield Brief(name, heard_s, who, missed)

    @property
    def _values(self) -> Mapping[str, int]:
        now_s = int(self.at.timestamp())
        [(newest,)] = self.store.ask("SELECT coalesce(max(policy), 0) FROM camera")
        return {
            "now": now_s,
            "silent_since": now_s - self.silent_after_h * HOUR_S,
            "refused_since": now_s - REFUSED_FOR_S,
            "newest": newest,
        }

    def _troubles(self) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for codes, number in self.store.ask(
            "SELECT codes, count(*) FROM camera WHERE codes > '' GROUP BY codes"
        ):
            found.update(dict.fromkeys(codes.split(), number))
        found["silent"] = self._count(_SILENT)
        found["never-heard"] = self._count("c.heard_s IS NULL")
        found["refused"] = self._count(_REFUSED)
        found["old-policy"] = self._count("c.policy < :newest")
        return {code: number for code, number in found.items() if number}

    def _count(self, such: str) -> int:
        query = f"SELECT count(*) FROM camera c WHERE {such}"  # noqa: S608  # a text of this file
        [(number,)] = self.store.ask(query, self._values)
        return int(number)

    def _tally(self, query: str) -> dict[Any, int]:
        return dict(self.store.ask(f"{query} GROUP BY 1"))
