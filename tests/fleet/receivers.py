"""The recipient's two machines on one PostgreSQL: `receiver run` and `receiver ring` each, killed
and started again; and the web server that they ring.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from agent.receiver.connection import MAX_UNACKNOWLEDGED
from tests.support.delivery_rig import ROOT
from tests.support.pki import Authority
from tests.support.receiving import RunningReceiver
from tests.support.ringing import HOST as RING_HOST
from tests.support.ringing import WHSEC, Endpoint, RingRig, RungServer, secret
from tests.support.shared_receivers import SharedReceivers

IN_HAND = MAX_UNACKNOWLEDGED
"""A receiver takes in so many reads at once, and tells them behind the commit: what it had told
when it was killed may be told again.
"""
RING_LINGERS_S = 2.0
RESTART_S = 5.0  # RestartSec of its unit
ENDS_S = 180.0  # a busy machine


class Rung(Endpoint):
    """Takes every message; `arrived`: of each, its id, its leads and when."""

    def __init__(self) -> None:
        super().__init__(204)
        self.arrived: list[tuple[str, int, float]] = []

    def __call__(self, line) -> None:
        super().__call__(line)
        _, headers, body = self.requests.pop()
        leads = json.loads(body)["data"]["leads"]
        self.arrived.append((headers["webhook-id"], leads, time.monotonic()))

    def leads(self) -> int:
        """In messages of different ids: a message that comes again has the same one."""
        return sum({name: leads for name, leads, _ in self.arrived}.values())

    def leads_before(self, at_s: float) -> int:
        """In messages that came shortly before."""
        return sum(
            leads for _, leads, came_s in self.arrived if 0 <= at_s - came_s < RING_LINGERS_S
        )


class Receivers:
    """`kill` ends one machine's processes at once and starts them again."""

    def __init__(self, folder: Path, shared: SharedReceivers) -> None:
        self._shared, self._said = shared, folder / "ring.out"
        authority = Authority(folder / "ring-pki")
        self.rung = Rung()
        self._server = RungServer(self.rung, authority.server(hosts=(RING_HOST,)))
        table = RingRig(folder, authority.pem).webhook(self._server)
        for place in shared.folders:
            settings = place / "receiver.toml"
            head, broker = settings.read_text().split("[broker]")
            settings.write_text(f"{head}{table}\n[broker]{broker}")
            secret(place / "hook.secret", WHSEC)
        self._running: list[RunningReceiver] = []
        self._ringing: list[subprocess.Popen[bytes]] = []
        self._all: list[RunningReceiver] = []
        self.kills = self.may_ring_again = 0
        self.ended: list[str] = []  # of those that ended by themselves, what they said last
        self._ended_s: dict[int, float] = {}

    def start(self) -> None:
        """Begin; `ready` tells when they are there."""
        self._running = [self._start(number) for number in (0, 1)]
        self._ringing = [self._ring(number) for number in (0, 1)]

    def ready(self) -> bool:
        """Has each told that it is connected?"""
        return all(any("READY" in line for line in self._said_by(one)) for one in self._running)

    def kill(self, number: int) -> None:
        """Both of its processes, as a power cut ends them."""
        self._ringing[number].kill()
        killed_s = time.monotonic()
        self._running[number].kill()
        self._ended_s.pop(number, None)
        self._ringing[number].wait()
        self.kills += 1
        self.may_ring_again += self.rung.leads_before(killed_s)
        self._running[number] = self._start(number)
        self._ringing[number] = self._ring(number)

    def supervise(self) -> None:
        """Start again whoever has ended by itself, after a while, as systemd does."""
        now_s = time.monotonic()
        for number, one in enumerate(self._running):
            if one.process.poll() is not None:
                self._ended_s.setdefault(number, now_s)
            if now_s - self._ended_s.get(number, now_s) >= RESTART_S:
                self.ended.append(
                    f"{one.process.returncode}: {' / '.join(self._said_by(one)[-2:])}"
                )
                del self._ended_s[number]
                self._running[number] = self._start(number)

    def lines(self) -> "Counter[str]":
        """How often each read was told on stdout."""
        counted: Counter[str] = Counter()
        for one in self._all:
            while not one._lines.empty():
                counted[json.loads(one._lines.get())["read"]] += 1
        return counted

    def stop(self) -> list[int]:
        """Exit codes of the two receivers."""
        for one in self._ringing:
            one.terminate()
        for one in self._ringing:
            one.wait(ENDS_S)
        for one in self._running:
            one.process.terminate()
        return [one.process.wait(ENDS_S) for one in self._running]

    def discard(self) -> None:
        for process in [*(one.process for one in self._running), *self._ringing]:
            process.kill()
            process.wait()
        self._server.close()

    @staticmethod
    def _said_by(one: RunningReceiver) -> list[str]:
        while not one._complaints.empty():
            one.said.append(one._complaints.get())
        return one.said

    def _start(self, number: int) -> RunningReceiver:
        one = self._shared.start(number)
        self._all.append(one)
        return one

    def _ring(self, number: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "agent", "receiver", "ring"]
        with self._said.open("ab") as said:
            return subprocess.Popen(
                [*command, str(self._shared.folders[number])], cwd=ROOT, stdout=said, stderr=said
            )
