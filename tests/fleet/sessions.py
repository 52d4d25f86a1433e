"""Many cameras' connections in one process: deliver's own link, its own certificate and topics
each, without the process around it.

The first line on stdin is the task, as JSON. Then `go`, `stop` and `end`, one a line; on stdout a
line of JSON each half second. One process holds as many as it may have open files.
"""

import hashlib
import json
import random
import select
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.policy.policy import Broker
from agent.core.wire.sealed_read import SealedRead
from agent.errors import NetworkError, PlatewardenError
from agent.ledger import anew_s
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES
from agent.network.broker_link import BrokerLink, LinkLimits
from agent.network.egress import Egress
from agent.network.policy_tls import context_for
from agent.sealing.sealer import Sealer
from agent.verifying.key_list_check import verify_key_list
from agent.verifying.receipt_check import ReceiptVerifier
from tests.support.receiving import this_instant
from tests.support.sealed import RECIPIENT, release, sighting

REPORT_S, IDLE_S, TURN_S, DIALLERS = 0.5, 8.0, 0.05, 4
FIRST_AGAIN_S, LONGEST_AGAIN_S = 5.0, 600.0  # as deliver publishes again
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # as deliver dials again


def device_key(camera: str) -> Ed25519PrivateKey:
    """A test camera's: anybody can make it."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(camera.encode()).digest())


@dataclass(slots=True)
class Waiting:
    """A read without a receipt. `due_s`: when it is sent again."""

    read: SealedRead
    digest: str
    due_s: float = 0.0
    wait_s: float = FIRST_AGAIN_S


@dataclass(slots=True, eq=False)
class Session:
    """One camera. `turn`: which address is dialled next; `descriptor`: of its socket."""

    name: str
    link: BrokerLink
    turn: int
    sequence: int = 0
    wait_s: float = 0.0
    dial_s: float = 0.0
    descriptor: int | None = None
    dialling: "Future[None] | None" = None
    waiting: dict[str, Waiting] = field(default_factory=dict)


class Fleet:
    """All of a task's cameras, driven by `turn`."""

    def __init__(self, task: dict[str, object], say) -> None:
        folder = Path(task["folder"])
        self._say, self._plant, self._chance = say, task["plant"], random.Random(task["seed"])
        self._rate, self._addresses = task["rate"], [tuple(one) for one in task["addresses"]]
        self._broker = Broker(
            *("city", task["host"], tuple(self._addresses), "ca.pem"),
            *(frozenset(map(bytes.fromhex, task["pins"])), frozenset({RECIPIENT})),
        )
        signing_key = bytes.fromhex(task["signing_key"])
        listed = verify_key_list(Path(task["key_list"]).read_bytes(), RECIPIENT, signing_key)
        self._key_lists, self._scene = {RECIPIENT: listed}, sighting()
        self._verifier = ReceiptVerifier({RECIPIENT: signing_key})
        self._epoll, self._pool = select.epoll(), ThreadPoolExecutor(DIALLERS)
        self._by_descriptor: dict[int, Session] = {}
        ca_pem = (folder / "ca.pem").read_bytes()
        self.sessions = [
            Session(name, self._link(folder, name, ca_pem), number % len(self._addresses))
            for number, name in enumerate(task["cameras"])
        ]
        self._idle, self._senders = deque(self.sessions), deque(self.sessions)
        self._sent: list[tuple[str, float]] = []
        self._got: list[tuple[str, float]] = []
        self.odd, self._next_s, self.sending = 0, 0.0, False
        self._looked_s = 0.0

    def _link(self, folder: Path, name: str, ca_pem: bytes) -> BrokerLink:
        limits = LinkLimits()
        client = folder / "certificates" / f"{name}.crt", folder / "keys" / f"{name}.key"
        context = context_for(
            self._broker, ca_pem, "broker", limits.max_receipt_bytes + PACKET_OVERHEAD_BYTES, client
        )
        return BrokerLink(self._broker, name, context, Egress((self._broker,)), limits)

    @property
    def connected(self) -> int:
        return len(self._by_descriptor)

    def turn(self) -> None:
        """Everything that is due, and at most TURN_S of waiting. Each is looked at every IDLE_S."""
        now_s = time.monotonic()
        if self.sending and now_s >= self._next_s:
            self._send_one(now_s)
        for descriptor, _ in self._epoll.poll(TURN_S):
            if (session := self._by_descriptor.get(descriptor)) is not None:
                self._poll(session)
        due = int((time.monotonic() - self._looked_s) * len(self.sessions) / IDLE_S)
        for _ in range(min(due, len(self.sessions))):
            self._idle.rotate(-1)
            self._look(self._idle[0], time.monotonic())
        self._looked_s = time.monotonic() if due else self._looked_s

    def go(self) -> None:
        self.sending, self._next_s = True, time.monotonic() + self._chance.random() / self._rate

    def report(self) -> None:
        waiting = sum(len(one.waiting) for one in self.sessions)
        self._say(
            connected=self.connected, waiting=waiting, odd=self.odd, sent=self._sent, got=self._got
        )
        self._sent, self._got = [], []

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for session in self.sessions:
            session.link.close()

    def _send_one(self, now_s: float) -> None:
        self._next_s = max(self._next_s + 1 / self._rate, now_s - 1.0)
        self._senders.rotate(-1)
        session = self._senders[0]
        session.sequence += 1
        seen = replace(self._scene, captured=this_instant(), camera=session.name)
        sealer = Sealer(session.name, device_key(session.name), self._key_lists)
        read = sealer.seal(seen, release(), session.sequence)
        digest = hashlib.sha256(read.wire).hexdigest()
        session.waiting[read.tags.read_id] = Waiting(read, digest)
        self._sent.append((read.tags.read_id, now_s))
        self._publish_due(session, now_s)

    def _publish_due(self, session: Session, now_s: float) -> None:
        if session.descriptor is None:
            return
        for one in session.waiting.values():
            if one.due_s > now_s or session.link.room <= 0:
                continue
            tags = one.read.tags
            left_s = int((tags.deadline - this_instant().utc).total_seconds())
            try:
                session.link.publish(RECIPIENT, tags.read_id, one.read.wire, left_s)
            except NetworkError:
                return  # the next poll tells
            one.due_s, one.wait_s = now_s + one.wait_s, min(2 * one.wait_s, LONGEST_AGAIN_S)
        if session.link.wants_write:
            self._poll(session)

    def _poll(self, session: Session) -> None:
        try:
            session.link.poll()
        except NetworkError:
            self._lost(session)
        session.link.take_answers()
        if session.link.take_renewed():
            self._hurry(session, time.monotonic())
        for wire in session.link.take_receipts():
            self._receipt(session, wire)

    def _receipt(self, session: Session, wire: bytes) -> None:
        try:
            receipt = self._verifier.verify(wire)
        except PlatewardenError:
            self.odd += 1
            return
        one = session.waiting.get(receipt.read_id)
        if one is None:
            return  # both receivers answer
        if (receipt.outcome, receipt.wire_sha256) != ("stored", one.digest):
            self.odd += 1
        elif self._plant == "no-receipt":
            self._plant = "no-receipt-for " + receipt.read_id
        elif self._plant != "no-receipt-for " + receipt.read_id:
            del session.waiting[receipt.read_id]
            self._got.append((receipt.read_id, time.monotonic()))

    def _lost(self, session: Session) -> None:
        if session.descriptor is not None:
            with suppress(OSError, ValueError):
                self._epoll.unregister(session.descriptor)
            self._by_descriptor.pop(session.descriptor, None)
        session.descriptor = None
        for flight in session.link.take_flights():
            if flight.read_id in session.waiting:
                session.waiting[flight.read_id].due_s = 0.0
        session.wait_s = min(max(2 * session.wait_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        session.dial_s = time.monotonic() + session.wait_s * (0.5 + self._chance.random() / 2)

    def _look(self, session: Session, now_s: float) -> None:
        """Keep one alive, or dial it; take in that its dialling ended."""
        if session.descriptor is not None:
            self._poll(session)
            self._publish_due(session, now_s)
        elif session.dialling is not None:
            if session.dialling.done():
                self._dialled(session, session.dialling)
        elif now_s >= session.dial_s:
            address, port = self._addresses[session.turn % len(self._addresses)]
            session.turn += 1
            session.dialling = self._pool.submit(session.link.connect, address, port)

    def _dialled(self, session: Session, dialling: "Future[None]") -> None:
        session.dialling = None
        error = dialling.exception()
        opened = session.link.socket
        if isinstance(error, NetworkError) or (error is None and opened is None):
            self._lost(session)
        elif error is not None:
            raise error
        else:
            session.descriptor, session.wait_s = opened.fileno(), 0.0
            self._by_descriptor[session.descriptor] = session
            self._epoll.register(session.descriptor, select.EPOLLIN)
            self._hurry(session, time.monotonic())
            self._poll(session)
            self._publish_due(session, time.monotonic())

    def _hurry(self, session: Session, now_s: float) -> None:
        """What came meanwhile is lost: as deliver does on a new connection."""
        for one in session.waiting.values():
            wait_s = anew_s(self._chance.random(), len(session.waiting))
            one.due_s = min(one.due_s, now_s + wait_s)


def main() -> None:
    task = json.loads(sys.stdin.readline())
    fleet = Fleet(task, lambda **words: print(json.dumps(words), flush=True))
    orders: deque[str] = deque()
    threading.Thread(target=lambda: orders.extend(map(str.strip, sys.stdin)), daemon=True).start()
    next_s = 0.0
    while True:
        order = orders.popleft() if orders else ""
        if order == "go":
            fleet.go()
        fleet.sending = fleet.sending and order != "stop"
        fleet.turn()
        if time.monotonic() >= next_s or order == "end":
            fleet.report()
            next_s = time.monotonic() + REPORT_S
        if order == "end":
            fleet.close()
            return


if __name__ == "__main__":
    main()
