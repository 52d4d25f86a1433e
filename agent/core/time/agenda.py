"""When each of many waiting things is to be looked at next: those that are due are found without
going through those that wait.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterator

_Entry = tuple[float, int, str]  # when it is due, the number of the entry, the name


class Agenda:
    """Names in lanes; each is due at a second of the monotonic clock, or parked: known, and never
    due by itself.

    A lane (a recipient) can be passed over as a whole.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry | None] = {}  # by name, the one that counts; None: parked
        self._lanes: dict[str, list[_Entry]] = {}
        self._made = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def waiting(self) -> dict[str, float]:
        """When each is due that is not parked."""
        return {name: entry[0] for name, entry in self._entries.items() if entry}

    def put(self, name: str, lane: str, due_s: float) -> None:
        """Due then, in that lane; what was said of this name before counts no more."""
        self._made += 1
        self._entries[name] = entry = due_s, self._made, name
        heappush(self._lanes.setdefault(lane, []), entry)

    def park(self, name: str) -> None:
        """Known, and not due until `put` says so."""
        self._entries[name] = None

    def drop(self, name: str) -> None:
        """Known no more."""
        self._entries.pop(name, None)

    def due(self, now_s: float, closed: Container[str]) -> Generator[str]:
        """What is due, the longest due first, each once; lanes that are in `closed` by then are
        passed over.

        What the caller neither puts anew nor parks stays due.
        """
        given: list[tuple[str, _Entry]] = []
        try:
            while (lane := self._next(now_s, closed)) is not None:
                given.append((lane, heappop(self._lanes[lane])))
                yield given[-1][1][2]
        finally:
            for lane, entry in given:  # a superseded one falls out at its next turn
                heappush(self._lanes.setdefault(lane, []), entry)

    def _next(self, now_s: float, closed: Container[str]) -> str | None:
        """The lane whose first entry has been due the longest."""
        first: _Entry | None = None
        found = None
        for lane in list(self._lanes):
            heap = self._lanes[lane]
            while heap and self._entries.get(heap[0][2]) is not heap[0]:
                heappop(heap)  # superseded
            if not heap:
                del self._lanes[lane]
            elif lane not in closed and heap[0][0] <= now_s and (first is None or heap[0] < first):
                first, found = heap[0], lane
        return found
