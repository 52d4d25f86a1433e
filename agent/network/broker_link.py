"""One camera's connection to one broker of the policy: only at a listed address, reads out,
receipts in. The MQTT itself is agent/mqtt/driver.py's.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypeVar

from agent.core.log.collected import MAX_ANSWER_BYTES
from agent.core.log.fate import Post, PostAnswer
from agent.core.policy.policy import Broker
from agent.errors import NetworkError
from agent.mqtt.driver import Driver
from agent.mqtt.events import (
    LONGEST_PACKET_BYTES,
    SESSION_TAKEN_OVER,
    Acknowledged,
    Connected,
    Disconnected,
    Event,
    Received,
    Refused,
    Session,
    Subscribed,
)
from agent.mqtt.pinned_tls import PinnedContext, PinnedSocket
from agent.mqtt.topics import (
    checkpoint_properties,
    checkpoints_topic,
    collected_topic,
    discovery_properties,
    discovery_topic,
    health_topic,
    read_properties,
    reads_topic,
    receipts_topic,
)
from agent.network.egress import Egress
from agent.values import dataclass

# The broker keeps nothing for us while we are away: what is sent again brings another receipt.
# Without a session a broker sends nothing twice, so QoS 1 would give what 0 gives, and cost a queue
_ANSWERS_QOS = 0
SILENCE_S, LONGEST_SILENCE_S = 30.0, 600.0
TRIES_AGAIN = "deliver tries again"
MAX_ANSWERS_WAITING = 16
_ACCESS_RULES = "check the broker's access rules for this device"
_CLONED = (
    "is its card a copy of another's? Provision one of the two anew; deliver tries again, ever "
    "more rarely"
)
_Kind = TypeVar("_Kind", bound=Event)


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """Bounds of one connection. `connect`: TCP, then TLS; `answer`: to CONNECT and SUBSCRIBE;
    `acknowledge`: a read. `max_in_flight`: reads that may wait for that, where the broker does not
    grant fewer. `max_receipts_waiting`: more receipts than that are dropped (publishing
    again brings them again).
    """

    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 5.0
    acknowledge_timeout_s: float = 10.0
    keepalive_s: int = 30
    max_receipt_bytes: int = 4096
    max_receipts_waiting: int = 256
    max_in_flight: int = 20


@dataclass(frozen=True, slots=True)
class Flight:
    """A read that was sent and not answered yet. `since_s`: by the monotonic clock."""

    read_id: str
    wire_bytes: int
    since_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The broker's, to one read."""

    flight: Flight
    reason: int
    refused: bool
    words: str


class BrokerLink:
    """Connects to one of the broker's addresses, publishes with QoS 1, several reads at a time,
    collects untrusted receipts. Not for use by several threads.

    After any error the connection is closed; nothing stays queued in it, and `take_flights` tells
    what was in flight. `ended_by`: the broker's reason for the last end, where it said one. Raises
    NetworkError and DestinationRefusedError.
    """

    def __init__(
        self,
        broker: Broker,
        device: str,
        context: PinnedContext,
        egress: Egress,
        limits: LinkLimits,
        *,
        client_id: str = "",
    ) -> None:
        self.broker, self.dropped_receipts = broker, 0
        self._context, self._egress, self._limits = context, egress, limits
        self._receipts_topic = receipts_topic(device)
        self._receipts: deque[bytes] = deque()
        self._collected_topic = collected_topic(device)
        self._post_topics = {
            Post.CHECKPOINT: checkpoints_topic(device),
            Post.HEALTH: health_topic(device),
            Post.DISCOVERY: discovery_topic(device),
        }
        self._posts: dict[int, Post] = {}  # by the driver's ticket
        self._post_answers: list[PostAnswer] = []
        self._collected: deque[bytes] = deque(maxlen=MAX_ANSWERS_WAITING)
        self._listens = ""  # to the collector: "", "asked", "granted"
        self._may_listen: bool | None = None  # does the broker let us? None: it is not known
        self._owed_s: float | None = None  # since when a read that the broker took has no receipt
        self._silence_s, self._renewed = SILENCE_S, False
        self._flights: dict[int, Flight] = {}  # by the driver's ticket
        self._answers: list[Answer] = []
        self.ended_by: int | None = None
        self._granted: Connected | None = None
        self._session = Session(
            # The name in the certificate: RabbitMQ, as `broker init` sets it up, lets no other in.
            # One at a time: a second one with the same ends the first.
            client_id or device,
            clean_start=True,
            keepalive_s=limits.keepalive_s,
            connect_timeout_s=limits.connect_timeout_s,
            answer_timeout_s=limits.answer_timeout_s,
            max_in_flight=limits.max_in_flight,
            max_queued=2 * limits.max_in_flight,
        )
        self._driver: Driver | None = None

    @property
    def connected(self) -> bool:
        """Has the broker accepted us, and is the connection still up as far as we know?"""
        return self._driver is not None and self._driver.connected

    @property
    def room(self) -> int:
        """So many more reads may be sent before one is answered."""
        granted = self._granted.receive_maximum if self._granted else 0
        return min(self._limits.max_in_flight, granted) - len(self._flights)

    @property
    def in_flight(self) -> int:
        """How many reads wait for their answer."""
        return len(self._flights)

    @property
    def packet_limit(self) -> int | None:
        """The longest packet that the broker takes, where it said so."""
        limit = self._granted.max_packet_bytes if self._granted else LONGEST_PACKET_BYTES
        return limit if limit < LONGEST_PACKET_BYTES else None

    @property
    def socket(self) -> PinnedSocket | None:
        """To wait for, beside others."""
        return self._driver.socket if self._driver else None

    @property
    def hurried(self) -> bool:
        """Would `poll` have something to do at once?"""
        return self._driver is not None and self._driver.hurried

    @property
    def wants_write(self) -> bool:
        """Does the socket still have to take bytes?"""
        return self._driver is not None and self._driver.wants_write

    def connect(self, address: str, port: int) -> None:
        """Check the destination, dial it, verify it, subscribe to our receipts. No socket opens for
        an unlisted address.
        """
        self._egress.permit(self.broker.id, address, port)
        self.close()
        self._posts, self._listens = {}, ""
        self._owed_s, self._silence_s, self._renewed = None, SILENCE_S, False
        # a new one for each connection: nothing that waited in the old one goes out
        self._driver = driver = Driver(self._context, self._session)
        with _next_step("check the broker and the network; " + TRIES_AGAIN):
            driver.connect(address, port, f"broker {self.broker.id!r} at {address}:{port}")
        with _next_step("is this device's TLS certificate (device/tls.crt) accepted there?"):
            what, within_s = "accept the connection", self._limits.answer_timeout_s
            self._granted = self._until(driver, Connected, what, within_s)
        with _next_step(_ACCESS_RULES):
            driver.subscribe(self._receipts_topic, _ANSWERS_QOS)
            what = f"let us read {self._receipts_topic}"
            self._until(driver, Subscribed, what, self._limits.answer_timeout_s)
            if self._may_listen:  # what the collector says until the next checkpoint counts
                self._listen()

    def publish(self, recipient: str, read_id: str, wire: bytes, expires_in_s: int) -> None:
        """Send a read, or as soon as the broker has answered others; `take_answers` tells more.

        An acknowledgement proves little: the broker may still lose or withhold the read. Raises
        NetworkError.
        """
        driver = self._required()
        ticket = driver.publish(reads_topic(recipient), wire, read_properties(expires_in_s))
        self._flights[ticket] = Flight(read_id, len(wire), monotonic())

    def post(self, message: bytes, about: Post = Post.CHECKPOINT) -> None:
        """Send a message to the city; `take_post_answers` tells more. Raises NetworkError."""
        driver = self._required()
        how = discovery_properties() if about is Post.DISCOVERY else checkpoint_properties()
        ticket = driver.publish(self._post_topics[about], message, how)
        self._posts[ticket] = about

    def poll(self) -> None:
        """Take in what has arrived, without waiting, and keep the connection alive. Raises
        NetworkError.
        """
        for event in self._required().loop(0.0):
            self._take(event)
            if isinstance(event, Disconnected | Refused):
                raise self._ended(event)
        self._listen_again()
        oldest = next(iter(self._flights.values()), None)
        if oldest and monotonic() - oldest.since_s > self._limits.acknowledge_timeout_s:
            self.close()
            raise NetworkError(
                f"did not answer a read within {self._limits.acknowledge_timeout_s:g} s",
                where=self._context.where,
                fix=TRIES_AGAIN,
            )

    def take_renewed(self) -> bool:
        """Has it subscribed anew for the first time in a silence? What came before may be lost."""
        renewed, self._renewed = self._renewed, False
        return renewed

    def take_answers(self) -> list[Answer]:
        """To reads, since the last call."""
        taken, self._answers = self._answers, []
        return taken

    def take_post_answers(self, about: Post = Post.CHECKPOINT) -> list[PostAnswer]:
        """To messages of one kind, since the last call."""
        taken = [one for one in self._post_answers if one.about is about]
        self._post_answers = [one for one in self._post_answers if one.about is not about]
        return taken

    def take_collected(self) -> list[bytes]:
        """Untrusted answers of the city's collector, oldest first; each at most MAX_ANSWER_BYTES,
        and the last MAX_ANSWERS_WAITING.
        """
        taken = list(self._collected)
        self._collected.clear()
        return taken

    def take_flights(self) -> list[Flight]:
        """What was in flight when the connection ended; call this once it has."""
        taken, self._flights = list(self._flights.values()), {}
        return taken

    def take_receipts(self) -> list[bytes]:
        """Untrusted receipts so far, oldest first; each at most max_receipt_bytes."""
        taken = list(self._receipts)
        self._receipts.clear()
        return taken

    def close(self) -> None:
        """Say goodbye if possible, and forget the connection."""
        self.ended_by = None
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    def _until(self, driver: Driver, kind: type[_Kind], what: str, within_s: float) -> _Kind:
        try:
            return driver.until(kind, within_s, what, self._take)
        except NetworkError:
            self.ended_by = driver.ended_by
            raise

    def _ended(self, event: Disconnected | Refused) -> NetworkError:
        if self._listens == "asked" and self._may_listen:
            self._may_listen = None  # it let us before: asked again once it takes a checkpoint
        elif self._listens == "asked":
            # RabbitMQ ends a connection for a topic that it does not let one read. Reads come first
            self._may_listen = False
            what = f"did not let us read {self._collected_topic}: {event.words}"
            self._post_answers.append(PostAnswer(self.broker.id, what))
        self.ended_by = event.reason
        if event.reason == SESSION_TAKEN_OVER:
            what = f"another device uses this id ({self._session.client_id}): {event.words}"
            return NetworkError(what, where=self._context.where, fix=_CLONED)
        what = f"the connection ended: {event.words}"
        return NetworkError(what, where=self._context.where, fix=TRIES_AGAIN)

    def _listen_again(self) -> None:
        """Subscribe anew after a silence: after 30 s, 60 s … 10 min in which no receipt came.

        Mitigates against: a broker that has lost our subscription, and says nothing. RabbitMQ
        4.0 does, now and then, where a client is back before its former node has tidied up.
        """
        if self._owed_s is None or monotonic() - self._owed_s < self._silence_s:
            return
        self._owed_s, self._renewed = monotonic(), self._silence_s == SILENCE_S
        self._silence_s = min(2 * self._silence_s, LONGEST_SILENCE_S)
        topics = [self._receipts_topic]
        topics += [self._collected_topic] if self._listens == "granted" else []
        for topic in topics:  # else RabbitMQ takes the second subscription for the first
            self._required().unsubscribe(topic)
        for topic in topics:
            self._required().subscribe(topic, _ANSWERS_QOS)

    def _take(self, event: Event) -> None:
        """Keep an answer, or a receipt if it fits."""
        if isinstance(event, Acknowledged):
            self._take_answer(event)
        if isinstance(event, Subscribed) and event.topic == self._collected_topic:
            self._listens, self._may_listen = "granted", True
        if not isinstance(event, Received):
            return
        receipt = event.untrusted_payload
        if event.topic == self._collected_topic and len(receipt) <= MAX_ANSWER_BYTES:
            self._collected.append(receipt)
            return
        fits = (
            event.topic == self._receipts_topic and len(receipt) <= self._limits.max_receipt_bytes
        )
        if fits:
            self._owed_s, self._silence_s = None, SILENCE_S
        if fits and len(self._receipts) < self._limits.max_receipts_waiting:
            self._receipts.append(receipt)
        else:
            self.dropped_receipts += 1

    def _take_answer(self, event: Acknowledged) -> None:
        flight = self._flights.pop(event.ticket, None)
        if flight is not None:
            if not event.refused and self._owed_s is None:
                self._owed_s = monotonic()
            self._answers.append(Answer(flight, event.reason, event.refused, event.words))
        about = self._posts.pop(event.ticket, None)
        if about is None:
            return
        refusal = f"did not take a {about}: {event.words}" if event.refused else ""
        self._post_answers.append(PostAnswer(self.broker.id, refusal, about))
        taken = about is Post.CHECKPOINT and not event.refused
        if taken and not self._listens and self._may_listen is not False:
            # only where checkpoints are taken: an older access list knows neither topic
            self._listen()

    def _listen(self) -> None:
        """To the city's collector."""
        self._listens = "asked"
        self._required().subscribe(self._collected_topic, _ANSWERS_QOS)

    def _required(self) -> Driver:
        if self._driver is None:
            raise NetworkError("not connected", where=f"broker {self.broker.id!r}", fix=TRIES_AGAIN)
        return self._driver


@contextmanager
def _next_step(fix: str) -> Iterator[None]:
    """The driver's errors with the step that helps a camera's operator."""
    try:
        yield
    except NetworkError as error:
        raise NetworkError(error.what, where=error.where, fix=fix) from None
