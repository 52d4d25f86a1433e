"""What a broker really does, tried out: TLS, what it grants, messages there and back, what a
stranger's certificate could do, and what becomes of messages for somebody who is away.

Nothing is taken on trust from a configuration. The three certificates of the check are used, so no
camera and no recipient loses its place.
"""

import secrets
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.broker.names import CHECK_CAMERA, CHECK_RECIPIENT, CHECK_STRANGER
from agent.core.camera.diagnosis_findings import Finding, fail, failed, ok, warn
from agent.core.wire.sealed_read import CONTENT_TYPE, MAX_WIRE_BYTES
from agent.errors import DestinationRefusedError, NetworkError, PlatewardenError
from agent.mqtt.driver import Driver
from agent.mqtt.events import (
    Acknowledged,
    Connected,
    Event,
    Properties,
    Received,
    Session,
    Subscribed,
)
from agent.mqtt.pinned_tls import Peer, context_for
from agent.mqtt.topics import (
    PACKET_OVERHEAD_BYTES,
    checkpoints_topic,
    collected_topic,
    health_topic,
    reads_topic,
    receipts_topic,
)
from agent.values import dataclass, replace

ANSWER_S, QUIET_S, EXPIRY_S = 5.0, 1.0, 1
DAYS_WANTED = 30
_DAY_S = 86_400
_PACKET_BYTES = MAX_WIRE_BYTES + PACKET_OVERHEAD_BYTES
READS, RECEIPTS = reads_topic(CHECK_RECIPIENT), receipts_topic(CHECK_CAMERA)
CHECKPOINTS, COLLECTED = checkpoints_topic(CHECK_CAMERA), collected_topic(CHECK_CAMERA)
HEALTH = health_topic(CHECK_CAMERA)
_OLD_LIST = "copy today's access list to the broker: it knows these topics"
_UNKNOWN_NAMES = frozenset({0x86, 0x87})
"""CONNACK (MQTT 5, 3.2.2.2): 134 bad user name or password, 135 not authorized."""
_NAMES = (
    "the broker has no place for this name yet: copy today's access list there; RabbitMQ imports "
    "it on one node, and its log says why (docs/guide/broker-cluster.md)"
)
_ACCESS = "bind topics and client ids to the certificate's name (docs/guide/broker.md)"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to dial, and with what.

    `pins`: those of the policy, 32 bytes each; None: not compared. `certificates`: the folder with
    the three certificates and keys of the check.
    """

    host: str
    address: str
    port: int
    ca: Path
    ca_pem: bytes
    certificates: Path
    pins: frozenset[bytes] | None = None

    @property
    def where(self) -> str:
        """For errors."""
        return f"{self.address}:{self.port}"


class Client:
    """One client of the check, with what came to it."""

    def __init__(self, target: Target, name: str | None, session: Session) -> None:
        files = target.certificates
        own = (files / f"{name}.crt", files / f"{name}.key") if name else None
        advice = "check --host, --ca and the broker's certificate"
        peer = Peer(target.host, target.pins, what="broker", ca=target.ca, advice=advice)
        self._target = target
        self._driver = Driver(context_for(peer, target.ca_pem, _PACKET_BYTES, own), session)
        self.came: list[Received] = []

    @property
    def tls_version(self) -> str | None:
        """Of the connection, as ssl names it; None where there is none."""
        return self._driver.socket.version() if self._driver.socket else None

    def connect(self) -> Connected:
        """Raises NetworkError, DestinationRefusedError."""
        self._driver.connect(self._target.address, self._target.port, self._target.where)
        try:
            return self._driver.until(Connected, ANSWER_S, "accept the connection", self._keep)
        except NetworkError as error:
            if self._driver.ended_by in _UNKNOWN_NAMES:
                error.fix = _NAMES
            raise

    def subscribe(self, topic: str) -> None:
        """Raises NetworkError."""
        self._driver.subscribe(topic)
        self._driver.until(Subscribed, ANSWER_S, f"let us read {topic}", self._keep)

    def publish(self, topic: str, payload: bytes, expires_in_s: int | None = 600) -> Acknowledged:
        """Its answer. Raises NetworkError."""
        self._driver.publish(topic, payload, Properties(CONTENT_TYPE, expires_in_s))
        return self._driver.until(Acknowledged, ANSWER_S, "answer a message", self._keep)

    def payloads(self, count: int, within_s: float = ANSWER_S) -> list[bytes]:
        """What has come, once there are `count` of them or time is up. Raises NetworkError."""
        end_s = time.monotonic() + within_s
        while len(self.came) < count and (left_s := end_s - time.monotonic()) > 0:
            for event in self._driver.loop(min(left_s, 0.1)):
                self._keep(event)
        return [one.untrusted_payload for one in self.came]

    def alive(self, within_s: float = QUIET_S) -> bool:
        """Is the connection still there after so long?"""
        try:
            self.payloads(len(self.came) + 1, within_s)
        except NetworkError:
            return False
        return self._driver.connected

    def close(self) -> None:
        """Say goodbye; a session with an expiry is kept by the broker."""
        self._driver.close()

    def _keep(self, event: Event) -> None:
        if isinstance(event, Received):
            self.came.append(event)


class Check:
    """`findings`: each thing tried, as soon as it was.

    A broker that lets nobody in is one of them, and the last: another address may be well.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._open: list[Client] = []

    def findings(self) -> Iterator[Finding]:
        """In order; connections are closed, and what was left is cleared away, at the end."""
        try:
            yield from self._granted()
            for about, tried in (
                ("no certificate", self._without_certificate),
                ("read and receipt", self._there_and_back),
                ("checkpoint and answer", self._checkpoint),
                ("health", self._health),
                ("largest read", self._largest),
                ("another certificate reads", self._stranger_reads),
                ("another certificate writes", self._stranger_writes),
                ("a camera reads", self._camera_reads),
                ("another certificate takes a place", self._place_taken),
                ("away and back", self._away),
            ):
                yield self._one(about, tried)
                self._close_all()
        except (NetworkError, DestinationRefusedError) as error:  # of the first connection
            yield failed("connection", error, "check the broker and the network")
        finally:
            self._close_all()

    def _one(self, about: str, tried: Callable[[str], Finding]) -> Finding:
        """A connection that ends in the middle of one trial is that trial's fault."""
        try:
            return tried(about)
        except PlatewardenError as error:
            return fail(about, error.what, error.fix or "look into the broker's log")

    def _client(self, name: str | None, **session: object) -> Client:
        client_id = name or f"platewarden-check-{secrets.token_hex(4)}"
        asked = replace(Session(client_id, clean_start=True), **session)  # type: ignore[arg-type]
        client = Client(self._target, name, asked)
        self._open.append(client)
        return client

    def _close_all(self) -> None:
        while self._open:
            self._open.pop().close()

    def _joined(self, name: str, topic: str, **session: object) -> Client:
        """Connected, and subscribed to the topic."""
        client = self._client(name, **session)
        client.connect()
        client.subscribe(topic)
        return client

    def _granted(self) -> Iterator[Finding]:
        client = self._client(CHECK_RECIPIENT, expiry_s=DAYS_WANTED * _DAY_S)
        granted = client.connect()
        pins = (
            "the key is a pinned one" if self._target.pins else "its key was compared with no pin"
        )
        yield ok("TLS", f"{client.tls_version}; name and CA fit; {pins}")
        days = granted.session_expiry_s / _DAY_S
        words = f"keeps what waits for an absent recipient for {days:.3g} days, if it says so truly"
        yield (
            ok("away", words)
            if days >= DAYS_WANTED
            else warn("away", words, f"raise the greatest session time to {DAYS_WANTED} days")
        )
        words = (
            f"takes packets of {granted.max_packet_bytes} bytes; the largest read needs "
            f"{_PACKET_BYTES}"
        )
        yield (
            ok("size", words)
            if granted.max_packet_bytes >= _PACKET_BYTES
            else fail("size", words, "raise the broker's limit, or let the policy include no crop")
        )
        self._close_all()

    def _without_certificate(self, about: str) -> Finding:
        """Is somebody let in who shows none?"""
        client = self._client(None)
        try:
            client.connect()
            if client.alive():
                return fail(about, "whoever shows no certificate is let in", _ACCESS)
        except (PlatewardenError, ssl.SSLError):
            pass
        return ok(about, "whoever shows no certificate is not let in")

    def _there_and_back(self, about: str) -> Finding:
        """A read reaches its recipient, and the receipt the camera."""
        recipient, camera = (
            self._joined(CHECK_RECIPIENT, READS),
            self._joined(CHECK_CAMERA, RECEIPTS),
        )
        read, receipt = _payload(), _payload()
        for answer in (camera.publish(READS, read), recipient.publish(RECEIPTS, receipt)):
            if answer.refused:
                return fail(about, f"refused: {answer.words}", _ACCESS)
        if recipient.payloads(1) != [read] or camera.payloads(1) != [receipt]:
            return fail(about, "acknowledged, and they did not arrive", _ACCESS)
        return ok(about, "a read arrived, and its receipt came back")

    def _checkpoint(self, about: str) -> Finding:
        """A camera's reaches the collector, and its answer the camera. Reads do without."""
        fix = _OLD_LIST
        collector = self._joined(CHECK_RECIPIENT, CHECKPOINTS)
        camera = self._joined(CHECK_CAMERA, COLLECTED)
        checkpoint, answer = _payload(), _payload()
        for said in (camera.publish(CHECKPOINTS, checkpoint), collector.publish(COLLECTED, answer)):
            if said.refused:
                return warn(about, f"refused: {said.words}", fix)
        if collector.payloads(1) != [checkpoint] or camera.payloads(1) != [answer]:
            return warn(about, "acknowledged, and they did not arrive", fix)
        return ok(about, "a camera's checkpoint arrived, and the answer came back")

    def _health(self, about: str) -> Finding:
        """A camera's reaches the collector. Reads and checkpoints do without."""
        collector = self._joined(CHECK_RECIPIENT, HEALTH)
        camera, told = self._joined(CHECK_CAMERA, RECEIPTS), _payload()
        said = camera.publish(HEALTH, told)
        if said.refused:
            return warn(about, f"refused: {said.words}", _OLD_LIST)
        if collector.payloads(1) != [told]:
            return warn(about, "acknowledged, and it did not arrive", _OLD_LIST)
        return ok(about, "a camera's health message arrived")

    def _largest(self, about: str) -> Finding:
        """It arrives as it was sent."""
        recipient = self._joined(CHECK_RECIPIENT, READS)
        camera = self._client(CHECK_CAMERA)
        camera.connect()
        read = _payload(MAX_WIRE_BYTES)
        answer = camera.publish(READS, read)
        if answer.refused:
            return fail(about, f"refused: {answer.words}", "raise its size limit")
        if recipient.payloads(1) != [read]:
            return fail(about, "did not arrive whole", "raise its size limit")
        return ok(about, f"{MAX_WIRE_BYTES} bytes arrived unchanged")

    def _stranger_reads(self, about: str) -> Finding:
        """Does it get what is for others?"""
        return self._overhears(CHECK_STRANGER, about)

    def _camera_reads(self, about: str) -> Finding:
        """Does one camera get what others send?"""
        return self._overhears(CHECK_CAMERA, about)

    def _overhears(self, name: str, about: str) -> Finding:
        heard: list[bytes] = []
        read = _payload()
        for filter_ in (READS, "platewarden/1/reads/+", "#", RECEIPTS):
            try:
                listener = self._joined(name, filter_)
            except NetworkError:
                continue  # refused, as it should be
            # a client id has one connection: the camera listens to what it sends itself
            sender = listener if name == CHECK_CAMERA else self._client(CHECK_CAMERA)
            if sender is not listener:
                sender.connect()
            sender.publish(READS, read)
            heard += [one for one in listener.payloads(1, QUIET_S) if one == read]
            self._close_all()
        if heard:
            return fail(about, "it gets reads that are for somebody else", _ACCESS)
        return ok(about, "it gets nothing that is for others")

    def _stranger_writes(self, about: str) -> Finding:
        """Does what it publishes for others arrive?"""
        recipient, camera = (
            self._joined(CHECK_RECIPIENT, READS),
            self._joined(CHECK_CAMERA, RECEIPTS),
        )
        stranger = self._client(CHECK_STRANGER)
        try:
            stranger.connect()
        except NetworkError as error:
            return ok(about, f"it is not let in ({error.what})")
        for topic in (READS, RECEIPTS):
            try:
                stranger.publish(topic, _payload())
            except NetworkError:  # it was thrown out, as it may be
                stranger = self._client(CHECK_STRANGER)
                stranger.connect()
        if recipient.payloads(1, QUIET_S) or camera.payloads(1, QUIET_S):
            return fail(about, "what it sends for others arrives", _ACCESS)
        return ok(about, "nothing that it sends for others arrives")

    def _place_taken(self, about: str) -> Finding:
        """Does another's client id throw it out?"""
        recipient = self._joined(CHECK_RECIPIENT, READS, expiry_s=_DAY_S)
        stranger = self._client(CHECK_STRANGER, client_id=CHECK_RECIPIENT, clean_start=False)
        got: list[bytes] = []
        try:
            stranger.connect()
            got = stranger.payloads(1, QUIET_S)
        except NetworkError:
            pass  # refused, as it should be
        if not recipient.alive() or got:
            return fail(about, "whoever gives a recipient's client id takes its place", _ACCESS)
        return ok(about, "another's client id gives nobody its place")

    def _away(self, about: str) -> Finding:
        """What waits arrives, what has expired does not."""
        self._joined(CHECK_RECIPIENT, READS, expiry_s=_DAY_S).close()
        camera = self._client(CHECK_CAMERA)
        camera.connect()
        waits, expired = [_payload() for _ in range(3)], _payload()
        for one in waits:
            camera.publish(READS, one)
        camera.publish(READS, expired, EXPIRY_S)
        time.sleep(EXPIRY_S + 1)
        back = self._client(CHECK_RECIPIENT, clean_start=False, receive_maximum=20)
        present = back.connect().session_present
        came = back.payloads(len(waits), ANSWER_S)
        came = back.payloads(len(came) + 1, QUIET_S)
        if not present or not set(waits) <= set(came):
            words = (
                f"{len(set(waits) & set(came))} of {len(waits)} messages waited for the recipient"
            )
            return fail(about, words, "let it keep sessions and messages on disk")
        if expired in came:
            words = "what waited arrives, and what has expired also"
            return warn(about, words, "the receiver refuses it; the broker keeps it")
        return ok(about, "what waited arrives, what has expired does not")


def _payload(size: int = 64) -> bytes:
    """Bytes that mean nothing, and that nobody can guess."""
    return (b"platewarden check " + secrets.token_hex(size).encode())[:size]
