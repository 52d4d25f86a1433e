"""The cables between the rounds' machines: each has a network namespace of its own, and every
packet between them passes through this process, which can lose it.

Each machine's interface is a TUN device whose other end lies here. tc's netem would do the same
where the kernel has it. It is a module of its own, and not every kernel does.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from tests.faults.rounds import zygote
from tests.faults.rounds.capture import Capture

ROOT = Path(__file__).parents[3]
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
BROKER, CAMERA, POLICE = "broker", "camera", "police"
ADDRESSES = {BROKER: "203.0.113.1", CAMERA: "203.0.113.2", POLICE: "203.0.113.3"}
ADDRESSES6 = {BROKER: "2001:db8::1", CAMERA: "2001:db8::2", POLICE: "2001:db8::3"}
_MAX_PACKET = 65_536


class Machine:
    """A zygote, and what is asked of it. It loads the product meanwhile: `ready` waits for that."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.rounds.zygote", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        )
        self.walled = "--own-network" in options
        self.pid = self._process.pid

    def ready(self) -> None:
        self._answer()

    def start(self, role: str, arguments: list[str], control: Path | str, output: Path) -> int:
        """Its process id."""
        asked = {"role": role, "arguments": arguments, "walled": self.walled}
        return self.ask("start", **asked, control=str(control), output=str(output))["pid"]

    def ended(self, pid: int) -> int | None:
        """Its exit code, once."""
        return self.ask("ended", pid=pid)["code"]

    def command(self, *words: str) -> str:
        done = self.ask("command", command=words)
        assert done["code"] == 0, f"{words}: {done['said']}"
        return done["said"]

    def ask(self, what: str, **told: object) -> dict:
        self._process.stdin.write(f"{json.dumps({'ask': what, **told})}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        assert line, f"the machine has ended with {self._process.wait()}"
        return json.loads(line)

    def close(self) -> None:
        """It holds nothing that would have to be put away."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def machines(*options: str) -> dict[str, Machine]:
    """Both load at the same time."""
    made = {name: Machine(*options) for name in (CAMERA, POLICE)}
    for machine in made.values():
        machine.ready()
    return made


class Loopback:
    """Where this user may make no namespaces: all on this machine, and nothing is captured."""

    walled = False
    capture: Capture | None = None

    def __init__(self) -> None:
        self.addresses = dict.fromkeys(ADDRESSES, "127.0.0.1")
        self.machines = machines()

    def close(self) -> None:
        for machine in self.machines.values():
            machine.close()


class Cables:
    """Three machines; this process is the broker's. Use it before any thread begins: it leaves the
    network in which it was started.
    """

    walled = True

    def __init__(self, seed: int) -> None:
        zygote.own_network()
        self.addresses = ADDRESSES
        self._chance, self._lost = random.Random(seed), dict.fromkeys(ADDRESSES, 0.0)
        _ip("link", "set", "lo", "up")
        self.machines = machines("--own-network")
        self.capture = Capture(self._allowed())
        self._selector, self._stop = selectors.DefaultSelector(), os.pipe()
        self._selector.register(self._stop[0], selectors.EVENT_READ, None)
        self._ends: dict[str, int] = {}
        for name in ADDRESSES:
            self._lay(name)
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def lose(self, machine: str, share: float) -> None:
        """Of the packets from and to this machine, so many are lost; 1: all."""
        self._lost[machine] = share

    @contextlib.contextmanager
    def losing(self, machine: str, share: float):
        self.lose(machine, share)
        try:
            yield
        finally:
            self.lose(machine, 0.0)

    def close(self) -> None:
        os.write(self._stop[1], b"x")
        self._thread.join(5)
        for machine in self.machines.values():
            machine.close()
        for end in self._ends.values():
            os.close(end)

    @staticmethod
    def _allowed() -> dict[str, set[str]]:
        own = {name: {ADDRESSES[name], ADDRESSES6[name]} for name in ADDRESSES}
        broker = ADDRESSES[BROKER]
        return {
            BROKER: own[BROKER] | set(ADDRESSES.values()),
            CAMERA: own[CAMERA] | {broker},
            POLICE: own[POLICE] | {broker},
        }

    def _lay(self, name: str) -> None:
        device = f"pw-{name}"
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
        ask = _ip
        if name in self.machines:
            machine = self.machines[name]
            _ip("link", "set", device, "netns", str(machine.pid))
            ask = lambda *words: machine.command("ip", *words)  # noqa: E731
            ask("link", "set", "lo", "up")
        # else the kernel itself would send to everybody's address
        ask("link", "set", device, "addrgenmode", "none", "multicast", "off")
        ask("addr", "add", f"{ADDRESSES[name]}/24", "dev", device)
        ask("addr", "add", f"{ADDRESSES6[name]}/64", "dev", device, "nodad")
        ask("link", "set", device, "up")
        for version in ("-4", "-6"):  # whatever goes elsewhere goes through here, and is seen
            ask(version, "route", "add", "default", "dev", device)
        self._ends[name] = end
        self._selector.register(end, selectors.EVENT_READ, name)
        sniffer = packet_socket(self.machines[name].pid if name in self.machines else os.getpid())
        self.capture.listen(name, sniffer)
        self._selector.register(sniffer, selectors.EVENT_READ, f"capture {name}")

    def _carry(self) -> None:
        by_address = {socket.inet_aton(address): name for name, address in ADDRESSES.items()}
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                if key.data.startswith("capture "):
                    self.capture.take(key.data.removeprefix("capture "), key.fileobj)
                    continue
                with contextlib.suppress(BlockingIOError):
                    packet = os.read(key.fd, _MAX_PACKET)
                    self._pass_on(key.data, packet, by_address.get(packet[16:20]))

    def _pass_on(self, source: str, packet: bytes, target: str | None) -> None:
        if target is None or target == source:
            return
        share = max(self._lost[source], self._lost[target])
        if share and self._chance.random() < share:
            return
        with contextlib.suppress(BlockingIOError):
            os.write(self._ends[target], packet)


def packet_socket(pid: int) -> socket.socket:
    """A socket that sees every packet on every interface of that process's network."""
    made: list[socket.socket] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{pid}/ns/net").open("rb") as place:
            if libc.setns(place.fileno(), zygote.CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        everything = 0x0003  # ETH_P_ALL
        found = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(everything))
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        found.setblocking(False)
        made.append(found)

    thread = threading.Thread(target=make)  # only this thread goes there, and it ends there
    thread.start()
    thread.join()
    return made[0]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
