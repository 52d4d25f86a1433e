"""The collector's connection to a city's broker, under the one certificate that may hear what
cameras tell their city. The MQTT itself is agent/mqtt/driver.py's.

The broker keeps the messages in a session of the collector's. They are acknowledged as they come:
a camera tells the same, and more, a while later.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from agent.broker.broker_folder import CA, COLLECTORS
from agent.broker.names import COLLECTOR
from agent.broker.place import MAX_BYTES, read_place
from agent.core.log.collected import MAX_ANSWER_BYTES
from agent.disk.input_file import read_input
from agent.errors import DestinationRefusedError, NetworkError
from agent.mqtt.driver import Driver
from agent.mqtt.events import Acknowledged, Connected, Event, Received, Session, Subscribed
from agent.mqtt.pinned_tls import Peer, PinnedContext, context_for
from agent.mqtt.proxy import refuse_proxy
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES, checkpoint_properties, collected_topic

ANSWER_S = 10.0
SESSION_S = 30 * 86_400
_IN_FLIGHT = 20
_FIX = "make its certificate with `platewarden broker collector`, and copy the access list"


class CollectorLink:
    """`folder`: the broker's, or a copy of its broker.toml, ca.pem and collector/. `topics`: what
    is heard, as filters; a subclass's `take` gets it.

    Raises ConfigError, StorageError, NetworkError, DestinationRefusedError.
    """

    def __init__(self, folder: Path, topics: Iterable[str]) -> None:
        refuse_proxy(os.environ)
        self._place, self._topics = read_place(folder), tuple(topics)
        session = Session(
            COLLECTOR,
            expiry_s=SESSION_S,
            receive_maximum=100,
            max_in_flight=_IN_FLIGHT,
            max_queued=2 * _IN_FLIGHT,
            answer_timeout_s=ANSWER_S,
        )
        self._driver = Driver(_context(folder, self._place.host), session)
        self._refused = 0

    def take(self, topic: str, untrusted_payload: bytes) -> None:
        """Keep one that came."""
        raise NotImplementedError

    def connect(self) -> None:
        """To the first address that answers."""
        addresses = self._place.addresses
        for number, address in enumerate(addresses, 1):
            where = f"{address}:{self._place.port}"
            try:
                self._driver.connect(address, self._place.port, where)
                self._driver.until(Connected, ANSWER_S, "accept the connection", self._take)
                for topic in self._topics:
                    self._driver.subscribe(topic)
                    self._driver.until(Subscribed, ANSWER_S, f"let us read {topic}", self._take)
            except (NetworkError, DestinationRefusedError) as error:
                if number < len(addresses):
                    continue
                if isinstance(error, DestinationRefusedError):
                    raise
                raise NetworkError(error.what, where=where, fix=_FIX) from None
            else:
                return

    def loop(self, timeout_s: float) -> int:
        """Take what comes; how many came."""
        came = [event for event in self._driver.loop(timeout_s) if isinstance(event, Received)]
        for event in came:
            self._take(event)
        return len(came)

    def answer(self, answers: Iterable[tuple[str, bytes]]) -> int:
        """Send each camera (by the name in its certificate) what the city's log holds of it; how
        many were refused.
        """
        self._refused = 0
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

    def _take(self, event: Event) -> None:
        if isinstance(event, Received):
            self.take(event.topic, event.untrusted_payload)


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
