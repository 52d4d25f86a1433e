"""A broker with the right name, CA and key that speaks TLS and then whatever a test wants: listed
is not the same as honest.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

from tests.support.mosquitto import ADDRESS
from tests.support.pki import Credentials

CONNACK = bytes([0x20, 3, 0, 0, 0])  # accepted, no properties
Behaviour = Callable[[ssl.SSLSocket, "HostileBroker"], None]


class HostileBroker:
    """Runs `behave` for each client in a thread.

    `heard`: bytes of MQTT that clients sent; `clients`: connections accepted.
    """

    def __init__(
        self, credentials: Credentials, behave: Behaviour, address: str = ADDRESS, port: int = 0
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(credentials.certificate, credentials.key)
        self._behave, self.heard, self.clients = behave, bytearray(), 0
        self._listener = socket.create_server((address, port))
        self.port: int = self._listener.getsockname()[1]
        self.stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.clients += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.2)
        try:
            with self._context.wrap_socket(connection, server_side=True) as client:
                self._behave(client, self)
        except OSError:
            connection.close()

    def hear(self, client: ssl.SSLSocket) -> bytes:
        """What the client says next; empty when it says nothing for a moment or has left."""
        try:
            data = client.recv(65_536)
        except TimeoutError:
            return b""
        self.heard += data
        return data


def accept(client: ssl.SSLSocket, broker: HostileBroker) -> None:
    """Do what a broker does until the subscription is acknowledged."""
    broker.hear(client)
    client.sendall(CONNACK)
    subscribe = broker.hear(client)
    client.sendall(bytes([0x90, 4]) + subscribe[2:4] + bytes([0, 1]))


def publish(topic: str, payload: bytes, mid: int = 1, qos: int = 1) -> bytes:
    """A PUBLISH packet of MQTT 5 without properties."""
    body = (
        len(topic).to_bytes(2, "big")
        + topic.encode()
        + (mid.to_bytes(2, "big") if qos else b"")
        + b"\0"
        + payload
    )
    return bytes([0x30 | qos << 1]) + length(len(body)) + body


def length(number: int) -> bytes:
    """MQTT's variable byte integer."""
    coded = bytearray()
    while True:
        number, low = divmod(number, 128)
        coded.append(low | (128 if number else 0))
        if not number:
            return bytes(coded)


def idle(_client: ssl.SSLSocket, broker: HostileBroker) -> None:
    """Say nothing until the test ends."""
    broker.stopping.wait(30)
