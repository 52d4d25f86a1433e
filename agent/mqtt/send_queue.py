"""Publications on their way: in order, each until it is answered, over as many connections as that
takes.
"""

from collections import deque
from itertools import count

from agent.mqtt.events import Properties
from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """One message with its ticket. `queued_s`: since when it waits (CLOCK_MONOTONIC)."""

    ticket: int
    topic: str
    payload: bytes
    properties: Properties
    queued_s: float


class SendQueue:
    """What waits, and what is in flight: sent on this connection, not answered yet."""

    def __init__(self) -> None:
        self._tickets = count(1)
        self._waiting: deque[Publication] = deque()
        self._in_flight: dict[int, Publication] = {}  # by packet id

    def __len__(self) -> int:
        """All that is unanswered."""
        return len(self._waiting) + len(self._in_flight)

    def add(self, topic: str, payload: bytes, properties: Properties, now_s: float) -> int:
        """Its ticket."""
        ticket = next(self._tickets)
        self._waiting.append(Publication(ticket, topic, payload, properties, now_s))
        return ticket

    def next(self, max_in_flight: int) -> Publication | None:
        """Take out what may be sent now."""
        if not self._waiting or len(self._in_flight) >= max_in_flight:
            return None
        return self._waiting.popleft()

    def sent(self, packet_id: int, publication: Publication) -> None:
        """It waits for its answer now."""
        self._in_flight[packet_id] = publication

    def put_back(self, publication: Publication) -> None:
        """It could not be sent."""
        self._waiting.appendleft(publication)

    def answered(self, packet_id: int) -> int | None:
        """The ticket that this answers; None: of nothing that was sent on this connection."""
        publication = self._in_flight.pop(packet_id, None)
        return publication.ticket if publication is not None else None

    def send_again(self) -> None:
        """The connection is over: what was in flight goes out again first, in order."""
        self._waiting.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
