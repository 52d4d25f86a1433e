"""The line of the rounds: watch, deliver, a broker, two receivers, each a process of its own on its
machine; whoever ends is started again, as systemd does.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.faults.rounds import counting, roles
from tests.faults.rounds.city import POLICE, RECIPIENTS, SHERIFF, City
from tests.faults.rounds.disk import Disk
from tests.faults.rounds.network import BROKER, CAMERA, Cables, Loopback, Machine
from tests.faults.rounds.network import POLICE as POLICE_MACHINE
from tests.support.mosquitto import Mosquitto, free_port
from tests.support.pki import Credentials
from tests.support.units import Unit

SYSTEMD = Path(__file__).parents[3] / "systemd"
RESTART_S, SETTLE_S, STEP_S = 0.1, 150.0, 0.02


class StuckError(Exception):
    """Something did not come in time."""


@dataclass
class Worker:
    """One process: its role, where it runs, and how it is started. `held`: nobody starts it again.

    `ends`: exit codes of those that ended by themselves. `down`: with one after which its unit
    would not start it again.
    """

    name: str
    role: str
    machine: Machine
    arguments: list[str]
    control: Path
    output: Path
    held: bool = False
    pid: int | None = None
    down: int | None = None
    ends: list[int] = field(default_factory=list)
    _not_before_s: float = 0.0

    def supervise(self) -> None:
        """Start it if it should run and does not."""
        if self.pid is not None:
            code = self.machine.ended(self.pid)
            if code is None:
                return
            if code != -signal.SIGKILL:
                self.ends.append(code)
                self.down = code if str(code) in never_again(self.role) else self.down
            self.pid, self._not_before_s = None, time.monotonic() + RESTART_S
        if not self.held and time.monotonic() >= self._not_before_s:
            self.pid = self.machine.start(self.role, self.arguments, self.control, self.output)

    def send(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, number: int = signal.SIGKILL, within_s: float = 30.0) -> None:
        """End it and wait."""
        self.send(number)
        end_s = time.monotonic() + within_s
        while self.pid is not None:
            if self.machine.ended(self.pid) is not None:
                self.pid = None
            elif time.monotonic() > end_s:
                raise StuckError(f"{self.name} does not end")
            else:
                time.sleep(STEP_S)


class Line:
    """Everything that runs. `net`: Cables, or Loopback where there is no root."""

    def __init__(self, folder: Path, net: Cables | Loopback) -> None:
        self.folder, self.net, self._cars = folder, net, count(1)
        self.camera_disk = Disk(folder / CAMERA, real=net.walled)
        self.police_disk = Disk(folder / POLICE_MACHINE, real=net.walled)
        self.city = City(
            folder / "city",
            self.camera_disk.folder,
            {name: self.police_disk.folder / name for name in RECIPIENTS},
            net.addresses[BROKER],
            8883 if net.walled else free_port(),
        )
        self.publish()
        self.police_disk.sync()
        self.state = self.city.camera / "state"
        settings = ["--config", str(self.city.settings)]
        self.watch = self._worker("watch", "watch", CAMERA, [*settings, "--source", "scripted"])
        self.deliver = self._worker("deliver", "deliver", CAMERA, settings)
        self.receivers = {
            name: self._worker(
                f"receiver-{name}",
                "receiver",
                POLICE_MACHINE,
                ["run", str(self.city.recipients[name]), "--json"],
            )
            for name in RECIPIENTS
        }
        self.broker = self._mosquitto(self.city.server)
        self.settled_reads: set[str] = set()
        self.released_reads: dict[str, str] = {}
        self.plaintext = 0  # messages of lying brokers with a plate in them
        self.strange: list[str] = []  # what came to them, and is none of what a camera sends
        self._seen = -1

    @property
    def workers(self) -> list[Worker]:
        return [self.watch, self.deliver, *self.receivers.values()]

    def on(self, machine: str) -> list[Worker]:
        """The processes of one machine."""
        return [one for one in self.workers if one.machine is self.net.machines[machine]]

    def start(self) -> None:
        self.broker.start()
        self.until(self._all_up, "the line to stand")

    def close(self) -> None:
        for worker in self.workers:
            worker.held = True
        for worker in self.workers:
            worker.end(signal.SIGTERM)
        self.broker.stop()

    def discard(self) -> None:
        """After `close`, or after a failure: nothing of it is left running or mounted."""
        for worker in self.workers:
            worker.held = True
            worker.send(signal.SIGKILL)
        for worker in self.workers:
            with contextlib.suppress(StuckError):
                worker.end()
        self.broker.kill()
        for disk in (self.camera_disk, self.police_disk):
            disk.close()

    def publish(self, served: Sequence[str] = RECIPIENTS) -> None:
        """A new policy, brought to the camera by a stick that was taken out in the right way."""
        self.city.publish(tuple(served))
        self.camera_disk.sync()

    def drive(self, cars: int = 2, *, late: bool = False) -> None:
        """So many wanted cars pass; each is released to both recipients. `late`: a car of three
        weeks ago, whose reads are past their deadline already.
        """
        for _ in range(cars):
            name = f"{next(self._cars):06d}{roles.LATE_CAR if late else ''}"
            (self.watch.control / roles.CARS / name).touch()

    def until(self, done: Callable[[], object], what: str, within_s: float = SETTLE_S) -> None:
        """Keep everything running until it is so. Raises StuckError."""
        end_s = time.monotonic() + within_s
        while True:
            for worker in self.workers:
                worker.supervise()
                if worker.down is not None:
                    raise StuckError(f"{worker.name} ended with {worker.down}, and stays down")
            if done():
                return
            if time.monotonic() > end_s:
                raise StuckError(f"waited {within_s:g} s for {what}")
            time.sleep(STEP_S)

    def run_for(self, seconds: float) -> None:
        """Keep everything running for so long."""
        end_s = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end_s, "time to pass")

    def taken(self) -> None:
        """Until every car has been seen, and what it releases is committed."""
        cars = self.watch.control / roles.CARS
        self.until(lambda: not any(cars.iterdir()), "the cars to be seen")

    def settle(self) -> None:
        """Until every car was seen and nothing that was released waits any more."""
        self.taken()
        self.until(lambda: not self.waiting(), "every released read to be settled")

    def waiting(self, recipient: str | None = None) -> list[str]:
        """Reads that were released and have no end yet, by watch's log."""
        for leaf in counting.leaves(self.state / "watch/log.sqlite", self._seen):
            self._seen = leaf["n"]
            if leaf["kind"] == "release":
                self.released_reads[leaf["read"]] = leaf["recipient"]
            elif leaf["kind"] in counting.FINAL:
                self.settled_reads.add(leaf["read"])
        return [
            read
            for read, whose in self.released_reads.items()
            if read not in self.settled_reads and recipient in {None, whose}
        ]

    @contextlib.contextmanager
    def broker_as(
        self,
        server: Credentials | None = None,
        *,
        acl: str | None = None,
        options: Sequence[str] = (),
    ):
        """Another broker, or the same one with other rules, at the same address."""
        self.broker.kill()
        self.broker = self._mosquitto(server or self.city.server, acl, options)
        self.broker.start()
        try:
            yield self.broker
        finally:
            self.broker.kill()
            self.broker = self._mosquitto(self.city.server)
            self.broker.start()

    @contextlib.contextmanager
    def no_broker(self):
        """Its machine is there, and nothing listens."""
        self.broker.kill()
        try:
            yield
        finally:
            self.broker.start()

    def stored(self) -> dict[str, Path]:
        return {name: folder / "store" for name, folder in self.city.recipients.items()}

    def outputs(self) -> str:
        """What all processes said."""
        return "".join(
            one.output.read_text(errors="replace") for one in self.workers if one.output.exists()
        )

    def _mosquitto(
        self, server: Credentials, acl: str | None = None, options: Sequence[str] = ()
    ) -> Mosquitto:
        return Mosquitto(
            self.folder / "broker",
            server,
            acl=acl,
            address=self.city.address,
            port=self.city.port,
            options=options,
        )

    def _worker(self, name: str, role: str, machine: str, arguments: list[str]) -> Worker:
        control = self.folder / "control" / name
        (control / roles.CARS).mkdir(parents=True)
        output = self.folder / "control" / f"{name}.out"
        # deliver and watch are commands; a receiver's is below its group
        return Worker(name, role, self.net.machines[machine], [role, *arguments], control, output)

    def _all_up(self) -> bool:
        told = [self.receivers[name].output for name in (POLICE, SHERIFF)]
        return (
            all(path.exists() and "READY" in path.read_text() for path in told)
            and (self.state / "watch/log.sqlite").exists()
            and (self.state / "deliver/links.json").exists()
        )


def never_again(role: str) -> set[str]:
    """Exit codes after which systemd leaves it, as its unit says."""
    return Unit(SYSTEMD / f"platewarden-{role}.service").words("RestartPreventExitStatus")
