"""The collector's connection to a city's broker: takes what cameras told of their logs while it was
away, and answers them. The MQTT itself is agent/mqtt/driver.py's.

The broker keeps the messages in a session of the collector's. They are acknowledged as they come:
a camera tells the same, and more, a few hours later.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agent.broker.broker_folder import CA, COLLECTORS, MAX_BYTES, read_place
from agent.broker.names import COLLECTOR
from agent.core.log.collected import MAX_ANSWER_BYTES
from agent.disk.input_file import read_input
from agent.errors import DestinationRefusedError, NetworkError
from agent.mqtt.driver import Driver
from agent.mqtt.events import Acknowledged, Connected, Event, Received, Session, Subscribed
from agent.mqtt.pinned_tls import Peer, PinnedContext, context_for
from agent.mqtt.proxy import refuse_proxy
from agent.mqtt.topics import (
    PACKET_OVERHEAD_BYTES,
    checkpoint_properties,
    checkpoints_topic,
    collected_topic,
)

ANSWER_S, QUIET_S, LONGEST_S = 10.0, 2.0, 600.0
MAX_KEPT = 16  # of a camera, the newest: two logs, four times a day, two days
MAX_CAMERAS = 100_000
SESSION_S = 30 * 86_400
_TOPIC = checkpoints_topic("+")
_IN_FLIGHT = 20
_FIX = "make its certificate with `platewarden broker collector`, and copy the access list"


@dataclass(slots=True)
class Came:
    """What came for the collector. `messages`: the newest of each camera, oldest first, by the name
    in its certificate; `dropped`: of cameras that sent more than is kept.
    """

    messages: dict[str, deque[bytes]] = field(default_factory=dict)
    dropped: int = 0

    def take(self, topic: str, payload: bytes) -> None:
        """Keep one."""
        camera = topic.rpartition("/")[2]
        if topic != checkpoints_topic(camera) or (
            camera not in self.messages and len(self.messages) >= MAX_CAMERAS
        ):
            self.dropped += 1
            return
        kept = self.messages.setdefault(camera, deque(maxlen=MAX_KEPT))
        self.dropped += len(kept) == MAX_KEPT
        kept.append(payload)


class CheckpointLink:
    """`folder`: the broker's, or a copy of its broker.toml, ca.pem and collector/.

    Raises ConfigError, StorageError, NetworkError, DestinationRefusedError.
    """

    def __init__(self, folder: Path) -> None:
        refuse_proxy(os.environ)
        self._place, self._where = read_place(folder), ""
        session = Session(
            COLLECTOR,
            expiry_s=SESSION_S,
            receive_maximum=100,
            max_in_flight=_IN_FLIGHT,
            max_queued=2 * _IN_FLIGHT,
            answer_timeout_s=ANSWER_S,
        )
        self._driver = Driver(_context(folder, self._place.host), session)
        self._came, self._refused = Came(), 0

    def gather(self, progress: Callable[[int], object] = lambda _: None) -> Came:
        """Everything that waited, until nothing more comes for QUIET_S. `progress`: how many so
        far.
        """
        self._connect()
        end_s = time.monotonic() + LONGEST_S
        quiet_s = time.monotonic() + QUIET_S
        count = 0
        while time.monotonic() < min(quiet_s, end_s):
            came = [event for event in self._driver.loop(0.25) if isinstance(event, Received)]
            for event in came:
                self._take(event)
            if came:
                quiet_s, count = time.monotonic() + QUIET_S, count + len(came)
                progress(count)
        return self._came

    def answer(self, answers: Iterable[tuple[str, bytes]]) -> int:
        """Send each camera (by the name in its certificate) what the city's log holds of it; how
        many were refused.
        """
        for camera, answer in answers:
            while self._driver.unanswered >= _IN_FLIGHT:
                self._wait()
            if len(answer) <= MAX_ANSWER_BYTES:
                self._driver.publish(collected_topic(camera), answer, checkpoint_properties())
        while self._driver.unanswered:
            self._wait()
        return self._refused

    def close(self) -> None:
        """Leave; the broker keeps what comes."""
        self._driver.close()

    def _wait(self) -> None:
        answer = self._driver.until(Acknowledged, ANSWER_S, "take an answer", self._take)
        self._refused += answer.refused

    def _connect(self) -> None:
        """To the first address that answers."""
        addresses = self._place.addresses
        for number, address in enumerate(addresses, 1):
            where = f"{address}:{self._place.port}"
            try:
                self._driver.connect(address, self._place.port, where)
                self._driver.until(Connected, ANSWER_S, "accept the connection", self._take)
                self._driver.subscribe(_TOPIC)
                self._driver.until(Subscribed, ANSWER_S, f"let us read {_TOPIC}", self._take)
            except (NetworkError, DestinationRefusedError) as error:
                if number < len(addresses):
                    continue
                if isinstance(error, DestinationRefusedError):
                    raise
                raise NetworkError(error.what, where=where, fix=_FIX) from None
            else:
                return

    def _take(self, event: Event) -> None:
        if isinstance(event, Received):
            self._came.take(event.topic, event.untrusted_payload)


def _context(folder: Path, host: str) -> PinnedContext:
    """TLS to this broker: its own CA and no other, host name checked."""
    own = folder / COLLECTORS
    for name in (f"{COLLECTOR}.crt", f"{COLLECTOR}.key"):
        read_input(own / name, MAX_BYTES, missing="make it with `platewarden broker collector`")
    ca_pem = read_input(folder / CA, MAX_BYTES, missing="copy it from the broker's folder")
    advice = "is this the folder of that broker?"
    peer = Peer(host, None, what="broker", ca=folder / CA, advice=advice)
    client = (own / f"{COLLECTOR}.crt", own / f"{COLLECTOR}.key")
    return context_for(peer, ca_pem, MAX_ANSWER_BYTES + PACKET_OVERHEAD_BYTES, client)
