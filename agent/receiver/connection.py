"""The receiver's own MQTT 5 client: a persistent session, so that nothing is lost while it is away;
acknowledges only what it is told to.

paho is driven in the caller's thread: its own thread would die unseen of a hostile broker's bytes,
and some of its callbacks hold its locks.
"""

import os
import ssl
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.core.reasons import Reason
from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.errors import DestinationRefusedError, NetworkError, PlatewardenError
from agent.receiver import tls
from agent.receiver.receiver_settings import BrokerSettings

SUBSCRIBE_TIMEOUT_S, FLUSH_TIMEOUT_S = 20.0, 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
MAX_UNACKNOWLEDGED = 20  # the broker sends no more before we acknowledge: bounds our memory
MAX_EARLY_MESSAGES = 1_000
MAX_QUEUED_RECEIPTS = 10_000
_PACKET_OVERHEAD_BYTES = 1_024  # topic and properties around a payload of the greatest size
_SESSION_TAKEN_OVER = 0x8E
_TURN_S = 0.25
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came. `connection`: which connection brought it; an older one's
    acknowledgement would be meaningless.
    """

    untrusted_wire: bytes
    packet_id: int
    qos: int
    connection: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Messages may come from now on (also after every reconnection)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone; `next` tries again with growing pauses."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker will not have us: trying again changes nothing."""

    why: str


Event = Message | Subscribed | Lost | Refused


class Connection:
    """Subscribes to one topic and publishes receipts. Not for use by several threads. Raises
    NetworkError or DestinationRefusedError.
    """

    def __init__(self, folder: Path, broker: BrokerSettings, recipient: str) -> None:
        refuse_proxy(os.environ)
        self._broker, self._topic, self._where = (
            broker,
            f"platewarden/1/reads/{recipient}",
            f"{broker.address}:{broker.port}",
        )
        self._events: deque[Event] = deque()
        self._connections, self._pause_s, self._retry_at_s = 0, FIRST_PAUSE_S, 0.0
        self._since_s: float | None = None  # when the subscription was confirmed
        self._unflushed: list[mqtt.MQTTMessageInfo] = []
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            f"platewarden-receiver-{recipient}",
            protocol=mqtt.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.tls_set_context(tls.context(folder, broker, MAX_WIRE_BYTES + _PACKET_OVERHEAD_BYTES))
        client.max_queued_messages_set(MAX_QUEUED_RECEIPTS)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_message, client.on_publish = (
            self._on_subscribe,
            self._on_message,
            self._on_publish,
        )

    def open(self) -> None:
        """Connect and wait until the broker has confirmed the subscription."""
        try:
            self._client.connect(
                self._broker.address,
                self._broker.port,
                keepalive=30,
                clean_start=False,
                properties=self._session(),
            )
        except ssl.SSLError as error:
            raise tls.certificate_refused(error, self._broker) from None
        except OSError as error:
            raise NetworkError(
                f"cannot reach the broker: {error.strerror or error}",
                where=self._where,
                fix="is it running, and is the address right?",
            ) from None
        end_s = time.monotonic() + SUBSCRIBE_TIMEOUT_S
        # A kept session brings its messages before the answer to the subscription: they wait in the
        # queue.
        while (
            answer := next(
                (event for event in self._events if not isinstance(event, Message)), None
            )
        ) is None:
            if time.monotonic() > end_s or len(self._events) > MAX_EARLY_MESSAGES:
                answer = Refused(
                    f"no answer within {SUBSCRIBE_TIMEOUT_S:.0f} s, but {len(self._events)} "
                    "messages"
                )
                break
            self._turn(_TURN_S)
        if not isinstance(answer, Subscribed):
            self.close()
            fix = "check its access list and our certificate"
            raise NetworkError(
                f"the broker did not let this receiver subscribe to {self._topic}: {answer.why}",
                where=self._where,
                fix=fix,
            )
        self._events.remove(answer)

    def next(self, timeout_s: float) -> Event | None:
        """The next event, or None. While there is no connection, tries to get one when its time has
        come.
        """
        if not self._events:
            if self._client.socket() is None:
                self._reconnect(timeout_s)
            else:
                self._turn(timeout_s)
        return self._events.popleft() if self._events else None

    def acknowledge(self, message: Message) -> None:
        """PUBACK: the broker may forget the message. Nothing happens when its connection is gone:
        it comes again.
        """
        if message.qos and message.connection == self._connections:
            self._client.ack(message.packet_id, message.qos)

    def publish_receipt(self, device: str, receipt: bytes) -> None:
        """Queue a receipt at QoS 1; a lost one is asked for again by the camera's next delivery of
        the read.
        """
        info = self._client.publish(f"platewarden/1/receipts/{device}", receipt, qos=1)
        # any other trouble is the connection's: paho keeps the receipt and sends it later
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise NetworkError(
                f"{MAX_QUEUED_RECEIPTS} receipts wait for the broker",
                where=self._where,
                fix="why does it not take them?",
            )
        self._unflushed = [
            *(waiting for waiting in self._unflushed if not waiting.is_published()),
            info,
        ]

    def close(self) -> None:
        """Let queued receipts go out (bounded), then leave; the broker keeps our session."""
        end_s = time.monotonic() + FLUSH_TIMEOUT_S
        while (
            self._client.socket() is not None
            and time.monotonic() < end_s
            and not all(map(_is_published, self._unflushed))
        ):
            self._turn(_TURN_S)
        self._hang_up()

    def _turn(self, wait_s: float) -> None:
        """Let paho wait up to `wait_s` and handle what came; the callbacks below put it into the
        queue.
        """
        try:
            code = self._client.loop(wait_s)
        except PlatewardenError:
            raise
        except Exception as error:  # noqa: BLE001  # paho's parser meets a hostile broker's bytes: struct.error, IndexError, KeyError …
            self._lose(f"the broker broke the protocol ({type(error).__name__})")
            return
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose(mqtt.error_string(code))

    def _reconnect(self, timeout_s: float) -> None:
        wait_s = self._retry_at_s - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
            return
        try:
            self._client.reconnect()
        except ssl.SSLCertVerificationError as error:
            raise tls.certificate_refused(error, self._broker) from None
        except OSError as error:
            self._lose(error.strerror or type(error).__name__)

    def _lose(self, why: str) -> None:
        self._hang_up()
        if self._since_s is not None:
            lived_s, self._since_s = time.monotonic() - self._since_s, None
            if lived_s > LONGEST_PAUSE_S:
                self._pause_s = FIRST_PAUSE_S
            else:
                # the pauses go on growing: two receivers that push each other out must not do so
                # every second
                why = f"{why} After {lived_s:.0f} s: does another receiver use this recipient id?"
        self._events.append(Lost(why))
        self._retry_at_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _hang_up(self) -> None:
        sock: Any = self._client.socket()
        with suppress(OSError, ValueError):  # a goodbye that cannot be said changes nothing
            self._client.disconnect()
            self._client.loop(0.0)  # notices that the goodbye is over and forgets the socket
        if sock is not None:
            sock.close()

    def _session(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own lack
        properties.SessionExpiryInterval = self._broker.session_expiry_days * _SECONDS_A_DAY
        properties.ReceiveMaximum = MAX_UNACKNOWLEDGED
        properties.MaximumPacketSize = MAX_WIRE_BYTES + _PACKET_OVERHEAD_BYTES
        return properties

    def _on_connect(
        self,
        client: mqtt.Client,
        _data: Any,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._events.append(Refused(str(reason)))
            return
        self._connections += 1
        client.subscribe(self._topic, qos=1)

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _data: Any,
        _id: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        failed = [str(reason) for reason in reasons if reason.is_failure]
        if failed or not reasons:
            self._events.append(Refused(f"subscription: {', '.join(failed) or 'no reason given'}"))
            return
        self._since_s = time.monotonic()
        self._events.append(Subscribed())

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._events.append(
            Message(bytes(message.payload), message.mid, message.qos, self._connections)
        )

    def _on_publish(
        self,
        _client: mqtt.Client,
        _data: Any,
        _id: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        # e.g. an access list: every camera would send for ever, so a person must act
        if reason.is_failure:
            self._events.append(Refused(f"a receipt: {reason}"))

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: Any,
        _flags: Any,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        # else two receivers would push each other out for ever
        if reason.value == _SESSION_TAKEN_OVER:
            self._events.append(
                Refused(
                    "to keep two connections: another receiver with this recipient id has connected"
                )
            )


def _is_published(info: mqtt.MQTTMessageInfo) -> bool:
    try:
        return info.is_published()
    except (ValueError, RuntimeError):
        # it was never sent, and will not be: the camera delivers again and gets it then
        return True


def refuse_proxy(environment: Mapping[str, str]) -> None:
    """With PySocks importable, paho obeys `mqtt_proxy` without a word: the connection would go
    elsewhere.
    """
    for name in environment:
        if name.lower() == "mqtt_proxy":
            raise DestinationRefusedError(
                Reason.PROXY_FORBIDDEN,
                "is set: it would redirect the connection to the broker",
                where=f"environment variable {name}",
                fix=f"unset {name}",
            )
