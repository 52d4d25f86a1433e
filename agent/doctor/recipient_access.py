"""What a broker's access list lets a recipient's certificate do, tried out: it must let receipts
go out, and no read, which would come back to us.

Mitigates against: a broker without an access list, where any certificate's holder may put messages
into a recipient's queue. Limit: it tries this certificate only; `platewarden broker check` tries a
stranger's.
"""

import secrets
import time
from contextlib import ExitStack, closing

from agent.broker.names import CHECK_CAMERA
from agent.core.camera.diagnosis_findings import Finding, fail, ok, skip, warn
from agent.errors import DestinationRefusedError, NetworkError, PlatewardenError
from agent.mqtt.driver import Driver
from agent.mqtt.events import Acknowledged, Connected, Disconnected, Event, Received, Subscribed
from agent.mqtt.topics import reads_topic, receipts_topic
from agent.receiver.connection import session_of, tls_context
from agent.receiver.workplace import Workplace

ANSWER_S, BACK_S = 20.0, 2.0
_GUIDE = "see the access list in docs/guide/broker.md; `platewarden broker check` tries more"


def access_list(place: Workplace) -> Finding:
    """One line. Under the receiver's own name, so only while none runs: it would be thrown off.

    Raises PlatewardenError.
    """
    with ExitStack() as lock:
        try:
            lock.enter_context(place.locked())
        except PlatewardenError:
            return skip("access list", "a receiver runs in this folder; stop it to look")
        with closing(_Link(place)) as link:
            try:
                link.open()
            except (NetworkError, DestinationRefusedError):
                return skip("access list", "the broker cannot be asked: see its own line")
            return link.judged()


class _Link:
    """The recipient's connection, for a few seconds."""

    def __init__(self, place: Workplace) -> None:
        self._broker, self._topic = place.broker(), reads_topic(place.recipient)
        session = session_of(self._broker, place.settings.client_name or place.recipient)
        self._driver = Driver(tls_context(place.folder, self._broker), session)
        self._came: list[Received] = []

    def open(self) -> None:
        """The first address that answers, subscribed. Raises NetworkError,
        DestinationRefusedError.
        """
        for number, address in enumerate(self._broker.dialled, start=1):
            where = f"{address}:{self._broker.port}"
            try:
                self._driver.connect(address, self._broker.port, where)
                self._driver.until(Connected, ANSWER_S, "let us in", self._take)
                self._driver.subscribe(self._topic)
                self._driver.until(Subscribed, ANSWER_S, "let us read", self._take)
            except (NetworkError, DestinationRefusedError):
                if number == len(self._broker.dialled):
                    raise
            else:
                return

    def close(self) -> None:
        """What waits there, waits on."""
        self._driver.close()

    def judged(self) -> Finding:
        """Raises NetworkError."""
        token = b"platewarden receiver doctor " + secrets.token_hex(16).encode()
        # to a camera that no city can have: nobody gets it
        receipt = self._answer(receipts_topic(CHECK_CAMERA), token)
        if receipt is None or receipt.refused:
            why = receipt.words if receipt else "the broker hung up"
            return fail("access list", f"this certificate may give no receipt: {why}", _GUIDE)
        read = self._answer(self._topic, token)
        if read is None or read.refused:
            return ok("access list", "this certificate may give receipts, and send no reads")
        if self._comes_back(token):
            words = (
                "this certificate may send reads, too: whoever the broker lets in, it lets write"
            )
            return warn("access list", words, _GUIDE)
        if self._came:
            return skip(
                "access list",
                "the broker took a read from us; whether it hands it on is not seen while others "
                "wait",
                "let `receiver run` take them in, and look again",
            )
        return ok("access list", "this certificate may give receipts; a read of ours went nowhere")

    def _answer(self, topic: str, payload: bytes) -> Acknowledged | None:
        """The broker's; None: it hung up. Raises NetworkError when it says nothing."""
        ticket, end_s = self._driver.publish(topic, payload), time.monotonic() + ANSWER_S
        while (left_s := end_s - time.monotonic()) > 0:
            for event in self._driver.loop(left_s):
                if isinstance(event, Acknowledged) and event.ticket == ticket:
                    return event
                if isinstance(event, Disconnected):
                    return None
                self._take(event)
        raise NetworkError("the broker does not answer to a message", where="access list")

    def _comes_back(self, token: bytes) -> bool:
        """Did our own message reach us? Then it is acknowledged: `receiver run` never sees it."""
        end_s = time.monotonic() + BACK_S
        while True:
            for message in self._came:
                if message.untrusted_payload == token:
                    self._driver.acknowledge(message)
                    return True
            left_s = end_s - time.monotonic()
            if left_s <= 0 or not self._driver.connected:
                return False
            for event in self._driver.loop(left_s):
                self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Received):
            self._came.append(event)
