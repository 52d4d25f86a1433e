"""The receiver's connection to its broker: a persistent session, so that nothing is lost while it
is away; acknowledges only what it is told to; comes back by itself, with growing pauses.

The MQTT itself is agent/mqtt/driver.py's.
"""

import os
import time
from collections import deque
from contextlib import AbstractContextManager
from pathlib import Path

from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.disk.input_file import read_input
from agent.errors import ConfigError, DestinationRefusedError, NetworkError, StorageError
from agent.mqtt import events
from agent.mqtt.driver import Driver
from agent.mqtt.events import Received, Session
from agent.mqtt.pinned_tls import Peer, PinnedContext, context_for
from agent.mqtt.proxy import refuse_proxy
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES, reads_topic, receipts_topic
from agent.receiver.receiver_settings import MAX_BYTES, BrokerSettings
from agent.values import dataclass

SUBSCRIBE_TIMEOUT_S, FLUSH_TIMEOUT_S = 20.0, 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
MAX_UNACKNOWLEDGED = 100  # the broker sends no more before we acknowledge: 7 MB at most
MAX_EARLY_MESSAGES = 1_000
MAX_IN_FLIGHT, MAX_QUEUED_RECEIPTS = 100, 10_000
DOUBTFUL = 3
_TURN_S = 0.25
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Messages may come from now on (also after every reconnection)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone; `next` tries again with growing pauses."""

    why: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the operator should know; everything goes on."""

    words: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker will not have us: trying again changes nothing."""

    why: str


Event = Received | Subscribed | Lost | Notice | Refused
FINAL_FOR_A_RECEIPT = frozenset(
    {events.NOT_AUTHORIZED, events.TOPIC_NAME_INVALID, events.PAYLOAD_FORMAT_INVALID}
)
"""Only a person can change these. All other refusals of a receipt mean later: the camera publishes
its read again, and is answered again.
"""
PASSING = frozenset(
    {
        events.UNSPECIFIED,
        events.SPECIFIC,
        events.SERVER_UNAVAILABLE,
        events.SERVER_BUSY,
        events.QUOTA_EXCEEDED,
        events.CONNECTION_RATE_EXCEEDED,
    }
)
"""What a broker may answer to a connection while it starts, ends, or has too much to do."""


class Connection:
    """Subscribes to one topic and publishes receipts. Not for use by several threads. Raises
    NetworkError or DestinationRefusedError.

    `client_name`: where several receive for one recipient, this one's own.
    """

    def __init__(
        self, folder: Path, broker: BrokerSettings, recipient: str, client_name: str = ""
    ) -> None:
        refuse_proxy(os.environ)
        self._broker, self._topic = broker, reads_topic(recipient)
        self._turn_of = 0  # which of the addresses is dialled next
        self._where = f"{broker.dialled[0]}:{broker.port}"
        self._short_lived = 0  # connections in a row that ended within LONGEST_PAUSE_S
        self._told: set[int] = set()  # reasons for which receipts were refused
        self._expiry_told_s: int | None = None
        self._events: deque[Event] = deque()
        self._pause_s, self._retry_at_s = FIRST_PAUSE_S, 0.0
        self._since_first = False  # has there ever been a subscription?
        self._since_s: float | None = None  # when the subscription was confirmed
        session = session_of(broker, client_name or recipient)
        self._driver = Driver(tls_context(folder, broker), session)

    @property
    def where(self) -> str:
        """The address in use."""
        return self._where

    def open(self) -> None:
        """Connect to the first address that answers, and wait until the broker has confirmed the
        subscription.
        """
        for number in range(len(self._broker.dialled)):
            try:
                self._dial()
                self._await_subscription()
            except (NetworkError, DestinationRefusedError):
                if number + 1 == len(self._broker.dialled):
                    raise
            else:
                return

    def _await_subscription(self) -> None:
        # A kept session brings its messages before the answer to the subscription: they wait in the
        # queue.
        early = Received | Notice
        while (
            answer := next((event for event in self._events if not isinstance(event, early)), None)
        ) is None:
            if len(self._events) > MAX_EARLY_MESSAGES:
                answer = Refused(f"no answer, but {len(self._events)} messages")
                break
            self._turn(_TURN_S)
        if not isinstance(answer, Subscribed):
            where = self._where
            self.close()
            self._events.clear()
            fix = "check its access list and our certificate"
            raise NetworkError(
                f"the broker did not let this receiver subscribe to {self._topic}: {answer.why}",
                where=where,
                fix=fix,
            )
        self._events.remove(answer)

    def next(self, timeout_s: float) -> Event | None:
        """The next event, or None. While there is no connection, tries to get one when its time has
        come.
        """
        if not self._events:
            if self._driver.connected:
                self._turn(timeout_s)
            else:
                self._reconnect(timeout_s)
        return self._events.popleft() if self._events else None

    def more(self) -> list[Received]:
        """The messages that came right behind the last event, at most MAX_UNACKNOWLEDGED; nothing
        is waited for.
        """
        found: list[Received] = []
        while self._events and len(found) < MAX_UNACKNOWLEDGED:
            message = self._events[0]
            if not isinstance(message, Received):
                break
            found.append(message)
            self._events.popleft()
        return found

    def together(self) -> AbstractContextManager[None]:
        """Inside, receipts and acknowledgements wait for each other, and go out as one."""
        return self._driver.together()

    def acknowledge(self, message: Received) -> None:
        """PUBACK: the broker may forget the message. Nothing happens when its connection is gone:
        it comes again.
        """
        self._driver.acknowledge(message)

    def publish_receipt(self, device: str, receipt: bytes) -> None:
        """Queue a receipt at QoS 1; a lost one is asked for again by the camera's next delivery of
        the read, and so is one for which there is no room.
        """
        try:
            self._driver.publish(receipts_topic(device), receipt)
        except NetworkError as error:
            self._tell_once(-1, f"a receipt waits for the camera's next delivery: {error.what}")

    def drop(self) -> None:
        """Hang up: what was not acknowledged comes again on the next connection, which `next`
        makes. Queued receipts wait for it.
        """
        self._driver.close()
        self._events.clear()
        self._since_s, self._retry_at_s = None, time.monotonic()

    def close(self) -> None:
        """Let queued receipts go out (bounded), then leave; the broker keeps our session."""
        end_s = time.monotonic() + FLUSH_TIMEOUT_S
        while self._driver.connected and self._driver.unanswered and time.monotonic() < end_s:
            self._turn(_TURN_S)
        self._driver.close()

    def _turn(self, wait_s: float) -> None:
        for event in self._driver.loop(wait_s):
            self._take(event)

    def _dial(self) -> None:
        address = self._broker.dialled[self._turn_of % len(self._broker.dialled)]
        self._turn_of += 1
        self._where = f"{address}:{self._broker.port}"
        self._driver.connect(address, self._broker.port, self._where)

    def _tell_once(self, reason: int, words: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            self._events.append(Notice(words))

    def _welcome(self, granted: events.Connected) -> None:
        self._compare(granted.session_expiry_s)
        try:
            self._driver.subscribe(self._topic)
        except NetworkError as error:  # the connection has ended meanwhile
            self._lose(error.what)

    def _take_answer(self, answer: events.Acknowledged) -> None:
        """The broker's, to a receipt."""
        if not answer.refused:
            self._told.clear()
        elif answer.reason in FINAL_FOR_A_RECEIPT:
            # e.g. an access list: every camera would send for ever, so a person must act
            self._events.append(Refused(f"a receipt: {answer.words}"))
        else:
            words = f"the broker does not take a receipt now: {answer.words}; the camera asks again"
            self._tell_once(answer.reason, words)

    def _take(self, event: events.Event) -> None:
        match event:
            case events.Connected():
                self._welcome(event)
            case events.Subscribed():
                self._since_first = True
                self._since_s = time.monotonic()
                self._events.append(Subscribed())
            case Received():
                self._events.append(event)
            case events.Acknowledged():
                self._take_answer(event)
            case events.Refused() if event.reason in PASSING and self._since_first:
                self._lose(f"refused to {event.asked}: {event.words}")
            case events.Refused():
                self._events.append(Refused(f"to {event.asked}: {event.words}"))
            case events.Disconnected(reason=events.SESSION_TAKEN_OVER):
                # else two receivers would push each other out for ever
                self._events.append(
                    Refused(
                        "to keep two connections: another receiver with this recipient id has "
                        "connected"
                    )
                )
            case events.Disconnected():
                self._lose(event.words)

    def _reconnect(self, timeout_s: float) -> None:
        wait_s = self._retry_at_s - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
            return
        try:
            self._dial()
        except (NetworkError, DestinationRefusedError) as error:
            # A wrong certificate too: whoever stands on the way could end every receiver by one.
            self._lose(error.what)

    def _compare(self, granted_s: int) -> None:
        """Tell when the broker keeps our session for less time than we asked for."""
        asked_s = self._broker.session_expiry_days * _SECONDS_A_DAY
        if granted_s < asked_s and granted_s != self._expiry_told_s:
            self._expiry_told_s = granted_s
            words = (
                f"the broker keeps reads for us for {_span(granted_s)} only while we are away, not "
                f"for {_span(asked_s)}: what comes later than that waits at the camera"
            )
            self._events.append(Notice(words))

    def _lose(self, why: str) -> None:
        if self._since_s is not None:
            lived_s, self._since_s = time.monotonic() - self._since_s, None
            if lived_s > LONGEST_PAUSE_S:
                self._pause_s, self._short_lived = FIRST_PAUSE_S, 0
            else:
                self._short_lived += 1
            if self._short_lived >= DOUBTFUL:
                # Mosquitto 2.0 hangs up without a word when another client takes our id: once means
                # nothing, and the pauses go on growing
                why = (
                    f"{why}, {self._short_lived} times in a row within a minute: does another "
                    "receiver use this recipient id?"
                )
        self._events.append(Lost(why))
        self._retry_at_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, _SECONDS_A_DAY)
    return f"{days} days" if days and not rest else f"{seconds} s"


def session_of(broker: BrokerSettings, name: str) -> Session:
    """What is asked of the broker. `name`: the recipient, or where several receive, this one's."""
    return Session(
        name,  # as in its certificate: RabbitMQ, as `broker init` sets it up, lets no other in
        expiry_s=broker.session_expiry_days * _SECONDS_A_DAY,
        receive_maximum=MAX_UNACKNOWLEDGED,
        by_hand=True,
        max_in_flight=MAX_IN_FLIGHT,
        max_queued=MAX_QUEUED_RECEIPTS,
        answer_timeout_s=SUBSCRIBE_TIMEOUT_S,
    )


def tls_context(folder: Path, broker: BrokerSettings) -> PinnedContext:
    """TLS to our broker: this CA and no other, host name checked. Raises ConfigError when a file is
    missing or unusable.
    """
    peer = Peer(
        broker.host,
        pins=None,
        what="broker.ca",
        ca=folder / broker.ca,
        advice="check broker.host, broker.address and broker.ca in receiver.toml",
    )
    ca_pem = read_input(
        folder / broker.ca, MAX_BYTES, missing="get the broker's CA certificate (PEM)"
    )
    certificate, key = broker.client_certificate, broker.client_key
    client = (folder / certificate, folder / key) if certificate and key else None
    try:
        return context_for(peer, ca_pem, MAX_WIRE_BYTES + PACKET_OVERHEAD_BYTES, client)
    except StorageError as error:
        raise ConfigError(
            f"broker.client_certificate: {error.what}", where=error.where, fix=error.fix
        ) from None
