"""Listens on the demo's broker with every right that its operator has, and keeps what it hears: the
broker's view of us.
"""

import threading
from pathlib import Path

from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.mqtt.driver import Driver
from agent.mqtt.events import Connected, Event, Received, Session, Subscribed
from agent.mqtt.pinned_tls import Peer, context_for
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES

_WAIT_S, _TURN_S = 10.0, 0.1


class Tap:
    """Writes each message, as `<number>-<topic with dots>`, into `folder`, from `start` until
    `stop`.
    """

    def __init__(self, folder: Path, authority_pem: bytes, host_in_certificate: str) -> None:
        self._folder, self._count, self._stopping = folder, 0, threading.Event()
        peer = Peer(
            host_in_certificate,
            pins=None,
            what="the demo's broker",
            ca="the demo's CA",
            advice="try again",
        )
        context = context_for(peer, authority_pem, MAX_WIRE_BYTES + PACKET_OVERHEAD_BYTES)
        self._driver = Driver(context, Session("tap", clean_start=True))
        self._thread = threading.Thread(target=self._listen)

    def start(self, address: str, port: int) -> None:
        """Return when subscribed. Raises NetworkError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._driver.connect(address, port, f"{address}:{port}")
        self._driver.until(Connected, _WAIT_S, "let the demo listen", self._keep)
        self._driver.subscribe("#")
        self._driver.until(Subscribed, _WAIT_S, "let the demo listen", self._keep)
        self._thread.start()

    def stop(self) -> None:
        """Disconnect; the files stay."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._driver.close()

    def heard(self) -> bytes:
        """All payloads so far, in order, joined."""
        return b"".join(path.read_bytes() for path in sorted(self._folder.iterdir()))

    def _listen(self) -> None:
        """The driver belongs to this thread from here on."""
        while self._driver.connected and not self._stopping.is_set():
            for event in self._driver.loop(_TURN_S):
                self._keep(event)

    def _keep(self, event: Event) -> None:
        if isinstance(event, Received):
            self._count += 1
            name = f"{self._count:04d}-{event.topic.replace('/', '.')}"
            (self._folder / name).write_bytes(event.untrusted_payload)
