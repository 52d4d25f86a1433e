"""One camera's connection to one broker of the policy: only at a listed address, reads out,
receipts in. The MQTT itself is agent/mqtt/driver.py's.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from agent.core.policy.policy import Broker
from agent.errors import NetworkError
from agent.mqtt.driver import Driver
from agent.mqtt.events import (
    Acknowledged,
    Connected,
    Disconnected,
    Event,
    Received,
    Session,
    Subscribed,
)
from agent.mqtt.pinned_tls import PinnedContext
from agent.mqtt.topics import read_properties, reads_topic, receipts_topic
from agent.network.egress import Egress

# the broker keeps receipts for us that long while we are away; after that a re-publication brings
# another
_SESSION_S = 3600
TRIES_AGAIN = "deliver tries again"
_ACCESS_RULES = "check the broker's access rules for this device"
_Kind = TypeVar("_Kind", bound=Event)


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """Bounds of one connection. `connect`: TCP, then TLS; `answer`: to CONNECT and SUBSCRIBE;
    `acknowledge`: a read. `max_receipts_waiting`: more receipts than that are dropped (publishing
    again brings them again). `session_s`: how long the broker keeps receipts for us while we are
    away.
    """

    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 5.0
    acknowledge_timeout_s: float = 10.0
    keepalive_s: int = 30
    max_receipt_bytes: int = 4096
    max_receipts_waiting: int = 256
    session_s: int = _SESSION_S


class BrokerLink:
    """Connects to one of the broker's addresses, publishes with QoS 1, collects untrusted receipts.
    Not for use by several threads.

    After any error the connection is closed; nothing stays queued in it. Raises NetworkError and
    DestinationRefusedError.
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
        self._session = Session(
            # one at a time: a second one with the same ends the first
            client_id or f"platewarden-{device}",
            expiry_s=limits.session_s,
            keepalive_s=limits.keepalive_s,
            connect_timeout_s=limits.connect_timeout_s,
            answer_timeout_s=limits.answer_timeout_s,
        )
        self._driver: Driver | None = None

    @property
    def connected(self) -> bool:
        """Has the broker accepted us, and is the connection still up as far as we know?"""
        return self._driver is not None and self._driver.connected

    def connect(self, address: str, port: int) -> None:
        """Check the destination, dial it, verify it, subscribe to our receipts. No socket opens for
        an unlisted address.
        """
        self._egress.permit(self.broker.id, address, port)
        self.close()
        # a new one for each connection: nothing that waited in the old one goes out
        self._driver = driver = Driver(self._context, self._session)
        with _next_step("check the broker and the network; " + TRIES_AGAIN):
            driver.connect(address, port, f"broker {self.broker.id!r} at {address}:{port}")
        with _next_step("is this device's TLS certificate (device/tls.crt) accepted there?"):
            self._until(driver, Connected, "accept the connection", self._limits.answer_timeout_s)
        with _next_step(_ACCESS_RULES):
            driver.subscribe(self._receipts_topic)
            what = f"let us read {self._receipts_topic}"
            self._until(driver, Subscribed, what, self._limits.answer_timeout_s)

    def publish(self, recipient: str, wire: bytes, expires_in_s: int) -> None:
        """Return when the broker has acknowledged; it may still lose or withhold the read. Raises
        NetworkError.
        """
        driver, topic = self._required(), reads_topic(recipient)
        what = f"take a read on {topic}"
        with _next_step(_ACCESS_RULES):
            driver.publish(topic, wire, read_properties(expires_in_s))
            answer = self._until(driver, Acknowledged, what, self._limits.acknowledge_timeout_s)
            if answer.refused:
                self.close()
                raise NetworkError(f"did not {what}: {answer.words}", where=self._context.where)

    def poll(self) -> None:
        """Take in what has arrived, without waiting, and keep the connection alive. Raises
        NetworkError.
        """
        for event in self._required().loop(0.0):
            self._take(event)
            if isinstance(event, Disconnected):
                raise NetworkError(
                    f"the connection ended: {event.words}",
                    where=self._context.where,
                    fix=TRIES_AGAIN,
                )

    def take_receipts(self) -> list[bytes]:
        """Untrusted receipts so far, oldest first; each at most max_receipt_bytes."""
        taken = list(self._receipts)
        self._receipts.clear()
        return taken

    def close(self) -> None:
        """Say goodbye if possible, and forget the connection."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    def _until(self, driver: Driver, kind: type[_Kind], what: str, within_s: float) -> _Kind:
        return driver.until(kind, within_s, what, self._take)

    def _take(self, event: Event) -> None:
        """Keep a receipt, if it fits."""
        if not isinstance(event, Received):
            return
        receipt = event.untrusted_payload
        fits = (
            event.topic == self._receipts_topic and len(receipt) <= self._limits.max_receipt_bytes
        )
        if fits and len(self._receipts) < self._limits.max_receipts_waiting:
            self._receipts.append(receipt)
        else:
            self.dropped_receipts += 1

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
