"""One connection to one broker: MQTT 5 over pinned TLS, driven in the caller's thread, every wait
bounded.

paho's own loops are not used: they open a loopback socket pair (which the guard refuses) and run
callbacks under paho's lock.
"""

import select
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.core.policy.policy import Broker
from agent.errors import NetworkError, PlatewardenError
from agent.mqtt.pinned_tls import PinnedContext, explain

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

    from agent.network.egress import Egress

CONTENT_TYPE = "application/platewarden-sealed-read"
READS_TOPIC = "platewarden/1/reads/"
RECEIPTS_TOPIC = "platewarden/1/receipts/"
PACKET_OVERHEAD_BYTES = 1024
"""Room for the topic and the properties around a payload of the greatest size."""

# the broker keeps receipts for us that long while we are away; after that a re-publication brings
# another
_SESSION_S = 3600
_TURN_S = 0.25


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
        egress: "Egress",
        limits: LinkLimits,
        *,
        client_id: str = "",
    ) -> None:
        self.broker, self.dropped_receipts = broker, 0
        # one at a time: a second one with the same ends the first
        self._client_id = client_id or f"platewarden-{device}"
        self._context, self._egress, self._limits = context, egress, limits
        self._receipts_topic = RECEIPTS_TOPIC + device
        self._receipts: deque[bytes] = deque()
        # callbacks only put things here and into _receipts
        self._answers: dict[str, ReasonCode] = {}
        self._client: mqtt.Client | None = None

    @property
    def connected(self) -> bool:
        """Has the broker accepted us, and is the connection still up as far as we know?"""
        return self._client is not None

    def connect(self, address: str, port: int) -> None:
        """Check the destination, dial it, verify it, subscribe to our receipts. No socket opens for
        an unlisted address.
        """
        self._egress.permit(self.broker.id, address, port)
        self.close()
        client = self._new_client()
        where = self._context.where = f"broker {self.broker.id!r} at {address}:{port}"
        try:
            client.connect(
                address,
                port,
                self._limits.keepalive_s,
                clean_start=False,
                properties=_connect_properties(self._limits),
            )
        except ssl.SSLCertVerificationError as error:
            raise explain(error, where) from None
        except OSError as error:
            raise NetworkError(
                f"cannot connect: {_reason(error)}",
                where=where,
                fix="check the broker and the network; deliver tries again",
            ) from None
        self._client = client
        self._await(
            "connect",
            "did not accept the connection",
            self._limits.answer_timeout_s,
            "is this device's TLS certificate (device/tls.crt) accepted there?",
        )
        request = lambda: client.subscribe(self._receipts_topic, options=SubscribeOptions(qos=1))  # noqa: E731 - sent inside _ask, which wraps its errors
        self._ask(
            "subscribe",
            request,
            f"let us read {self._receipts_topic}",
            self._limits.answer_timeout_s,
        )

    def publish(self, recipient: str, wire: bytes, expires_in_s: int) -> None:
        """Return when the broker has acknowledged; it may still lose or withhold the read. Raises
        NetworkError.
        """
        client = self._required()
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's own lack
        properties.ContentType, properties.MessageExpiryInterval = (
            CONTENT_TYPE,
            max(1, min(expires_in_s, 0xFFFFFFFF)),
        )
        topic = READS_TOPIC + recipient
        self._ask(
            "publish",
            lambda: _sent(client.publish(topic, wire, qos=1, properties=properties)),
            f"take a read on {topic}",
            self._limits.acknowledge_timeout_s,
        )

    def poll(self, max_packets: int = 64) -> None:
        """Take in what has arrived, without waiting, and keep the connection alive. Raises
        NetworkError.
        """
        for _ in range(max_packets):
            if not self._turn(0.0):
                return

    def take_receipts(self) -> list[bytes]:
        """Untrusted receipts so far, oldest first; each at most max_receipt_bytes."""
        taken = list(self._receipts)
        self._receipts.clear()
        return taken

    def close(self) -> None:
        """Say goodbye if possible, and forget the connection."""
        client, self._client = self._client, None
        if client is None:
            return
        sock: Any = client.socket()
        # a goodbye that cannot be said changes nothing: the connection is over
        with suppress(OSError, ValueError):
            client.disconnect()
        if sock is not None:
            sock.close()

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        client.tls_set_context(self._context)
        client.connect_timeout = self._limits.connect_timeout_s
        client.max_inflight_messages_set(1)
        client.max_queued_messages_set(1)
        client.on_connect = lambda _c, _u, _flags, code, _p: self._answers.__setitem__(
            "connect", code
        )
        client.on_subscribe = lambda _c, _u, mid, codes, _p: self._answers.__setitem__(
            f"subscribe {mid}", codes[0]
        )
        client.on_publish = lambda _c, _u, mid, code, _p: self._answers.__setitem__(
            f"publish {mid}", code
        )
        client.on_message = self._on_message
        self._answers.clear()
        return client

    def _on_message(
        self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage
    ) -> None:
        fits = (
            message.topic == self._receipts_topic
            and len(message.payload) <= self._limits.max_receipt_bytes
        )
        if fits and len(self._receipts) < self._limits.max_receipts_waiting:
            self._receipts.append(bytes(message.payload))
        else:
            self.dropped_receipts += 1

    def _ask(
        self,
        kind: str,
        request: Callable[[], tuple[MQTTErrorCode, int | None]],
        what: str,
        within_s: float,
    ) -> None:
        """Send a request and wait for its acknowledgement and reason code (135 is a refusal
        although it is an acknowledgement).
        """
        try:
            code, mid = request()
        except (OSError, ValueError) as error:
            self._fail(f"cannot send ({type(error).__name__})")
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail(f"cannot send ({mqtt.error_string(code)})")
        self._await(
            f"{kind} {mid}",
            f"did not {what}",
            within_s,
            "check the broker's access rules for this device",
        )

    def _await(self, answer: str, failed: str, within_s: float, fix: str) -> None:
        end = time.monotonic() + within_s
        while answer not in self._answers:
            left = end - time.monotonic()
            if left <= 0:
                self._fail(f"{failed} within {within_s:g} s", fix)
            try:
                self._turn(min(left, _TURN_S))
            except NetworkError as error:
                raise NetworkError(f"{failed}: {error.what}", where=error.where, fix=fix) from None
        code = self._answers.pop(answer)
        if code.is_failure:
            self._fail(f"{failed}: {code} ({code.value})", fix)

    def _turn(self, wait_s: float) -> bool:
        """Wait up to `wait_s` for the socket, handle at most one packet; True when something was
        read. Raises NetworkError.
        """
        client = self._required()
        sock: Any = client.socket()
        if sock is None:
            self._fail("the broker closed the connection")
        try:
            buffered = sock.pending() > 0
            readable, writable, _ = select.select(
                [sock], [sock] if client.want_write() else [], [], 0.0 if buffered else wait_s
            )
            arrived = buffered or bool(readable)
            code = client.loop_read() if arrived else MQTTErrorCode.MQTT_ERR_SUCCESS
            if code == MQTTErrorCode.MQTT_ERR_SUCCESS and writable:
                code = client.loop_write()
            if code == MQTTErrorCode.MQTT_ERR_SUCCESS:
                code = client.loop_misc()
        except PlatewardenError:
            raise
        except Exception as error:  # noqa: BLE001 - paho's parser meets a hostile broker's bytes: struct.error, IndexError, KeyError …
            self._fail(f"the broker broke the protocol ({type(error).__name__})")
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail(f"the connection ended ({mqtt.error_string(code)})")
        return arrived

    def _required(self) -> mqtt.Client:
        if self._client is None:
            raise NetworkError("not connected", where=f"broker {self.broker.id!r}")
        return self._client

    def _fail(self, what: str, fix: str = "deliver tries again") -> NoReturn:
        self.close()
        raise NetworkError(what, where=self._context.where, fix=fix)


def _connect_properties(limits: LinkLimits) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own lack
    properties.SessionExpiryInterval = limits.session_s
    # an honest broker drops what is longer
    properties.MaximumPacketSize = limits.max_receipt_bytes + PACKET_OVERHEAD_BYTES
    properties.ReceiveMaximum = 16
    return properties


def _sent(info: mqtt.MQTTMessageInfo) -> tuple[MQTTErrorCode, int]:
    return info.rc, info.mid


def _reason(error: OSError) -> str:
    """The system's words for an error, without the peer's."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or type(error).__name__})"
    return (error.strerror or str(error) or type(error).__name__).lower()
