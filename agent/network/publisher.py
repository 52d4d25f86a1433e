"""Publishes to the brokers that the policy lists for a recipient, in the policy's order, until one
acknowledges.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from agent.core.log.fate import Fate, Outcome, Post, PostAnswer
from agent.core.policy.policy import Broker
from agent.core.reasons import Reason
from agent.errors import DestinationRefusedError, NetworkError
from agent.mqtt.events import PACKET_TOO_LARGE, SESSION_TAKEN_OVER
from agent.mqtt.pinned_tls import PinnedContext, PinnedSocket
from agent.mqtt.socket_wait import wait_for
from agent.mqtt.topics import reads_topic
from agent.network.broker_link import Answer, BrokerLink, Flight, LinkLimits
from agent.network.egress import Egress
from agent.network.spread import spread
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.ports import Bell

Refused = Callable[[str, str, str], None]
"""Told of every refused destination: broker id, address, reason code. Another broker may still take
the read.
"""

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
DOUBTFUL = 3
DIALLING_S_PER_PASS = 40.0
"""Several brokers that stall must not keep a pass from ending, or the watchdog would end the
process.
"""


@dataclass(slots=True, eq=False)
class _Route:
    """A broker with its connection, and when it may be dialled again after failures.

    `failure`: how the last failure came about. `wait_s`: grows until the broker acknowledges a
    read; that it accepts a connection proves nothing. `since_s`: the connection's beginning.

    `longest_taken`: the largest read, in bytes, that it has acknowledged. `reserved`: kept free for
    a read that must be alone. `rivalled`: another device has taken our id.
    """

    link: BrokerLink
    wait_s: float = 0.0
    not_before_s: float = 0.0
    since_s: float = 0.0
    failure: NetworkError | DestinationRefusedError | None = None
    longest_taken: int = 0
    reserved: bool = False
    rivalled: NetworkError | None = None
    short_lived: int = 0  # connections in a row that ended within LONGEST_WAIT_S


@dataclass(slots=True)
class _Task:
    """A read on its way. `refusal`: the first broker's, while the others are tried."""

    recipient: str
    read_id: str
    wire: bytes
    expires: datetime
    alone: bool
    tried: list[_Route]
    refusal: Outcome | None = None


class MqttPublisher:
    """Implements ports.Publisher over MQTT 5. `contexts`: by broker id. `now`: UTC. `jitter`: a
    number in [0, 1), so that a fleet does not dial in step. `link`: makes a connection.

    A read goes to the first broker of its recipient that is there; one that refuses it lets the
    next one try. A broker whose connection ends is left alone for 1 s, 2 s, 4 s … 60 s (with
    jitter).
    """

    def __init__(
        self,
        brokers: Sequence[Broker],
        contexts: Mapping[str, PinnedContext],
        device: str,
        egress: Egress,
        *,
        now: Callable[[], datetime],
        jitter: Callable[[], float],
        refused: Refused,
        stopping: Callable[[], bool] = lambda: False,
        limits: LinkLimits | None = None,
        link: Callable[..., BrokerLink] = BrokerLink,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = limits or LinkLimits()
        self._routes = [
            _Route(link(broker, device, contexts[broker.id], egress, limits)) for broker in brokers
        ]
        self._now, self._jitter, self._refused, self._stopping = now, jitter, refused, stopping
        self._monotonic, self._device = monotonic, device
        self._tasks: dict[str, _Task] = {}  # by read id
        self._dialled_s = 0.0
        self._joined: set[str] = set()

    def room(self, recipient: str | None, *, alone: bool = False) -> bool:
        """May another read be handed over now? Where it must be `alone`, room is made for it."""
        if recipient is None:
            return any(not r.link.connected or self._has_room(r) for r in self._routes)
        route = next((r for r in self._serving(recipient) if r.link.connected), None)
        if route is None:
            return True  # `publish` tells why not
        if alone:
            route.reserved = True
            return not route.link.in_flight
        return self._has_room(route)

    def publish(
        self, recipient: str, read_id: str, wire: bytes, expires: datetime, *, alone: bool = False
    ) -> bool:
        """Hand a read over to the first broker that is there; False: no room yet, or not dialled
        yet.

        Raises the first NetworkError of those out of reach, or DestinationRefusedError if all are
        refused.
        """
        routes = self._serving(recipient)
        if not routes:
            raise DestinationRefusedError(
                Reason.NO_BROKER_FOR_RECIPIENT,
                f"no broker serves recipient {recipient!r}",
                where="policy",
                fix="a [[broker]] must list it",
            )
        route = next((route for route in routes if route.link.connected), None)
        if route is None:
            failures = [route.failure for route in routes if route.failure]
            if len(failures) < len(routes):
                return False
            first = next((f for f in failures if isinstance(f, NetworkError)), failures[0])
            raise first.with_traceback(None)  # the same error, raised often, must not grow
        if not self.room(recipient, alone=alone):
            return False
        task = _Task(recipient, read_id, wire, expires, alone, [])
        self._send(route, task)
        self._tasks[read_id] = task
        return True

    def collect(self, timeout_s: float, bell: "Bell | None" = None) -> Sequence[Outcome]:
        """Dial the brokers that are due, wait until anything comes or `bell` rings, tell what
        became of reads.
        """
        self._dialled_s = 0.0
        outcomes: list[Outcome] = []
        for route in self._routes:
            if not route.link.connected:
                outcomes += self._poll(route)  # it may have ended while something was sent
                if self._monotonic() >= route.not_before_s:
                    self._connect(route)
        self._wait(0.0 if outcomes else timeout_s, bell)
        for route in self._routes:
            outcomes += self._poll(route)
        return outcomes

    def joined(self) -> Collection[str]:
        """Recipients whose brokers have a new connection or subscription since the last call."""
        joined, self._joined = self._joined, set()
        return joined

    def untrusted_receipts(self) -> Sequence[bytes]:
        """What `collect` has brought, at most a few hundred."""
        return [receipt for route in self._routes for receipt in route.link.take_receipts()]

    def post(self, message: bytes, about: Post = Post.CHECKPOINT) -> bool:
        """Hand it over to each broker that is there and has room: none is for one recipient.
        False: to none.
        """
        posted = False
        for route in self._routes:
            if route.link.connected and self._has_room(route):
                try:
                    route.link.post(message, about)
                except NetworkError:
                    continue  # it has just ended: the next `collect` tells
                posted = True
        return posted

    def post_answers(self, about: Post = Post.CHECKPOINT) -> Sequence[PostAnswer]:
        """The brokers', to messages of one kind, since the last call."""
        return [answer for route in self._routes for answer in route.link.take_post_answers(about)]

    def untrusted_answers(self) -> Sequence[bytes]:
        """What the city's collector says, at most a handful."""
        return [answer for route in self._routes for answer in route.link.take_collected()]

    def dropped_receipts(self) -> int:
        """Receipts that were too long, for another topic, or too many, since the start."""
        return sum(route.link.dropped_receipts for route in self._routes)

    def troubles(self) -> Sequence[str]:
        """One line for each broker that is out of reach now, or on which another device has our
        id.
        """
        troubles = (route.rivalled or route.failure for route in self._routes)
        return [str(trouble) for trouble in troubles if trouble]

    def close(self) -> None:
        """Disconnect from all brokers."""
        for route in self._routes:
            route.link.close()

    def _serving(self, recipient: str) -> list[_Route]:
        return [route for route in self._routes if recipient in route.link.broker.recipients]

    def _has_room(self, route: _Route) -> bool:
        return not route.reserved and route.link.room > 0

    def _send(self, route: _Route, task: _Task) -> None:
        task.tried.append(route)
        route.reserved = route.reserved or task.alone
        left_s = int((task.expires - self._now()).total_seconds())
        route.link.publish(task.recipient, task.read_id, task.wire, left_s)

    def _wait(self, timeout_s: float, bell: "Bell | None") -> None:
        """Until a socket has something for us, or we for it, or `bell` rings, or time is up."""
        links = [route.link for route in self._routes if route.link.connected]
        if any(link.hurried for link in links):
            return
        reading: list[PinnedSocket | Bell] = [link.socket for link in links if link.socket]
        writing = [link.socket for link in links if link.socket and link.wants_write]
        if bell is not None and bell.fileno() >= 0:
            reading.append(bell)
        wait_for(reading, writing, timeout_s)

    def _poll(self, route: _Route) -> list[Outcome]:
        link, failure = route.link, None
        route.reserved = False
        if not link.connected and not link.hurried:
            return []
        try:
            link.poll()
        except NetworkError as error:
            failure = error
        if link.take_renewed():
            self._joined |= link.broker.recipients
        outcomes = [self._answered(route, answer) for answer in link.take_answers()]
        if failure is not None:
            failure = self._doubted(route, failure)
            outcomes += self._lost(route, link.take_flights(), failure)
            self._failed(route, failure)
        # a read that must be alone keeps the others waiting until it is answered
        route.reserved = any(
            task.alone and task.tried[-1] is route for task in self._tasks.values()
        )
        return [outcome for outcome in outcomes if outcome is not None]

    def _doubted(self, route: _Route, failure: NetworkError) -> NetworkError:
        """Mosquitto 2.0 hangs up without a word when another client takes our id.

        Once means nothing; again and again it is asked aloud, and the back-off grows.
        """
        alone = any(task.alone and task.tried[-1] is route for task in self._tasks.values())
        lived_s = self._monotonic() - route.since_s
        if lived_s > LONGEST_WAIT_S:
            route.short_lived = 0
        elif not alone:  # else it was that read
            route.short_lived += 1
        if route.short_lived < DOUBTFUL or route.link.ended_by is not None:
            return failure
        what = (
            f"{failure.what}, {route.short_lived} times in a row within a minute: does another "
            "device use this one's id?"
        )
        route.rivalled = NetworkError(what, where=failure.where, fix=failure.fix)
        return route.rivalled

    def _answered(self, route: _Route, answer: Answer) -> Outcome | None:
        """None: refused, and the next broker tries."""
        flight = answer.flight
        task = self._tasks.pop(flight.read_id)
        if not answer.refused:
            route.longest_taken = max(route.longest_taken, flight.wire_bytes)
            if route.rivalled is None or self._monotonic() - route.since_s > LONGEST_WAIT_S:
                route.wait_s, route.rivalled = 0.0, None
            return Outcome(flight.read_id, Fate.ACKNOWLEDGED)
        if answer.reason == PACKET_TOO_LARGE:
            return self._next(task, self._too_large(route, flight))
        words = f"{_where(route)}: did not take a read on {reads_topic(task.recipient)}"
        words = f"{words}: {answer.words} | check the broker's access rules for this device"
        return self._next(task, Outcome(flight.read_id, Fate.REFUSED, words))

    def _next(self, task: _Task, refusal: Outcome) -> Outcome | None:
        """The next broker tries, if one is there; the first one's refusal is told."""
        task.refusal = task.refusal or refusal
        for route in self._serving(task.recipient):
            if route.link.connected and route not in task.tried:
                try:
                    self._send(route, task)
                except NetworkError:
                    continue  # too many wait there, or it has just ended
                self._tasks[task.read_id] = task
                return None
        return task.refusal

    def _lost(
        self, route: _Route, flights: list[Flight], failure: NetworkError
    ) -> list[Outcome | None]:
        """The connection ended with these in flight. Where the broker said `packet too large`, only
        those are suspects that are larger than any that it has taken.
        """
        too_large = route.link.ended_by == PACKET_TOO_LARGE
        suspects = {
            flight.read_id
            for flight in flights
            if not too_large or flight.wire_bytes > route.longest_taken
        }
        outcomes: list[Outcome | None] = []
        for flight in flights:
            read_id = flight.read_id
            task = self._tasks.pop(read_id)
            if too_large and suspects == {read_id}:
                outcomes.append(self._next(task, self._too_large(route, flight)))
            else:
                lost = Outcome(read_id, Fate.LOST, str(failure), suspect=read_id in suspects)
                # alone it has ended the connection: another broker may bear it
                outcomes.append(self._next(task, lost) if task.alone else lost)
        return outcomes

    def _too_large(self, route: _Route, flight: Flight) -> Outcome:
        limit = route.link.packet_limit
        told = f"{limit} bytes" if limit else "it does not say which"
        words = (
            f"{_where(route)}: a read of {flight.wire_bytes} bytes is too large for the broker "
            f"(its limit: {told}) | raise its max_packet_size and message_size_limit"
        )
        return Outcome(flight.read_id, Fate.TOO_LARGE, words)

    def _connect(self, route: _Route) -> None:
        """Try the broker's addresses in turn, in this camera's order."""
        failure: NetworkError | DestinationRefusedError | None = None
        for address, port in spread(route.link.broker.addresses, self._device):
            if self._dialled_s >= DIALLING_S_PER_PASS or self._stopping():
                failure = failure or NetworkError(
                    "not dialled: stopping, or other brokers took too long", where=_where(route)
                )
                break
            began_s = self._monotonic()
            try:
                route.link.connect(address, port)
            except NetworkError as error:
                failure = error
            except DestinationRefusedError as error:
                self._refused(route.link.broker.id, f"{address}:{port}", error.reason)
                failure = failure or error
            else:
                route.failure, route.since_s = None, self._monotonic()
                self._joined |= route.link.broker.recipients
                return
            finally:
                self._dialled_s += self._monotonic() - began_s
        self._failed(route, failure or NetworkError("no address", where=_where(route)))

    def _failed(self, route: _Route, error: NetworkError | DestinationRefusedError) -> None:
        if route.link.ended_by == SESSION_TAKEN_OVER and isinstance(error, NetworkError):
            route.rivalled = error
            self._refused(route.link.broker.id, error.where, Reason.CLIENT_ID_TAKEN)
        route.wait_s = min(max(route.wait_s * 2, FIRST_WAIT_S), LONGEST_WAIT_S)
        route.failure = error
        route.not_before_s = self._monotonic() + route.wait_s * (0.5 + self._jitter() / 2)


def _where(route: _Route) -> str:
    return f"broker {route.link.broker.id!r}"
