"""One MQTT 5 client over the pinned socket, driven in the caller's thread: every wait is bounded,
and every outcome is a value.

paho's own loops are not used: they open a loopback socket pair, which the guard refuses, and its
thread would die unseen of a hostile broker's bytes. Its callbacks run under its locks: here they
only put values down.
"""

import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, NoReturn, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties as Packed
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.errors import NetworkError, PlatewardenError
from agent.mqtt import paho_forms as forms
from agent.mqtt.events import (
    KEEP_ALIVE_TIMEOUT,
    PACKET_TOO_LARGE,
    UNSPECIFIED,
    Acknowledged,
    Connected,
    Disconnected,
    Event,
    Properties,
    Received,
    Refused,
    Session,
    Subscribed,
)
from agent.mqtt.pinned_tls import PinnedContext, PinnedSocket, certificate_refused
from agent.mqtt.send_queue import Publication, SendQueue
from agent.mqtt.socket_wait import wait_for

if TYPE_CHECKING:
    from typing import Any


MAX_PACKETS = 64
"""So many packets at most are taken in by one `loop`: the caller gets its turn."""
PACKET_TIMEOUT_S = 60.0
"""A packet that has begun must end: the longest sealed read needs 10 kbit/s."""
_TURN_S = 0.25
_Kind = TypeVar("_Kind", bound=Event)


class Driver:
    """Connects, publishes at QoS 1 and subscribes.

    Not for use by several threads.

    `ended_by`: why the broker let `until` wait in vain, by its own number, where it said one.

    `connect`, then `loop` again and again: it reports Connected, and so on. Publications wait for
    a connection, go out in order, and go out again on the next connection until they are answered.
    """

    def __init__(self, context: PinnedContext, session: Session) -> None:
        self._context, self._session = context, session
        self._events: deque[Event] = deque()
        self._queue = SendQueue()
        self._subscribing: dict[int | None, str] = {}  # topics, by packet id
        self._connection = 0
        self._client: mqtt.Client | None = None
        self._socket: PinnedSocket | None = None
        self._granted: Connected | None = None
        self._over: Refused | Disconnected | None = None
        self.ended_by: int | None = None
        self._forget()

    @property
    def connected(self) -> bool:
        """Is there a connection, as far as we know? (The broker may not have accepted us yet.)"""
        return self._client is not None

    @property
    def unanswered(self) -> int:
        """How many publications wait, sent or not."""
        return len(self._queue)

    def connect(self, address: str, port: int, where: str) -> None:
        """Dial, verify, and ask to be accepted: `loop` brings Connected or Refused.

        `where`: the broker, for errors. Raises NetworkError, DestinationRefusedError.
        """
        self.close()
        self._context.where = where
        client = self._new_client()
        try:
            client.connect(
                address,
                port,
                self._session.keepalive_s,
                clean_start=self._session.clean_start,
                properties=forms.asked_properties(self._session, self._context.max_packet_bytes),
            )
        except PlatewardenError:  # the pin, or the process's guard
            raise
        except ssl.SSLCertVerificationError as error:
            raise certificate_refused(error, self._context) from None
        except (OSError, ValueError) as error:
            raise NetworkError(
                f"cannot connect: {forms.system_words(error)}",
                where=where,
                fix="check the broker and the network",
            ) from None
        self._client, self._connection = client, self._connection + 1
        sock: Any = client.socket()
        self._socket = sock
        self._ask("accept the connection")

    @property
    def socket(self) -> PinnedSocket | None:
        """To wait for, beside others; None where there is no connection."""
        return self._socket

    @property
    def hurried(self) -> bool:
        """Is there something to do at once: bytes that TLS has deciphered already, or an event?"""
        return bool(self._events) or (self._socket is not None and self._socket.pending() > 0)

    @property
    def wants_write(self) -> bool:
        """Are there still bytes that the socket did not take?"""
        stuck = self._socket is not None and self._socket.stuck
        return stuck or (self._client is not None and self._client.want_write())

    def subscribe(self, topic: str, qos: int = 1) -> None:
        """Ask for the messages on a topic, at most with this QoS: `loop` brings Subscribed or
        Refused.

        Raises NetworkError.
        """
        options = SubscribeOptions(qos=qos)
        packet_id = self._sent(lambda client: client.subscribe(topic, options=options))
        self._subscribing[packet_id] = topic
        self._ask(f"let us read {topic}")

    def unsubscribe(self, topic: str) -> None:
        """Ask for no more messages on a topic; nothing is reported. Raises NetworkError."""
        self._sent(lambda client: client.unsubscribe(topic))

    def publish(self, topic: str, payload: bytes, properties: Properties | None = None) -> int:
        """Queue a message and return its ticket: `loop` brings Acknowledged, now or on a later
        connection.

        Raises NetworkError when too many wait.
        """
        if self.unanswered >= self._session.max_queued:
            raise NetworkError(
                f"{self.unanswered} messages wait for the broker",
                where=self._context.where,
                fix="why does it not take them?",
            )
        ticket = self._queue.add(topic, payload, properties or Properties(), time.monotonic())
        self._send_waiting()
        return ticket

    def acknowledge(self, message: Received) -> None:
        """The broker may forget this message.

        Nothing happens when its connection is gone: it comes again.
        """
        if self._client is None or message.connection != self._connection:
            return
        if self._socket is not None:
            self._socket.inflow.unanswered_bytes -= message.packet_bytes
        with suppress(OSError, ValueError):  # the next turn notices that the connection is over
            self._client.ack(message.packet_id, message.qos)

    def together(self) -> AbstractContextManager[None]:
        """What is sent inside goes out at its end, as one (PinnedSocket.together)."""
        return nullcontext() if self._socket is None else self._socket.together()

    def loop(self, timeout_s: float) -> tuple[Event, ...]:
        """Wait up to `timeout_s`, take in what has come, keep the connection alive; what happened
        since the last call, in order.

        Raises NetworkError where there is no connection and nothing to tell.
        """
        if not self._events:
            self._required()
        with self.together():
            for number in range(MAX_PACKETS):
                wait_s = 0.0 if number or self._events else timeout_s
                if not self.connected or not self._turn(wait_s):
                    break
        events = tuple(self._events)
        self._events.clear()
        return events

    def until(
        self, kind: type[_Kind], within_s: float, what: str, meanwhile: Callable[[Event], object]
    ) -> _Kind:
        """The next event of this kind; `meanwhile` gets what else happens.

        Raises NetworkError ("did not `what`") when the broker refuses, the connection ends, or time
        is up; it is closed then.
        """
        end_s = time.monotonic() + within_s
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, kind):
                    return event
                if isinstance(event, Refused | Disconnected):
                    self.ended_by = event.reason
                    self._fail(f"did not {what}: {event.words}")
                meanwhile(event)
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                self._fail(f"did not {what} within {within_s:g} s")
            self._required()
            self._turn(min(left_s, _TURN_S))

    def close(self) -> None:
        """Say goodbye if possible, and forget the connection; what waits, waits for the next."""
        client, sock = self._client, self._socket
        if client is not None:
            # a goodbye that cannot be said changes nothing: the connection is over
            with suppress(OSError, ValueError):
                if sock is not None:
                    sock.let_go()
                client.disconnect()
        self._forget()

    def _new_client(self) -> mqtt.Client:
        """A client for one connection: what a hostile broker makes paho keep goes with it."""
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            self._session.client_id,
            protocol=mqtt.MQTTv5,
            manual_ack=self._session.by_hand,
            reconnect_on_failure=False,
        )
        client.tls_set_context(self._context)
        client.connect_timeout = self._session.connect_timeout_s
        client.max_inflight_messages_set(0)  # unlimited there: the limits are ours (_send_waiting)
        client.max_queued_messages_set(0)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        client.on_message = self._on_message
        return client

    def _sent(self, send: Callable[[mqtt.Client], tuple[MQTTErrorCode, int | None]]) -> int | None:
        """The packet's id. Raises NetworkError."""
        try:
            code, packet_id = send(self._required())
        except (OSError, ValueError) as error:
            self._fail(f"cannot send ({type(error).__name__})")
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail(f"cannot send ({mqtt.error_string(code)})")
        return packet_id

    def _ask(self, what: str) -> None:
        self._asked, self._answer_by_s = what, time.monotonic() + self._session.answer_timeout_s

    def _turn(self, wait_s: float) -> bool:
        """Wait up to `wait_s` for the socket, take in what paho takes in at once; did anything
        come?

        The end of the connection is an event.
        """
        client, sock = self._required(), self._socket
        arrived, code = False, MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            if sock is not None and client.socket() is not None:
                buffered = sock.pending() > 0
                readable, writable = wait_for(
                    [sock], [sock] if self.wants_write else [], 0.0 if buffered else wait_s
                )
                if writable:
                    sock.send_held()
                arrived = buffered or readable
                code = client.loop_read() if arrived else code
                if code == MQTTErrorCode.MQTT_ERR_SUCCESS and writable:
                    code = client.loop_write()
                if code == MQTTErrorCode.MQTT_ERR_SUCCESS:
                    code = client.loop_misc()
        except Exception as error:  # noqa: BLE001 - paho's parser meets a hostile broker's bytes: struct.error, IndexError, KeyError …
            self._end(f"the broker broke the protocol ({type(error).__name__})")
        else:
            self._look(client, code)
            self._send_waiting()
            if self._socket is not None and not self._session.by_hand and not self.wants_write:
                self._socket.inflow.unanswered_bytes = 0  # paho has sent every answer
        return arrived

    def _look(self, client: mqtt.Client, code: MQTTErrorCode) -> None:
        """End the connection when it is over, or when its time is up."""
        now_s = time.monotonic()
        began_s = self._socket.inflow.began_s if self._socket is not None else None
        if self._over is not None or client.socket() is None:
            self._end("the broker closed the connection")
        elif code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._end(mqtt.error_string(code))
        elif began_s is not None and now_s - began_s > PACKET_TIMEOUT_S:
            self._end(f"the broker did not end a packet within {PACKET_TIMEOUT_S:g} s")
        elif self._asked and now_s > self._answer_by_s:
            self._end(f"no answer within {self._session.answer_timeout_s:g} s")

    def _send_waiting(self) -> None:
        """Send in order, never more than the broker lets us have in flight (paho would)."""
        while self._client is not None and self._granted is not None:
            most = min(self._session.max_in_flight, self._granted.receive_maximum)
            publication = self._queue.next(most)
            if publication is None:
                return
            self._send(self._client, self._granted, publication)

    def _send(self, client: mqtt.Client, bounds: Connected, publication: Publication) -> None:
        topic, payload = publication.topic, publication.payload
        try:
            packed, properties_bytes = forms.published_properties(
                publication.properties, time.monotonic() - publication.queued_s
            )
            length = forms.packet_bytes(topic, payload, properties_bytes)
            if length > bounds.max_packet_bytes:
                words = f"{length} bytes, and the broker takes {bounds.max_packet_bytes}"
                self._refuse(publication, PACKET_TOO_LARGE, f"Packet too large (149): {words}")
                return
            retained = publication.properties.retained
            info = client.publish(topic, payload, qos=1, retain=retained, properties=packed)
        except Exception as error:  # noqa: BLE001 - of paho's many: this message cannot be sent, and paho may have kept half of it
            self._refuse(publication, UNSPECIFIED, f"cannot be sent ({type(error).__name__})")
            self._end("a message could not be sent")
            return
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._queue.sent(info.mid, publication)
        else:
            self._queue.put_back(publication)
            self._end(mqtt.error_string(info.rc))

    def _refuse(self, publication: Publication, reason: int, words: str) -> None:
        self._events.append(Acknowledged(publication.ticket, reason, words))

    def _end(self, why: str) -> None:
        """The connection is over, for the reason that the broker gave, the socket, or `why`."""
        trouble = self._socket.trouble if self._socket is not None else ""
        self._events.append(self._over or Disconnected(None, trouble or why))
        self.close()

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._client = self._socket = None
        self._granted, self._over = None, None
        self._asked, self._answer_by_s = "", 0.0
        self._subscribing = {}
        self._queue.send_again()

    def _required(self) -> mqtt.Client:
        if self._client is None:
            raise NetworkError("not connected", where=self._context.where)
        return self._client

    def _fail(self, what: str) -> NoReturn:
        self.close()
        raise NetworkError(what, where=self._context.where)

    # paho's callbacks: some hold its locks, so they call nothing of it

    def _on_connect(
        self,
        _c: object,
        _d: object,
        flags: mqtt.ConnectFlags,
        code: ReasonCode,
        properties: Packed | None,
    ) -> None:
        if self._granted is not None:
            return  # a second CONNACK means nothing
        if code.is_failure:
            self._over = Refused(self._asked, code.value, forms.words_of(code, properties))
            return
        self._asked = ""
        self._granted = forms.granted(self._session, flags, properties)
        self._events.append(self._granted)

    def _on_subscribe(
        self,
        _c: object,
        _d: object,
        packet_id: int,
        codes: list[ReasonCode],
        properties: Packed | None,
    ) -> None:
        topic = self._subscribing.pop(packet_id, None)
        if topic is None:
            return
        if not codes:
            self._over = Refused(self._asked, UNSPECIFIED, "no reason given")
        elif codes[0].is_failure:
            self._over = Refused(self._asked, codes[0].value, forms.words_of(codes[0], properties))
        else:
            self._asked = ""
            self._events.append(Subscribed(topic))

    def _on_publish(
        self, _c: object, _d: object, packet_id: int, code: ReasonCode, properties: Packed | None
    ) -> None:
        ticket = self._queue.answered(packet_id)
        if ticket is not None:
            self._events.append(Acknowledged(ticket, code.value, forms.words_of(code, properties)))

    def _on_message(self, _c: object, _d: object, message: mqtt.MQTTMessage) -> None:
        self._events.append(
            Received(
                message.topic,
                bytes(message.payload),
                message.mid,
                message.qos,
                self._connection,
                self._socket.inflow.packet_bytes if self._socket is not None else 0,
            )
        )

    def _on_disconnect(
        self,
        _c: object,
        _d: object,
        flags: mqtt.DisconnectFlags,
        code: ReasonCode,
        properties: Packed | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._over = self._over or Disconnected(code.value, forms.words_of(code, properties))
        elif code.value == KEEP_ALIVE_TIMEOUT:
            self._over = Disconnected(None, "the broker has not answered for too long")
