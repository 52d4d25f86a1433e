"""The rig's Ethernet: on a real rig a cable to the camera; on a simulated one a virtual cable into
a network namespace, so that both are watched alike.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hw_tests.rig.options import Options

PREFIX = "pwrig"  # then the process that laid the cable
# The networks of RFC 5737 are routed nowhere. But a machine may use one itself, and must not lose
# its own network to a test.
NETWORKS = ("198.51.100", "203.0.113", "192.0.2")
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ethernet:
    """`address`: this machine's, where brokers listen.

    `interface`: what is captured on; empty when nothing can be, and then `why` says so. `prefix`:
    words that run a command at the camera's end of a virtual cable.
    """

    address: str
    interface: str
    prefix: tuple[str, ...] = ()
    why: str = ""


@contextlib.contextmanager
def ethernet(options: Options) -> Iterator[Ethernet]:
    """The cable of this environment; a virtual one vanishes with the block."""
    if not options.simulated:
        missing = (
            ""
            if options.rig_address and options.interface
            else "the environment file names no rig_address and interface"
        )
        yield Ethernet(options.rig_address, options.interface, why=missing)
    elif os.geteuid() != 0:
        yield Ethernet(
            LOOPBACK,
            "",
            why="a virtual cable needs root (network namespaces); "
            "without it broker and camera meet on loopback, uncaptured",
        )
    else:
        name = f"{PREFIX}{os.getpid()}"
        try:
            for old in left_over(_ip("netns", "list")):
                _remove(old)
            network = free_network(_ip("-4", "route", "show", "table", "all"))
            _lay(name, network)
        except (OSError, LookupError, subprocess.CalledProcessError) as error:
            _remove(name)
            yield Ethernet(LOOPBACK, "", why=f"this machine makes no network namespace: {error}")
            return
        try:
            yield Ethernet(f"{network}.1", _here(name), ("ip", "netns", "exec", name))
        finally:
            _remove(name)


def own_address(interface: str) -> bytes:
    """The MAC of this machine's end: what comes from another one comes from the camera."""
    # This is one line of the kernel's.
    with open(f"/sys/class/net/{interface}/address", encoding="ascii") as file:  # noqa: PTH123
        return bytes.fromhex(file.read().strip().replace(":", ""))


def free_network(routes: str) -> str:
    """The first documentation network that this machine's routes do not mention.

    Raises LookupError.
    """
    for network in NETWORKS:
        if f"{network}." not in routes:
            return network
    raise LookupError(f"every one of {', '.join(NETWORKS)} is in use here")


def left_over(namespaces: str, processes: Path = Path("/proc")) -> list[str]:
    """Cables of runs that were killed: nobody took them away, and each holds one of three networks.

    `namespaces`: as `ip netns list` prints them.
    """
    names = [line.split()[0] for line in namespaces.splitlines() if line.startswith(PREFIX)]
    return [name for name in names if not (processes / name.removeprefix(PREFIX)).exists()]


def _ip(*words: str) -> str:
    return subprocess.run(
        ["ip", *words], check=True, capture_output=True, text=True, timeout=20
    ).stdout


def _here(name: str) -> str:
    return f"{name}h"[-15:]


def _lay(name: str, network: str) -> None:
    there = f"{name}c"[-15:]
    for words in (
        f"netns add {name}",
        f"link add {_here(name)} type veth peer name {there} netns {name}",
        f"addr add {network}.1/30 dev {_here(name)}",
        f"link set {_here(name)} up",
        f"-n {name} addr add {network}.2/30 dev {there}",
        f"-n {name} link set {there} up",
        f"-n {name} link set lo up",
        # A route to everywhere, so that a packet to anywhere shows on the cable instead of failing
        # unseen.
        f"-n {name} route add default via {network}.1",
    ):
        _ip(*words.split())


def _remove(name: str) -> None:
    with contextlib.suppress(OSError):
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=20)
        subprocess.run(
            ["ip", "link", "del", _here(name)], check=False, capture_output=True, timeout=20
        )
