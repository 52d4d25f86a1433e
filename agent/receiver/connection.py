"""The receiver's own MQTT 5 client: a persistent session, so that nothing is lost while it is away; acknowledges only what it is told to.

paho's callbacks run in its network thread, some while holding its locks: they only put an event on a queue.
"""

import contextlib
import os
import queue
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.core.reasons import Reason
from agent.core.sealed_read import MAX_WIRE_BYTES
from agent.errors import DestinationRefusedError, NetworkError
from agent.receiver import tls
from agent.receiver.settings import BrokerSettings

SUBSCRIBE_TIMEOUT_S, FLUSH_TIMEOUT_S = 30.0, 5.0
MAX_UNACKNOWLEDGED = 20  # the broker sends no more before we acknowledge: bounds our memory
MAX_QUEUED_RECEIPTS = 10_000
_TOPIC_ALLOWANCE_BYTES = 1_024
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came. `connection`: which connection brought it; an older one's acknowledgement would be meaningless."""

    untrusted_wire: bytes
    packet_id: int
    qos: int
    connection: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Messages may come from now on (also after every reconnection)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone; paho tries again with growing pauses."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker will not have us: trying again changes nothing."""

    why: str


Event = Message | Subscribed | Lost | Refused


class Connection:
    """Subscribes to one topic and publishes receipts. Raises NetworkError or DestinationRefusedError."""

    def __init__(self, folder: Path, broker: BrokerSettings, recipient: str) -> None:
        refuse_proxy(os.environ)
        self._broker, self._topic = broker, f"platewarden/1/reads/{recipient}"
        self._events: queue.Queue[Event] = queue.Queue()
        self._early: deque[Message] = deque()
        self._connections = 0
        self._unflushed: list[mqtt.MQTTMessageInfo] = []
        self._client = client = mqtt.Client(CallbackAPIVersion.VERSION2, f"platewarden-receiver-{recipient}", protocol=mqtt.MQTTv5, manual_ack=True)
        client.tls_set_context(tls.context(folder, broker))
        client.max_queued_messages_set(MAX_QUEUED_RECEIPTS)
        client.reconnect_delay_set(1, 60)
        client.on_connect, client.on_disconnect, client.on_connect_fail = self._on_connect, self._on_disconnect, self._on_connect_fail
        client.on_subscribe, client.on_message, client.on_publish = self._on_subscribe, self._on_message, self._on_publish

    def open(self) -> None:
        """Connect and wait until the broker has confirmed the subscription."""
        where = f"{self._broker.address}:{self._broker.port}"
        try:
            self._client.connect(self._broker.address, self._broker.port, keepalive=30, clean_start=False, properties=self._session())
        except ssl.SSLError as error:
            raise tls.certificate_refused(error, self._broker) from None
        except OSError as error:
            raise NetworkError(f"cannot reach the broker: {error.strerror or error}", where=where, fix="is it running, and is the address right?") from None
        self._client.loop_start()
        event = self._first_but_messages()
        if not isinstance(event, Subscribed):
            self.close()
            why = event.why if isinstance(event, Lost | Refused) else f"no answer within {SUBSCRIBE_TIMEOUT_S:.0f} s"
            raise NetworkError(
                f"the broker did not let this receiver subscribe to {self._topic}: {why}", where=where, fix="check its access list and our certificate"
            )

    def _first_but_messages(self) -> Event | None:
        """What the broker says of our subscription; a kept session brings its messages before that, they wait."""
        while len(self._early) <= MAX_UNACKNOWLEDGED:
            event = self._next_event(SUBSCRIBE_TIMEOUT_S)
            if not isinstance(event, Message):
                return event
            self._early.append(event)
        return Refused("sends more than was agreed")

    def next(self, timeout_s: float) -> Event | None:
        """The next event, or None."""
        return self._early.popleft() if self._early else self._next_event(timeout_s)

    def _next_event(self, timeout_s: float) -> Event | None:
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def acknowledge(self, message: Message) -> None:
        """PUBACK: the broker may forget the message. Nothing happens when its connection is gone: it comes again."""
        if message.qos and message.connection == self._connections:
            self._client.ack(message.packet_id, message.qos)

    def publish_receipt(self, device: str, receipt: bytes) -> None:
        """Queue a receipt at QoS 1; a lost one is asked for again by the camera's next delivery of the read."""
        info = self._client.publish(f"platewarden/1/receipts/{device}", receipt, qos=1)
        if info.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:  # without a connection paho keeps it and sends it later
            raise NetworkError(f"cannot queue a receipt: {mqtt.error_string(info.rc)}", where=f"{self._broker.address}:{self._broker.port}")
        self._unflushed = [*(waiting for waiting in self._unflushed if not waiting.is_published()), info]

    def close(self) -> None:
        """Let queued receipts go out (bounded), then leave; the broker keeps our session."""
        for info in self._unflushed:
            with contextlib.suppress(ValueError, RuntimeError):  # never sent: the camera will deliver again and get it then
                info.wait_for_publish(FLUSH_TIMEOUT_S / len(self._unflushed))
        self._client.disconnect()
        self._client.loop_stop()

    def _session(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._broker.session_expiry_days * _SECONDS_A_DAY
        properties.ReceiveMaximum = MAX_UNACKNOWLEDGED
        properties.MaximumPacketSize = MAX_WIRE_BYTES + _TOPIC_ALLOWANCE_BYTES
        return properties

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, reason: ReasonCode, _properties: Properties | None) -> None:
        if reason.is_failure:
            self._events.put(Refused(str(reason)))
            return
        self._connections += 1
        client.subscribe(self._topic, qos=1)

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _id: int, reasons: list[ReasonCode], _properties: Properties | None) -> None:
        failed = [str(reason) for reason in reasons if reason.is_failure]
        self._events.put(Refused(f"subscription: {', '.join(failed)}") if failed else Subscribed())

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._events.put(Message(bytes(message.payload), message.mid, message.qos, self._connections))

    def _on_publish(self, _client: mqtt.Client, _data: Any, _id: int, reason: ReasonCode, _properties: Properties | None) -> None:
        if reason.is_failure:  # e.g. an access list: every camera would send for ever, so a person must act
            self._events.put(Refused(f"a receipt: {reason}"))

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Properties | None) -> None:
        if reason.is_failure:
            self._events.put(Lost(str(reason)))

    def _on_connect_fail(self, _client: mqtt.Client, _data: Any) -> None:
        self._events.put(Lost("cannot connect again yet"))


def refuse_proxy(environment: Mapping[str, str]) -> None:
    """With PySocks importable, paho obeys `mqtt_proxy` without a word: the connection would go elsewhere."""
    for name in environment:
        if name.lower() == "mqtt_proxy":
            raise DestinationRefusedError(
                Reason.PROXY_FORBIDDEN, "is set: it would redirect the connection to the broker", where=f"environment variable {name}", fix=f"unset {name}"
            )
