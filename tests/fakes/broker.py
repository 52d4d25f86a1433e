"""A small honest MQTT 5 broker in a thread, over TLS: what a real one does, and on request what
ours does not do (grants, reasons in its own words).
"""

import struct
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field

from tests.support.hostile import HostileBroker, length
from tests.support.mosquitto import ADDRESS
from tests.support.pki import Credentials

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK = 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14
NOT_AUTHORIZED, CLIENT_ID_NOT_VALID = 0x87, 0x85
_SESSION_EXPIRY, _REASON, _RECEIVE_MAXIMUM, _MAX_PACKET = 0x11, 0x1F, 0x21, 0x27


@dataclass
class Kept:
    """A session: topics with their QoS, and messages by packet id until they are acknowledged."""

    topics: dict[str, int] = field(default_factory=dict)
    waiting: deque = field(default_factory=deque)
    unacknowledged: dict[int, bytes] = field(default_factory=dict)
    packet_ids: int = 0


class FakeBroker(HostileBroker):
    """`denied`: topics on which nobody may publish; `says`: its own words for that.

    `grants`: of the CONNACK, by property. `farewell`: ends the next connection that publishes, with
    that reason and these words.

    `binds`: lets in this client id alone, as RabbitMQ does that of a certificate. `unreadable`: a
    topic; whoever subscribes to it is hung up on.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        denied: tuple[str, ...] = (),
        says: str = "",
        session_expiry_s: int | None = None,
        receive_maximum: int | None = None,
        max_packet_bytes: int | None = None,
        binds: str = "",
        address: str = ADDRESS,
        port: int = 0,
    ) -> None:
        listen = lambda client, _broker: self._listen(client)  # noqa: E731
        super().__init__(credentials, listen, address, port)
        self.denied, self.says, self.farewell, self._binds = denied, says, None, binds
        self.connects: list[bytes] = []
        self.published: list[tuple[str, bytes, bytes]] = []  # topic, properties, payload
        self.sessions: dict[str, Kept] = defaultdict(Kept)
        self.acknowledge, self.unreadable = True, ""
        self._over = 0  # so many connections, the first ones
        self._changed = threading.Lock()
        self._grants = b"".join(
            bytes([number]) + struct.pack(form, value)
            for number, form, value in (
                (_SESSION_EXPIRY, "!I", session_expiry_s),
                (_RECEIVE_MAXIMUM, "!H", receive_maximum),
                (_MAX_PACKET, "!I", max_packet_bytes),
            )
            if value is not None
        )

    def send(self, topic: str, payload: bytes) -> None:
        """Hand a message to everybody who subscribed."""
        with self._changed:
            for session in self.sessions.values():
                qos = session.topics.get(topic, session.topics.get("#"))
                if qos is not None:
                    session.waiting.append((topic, payload, qos))

    def lose_subscriptions(self) -> None:
        """And say nothing, as RabbitMQ now and then does."""
        with self._changed:
            for session in self.sessions.values():
                session.topics.clear()

    def hang_up(self) -> None:
        """On everybody who is there; their subscriptions go with the connection."""
        self.lose_subscriptions()
        self._over = self.clients

    def _listen(self, client) -> None:
        client.settimeout(0.02)
        received, session, number = bytearray(), None, self.clients
        while not self.stopping.is_set() and self._over < number:
            try:
                data = client.recv(65_536)
            except TimeoutError:
                pass
            else:
                if not data:
                    return
                self.heard += data
                received += data
            while (packet := _taken(received)) is not None:
                kind, flags, body = packet
                if kind == DISCONNECT:
                    return
                if kind == CONNECT:
                    session = self._welcome(client, body)
                elif not self._answer(client, session, kind, flags, body):
                    return
            if session is not None:
                self._hand_over(client, session)

    def _welcome(self, client, body: bytes) -> Kept | None:
        self.connects.append(body)
        properties, at = _number(body, 10)
        at += properties
        (size,) = struct.unpack_from("!H", body, at)
        name, clean = body[at + 2 : at + 2 + size].decode(), bool(body[7] & 2)
        if self._binds not in {"", name}:
            client.sendall(_packet(CONNACK, bytes([0, CLIENT_ID_NOT_VALID, 0])))
            return None
        with self._changed:
            if clean:
                self.sessions.pop(name, None)
            known = name in self.sessions
            session = self.sessions[name]
        client.sendall(
            _packet(CONNACK, bytes([known, 0]) + length(len(self._grants)) + self._grants)
        )
        for packet in session.unacknowledged.values():
            client.sendall(packet)
        return session

    def _answer(self, client, session, kind, flags, body) -> bool:
        if kind == SUBSCRIBE:
            properties, at = _number(body, 2)
            (size,) = struct.unpack_from("!H", body, at + properties)
            rest = body[at + properties + 2 :]
            if rest[:size].decode() == self.unreadable:
                return False
            qos = rest[size] & 3
            with self._changed:
                session.topics[rest[:size].decode()] = qos
            client.sendall(_packet(SUBACK, body[:2] + bytes([0, qos])))
        elif kind == UNSUBSCRIBE:
            properties, at = _number(body, 2)
            with self._changed:
                session.topics.pop(body[at + properties + 2 :].decode(), None)
            client.sendall(_packet(UNSUBACK, body[:2] + bytes([0, 0])))
        elif kind == PUBACK:
            session.unacknowledged.pop(struct.unpack_from("!H", body)[0], None)
        elif kind == PINGREQ:
            client.sendall(_packet(PINGRESP, b""))
        elif kind == PUBLISH:
            return self._take(client, flags, body)
        return True

    def _take(self, client, flags: int, body: bytes) -> bool:
        assert flags & 0b0110 == 0b0010, "everything of ours is QoS 1"
        (size,) = struct.unpack_from("!H", body)
        topic, packet_id = body[2 : 2 + size].decode(), body[2 + size : 4 + size]
        properties, at = _number(body, 4 + size)
        if self.farewell:
            reason, words = self.farewell
            client.sendall(_packet(DISCONNECT, bytes([reason]) + _words(words)))
            return False
        self.published.append((topic, body[at : at + properties], body[at + properties :]))
        if self.acknowledge:
            reason = NOT_AUTHORIZED if topic in self.denied else 0
            client.sendall(
                _packet(PUBACK, packet_id + bytes([reason]) + _words(self.says if reason else ""))
            )
        return True

    def _hand_over(self, client, session: Kept) -> None:
        while session.waiting:
            with self._changed:
                topic, payload, qos = session.waiting.popleft()
            if qos == 0:
                body = struct.pack("!H", len(topic)) + topic.encode() + b"\0" + payload
                client.sendall(bytes([PUBLISH << 4]) + length(len(body)) + body)
                continue
            session.packet_ids += 1
            body = struct.pack("!H", len(topic)) + topic.encode()
            body += struct.pack("!H", session.packet_ids) + b"\0" + payload
            packet = bytes([PUBLISH << 4 | 2]) + length(len(body)) + body
            session.unacknowledged[session.packet_ids] = packet
            client.sendall(packet)


def _taken(received: bytearray) -> tuple[int, int, bytes] | None:
    """Take the first whole packet out: type, flags, body."""
    try:
        size, at = _number(received, 1)
    except IndexError:
        return None
    if len(received) < at + size:
        return None
    kind, flags, body = received[0] >> 4, received[0] & 15, bytes(received[at : at + size])
    del received[: at + size]
    return kind, flags, body


def _number(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """A variable byte integer, and where it ends."""
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return number, at


def _packet(kind: int, body: bytes) -> bytes:
    flags = 2 if kind == SUBSCRIBE else 0
    return bytes([kind << 4 | flags]) + length(len(body)) + body


def _words(text: str) -> bytes:
    said = bytes([_REASON]) + struct.pack("!H", len(text)) + text.encode() if text else b""
    return length(len(said)) + said
