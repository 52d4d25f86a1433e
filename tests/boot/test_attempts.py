"""Every way out, tried inside the booted unit of deliver under a capture on every interface of the
machine: nothing reaches an address that the policy does not name (P4).
"""

import contextlib
import json
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.boot.city import BROKER_PORT
from tests.boot.conftest import UNITS
from tests.boot.machine import BRIDGE, LISTED, LISTED6, OWN, OWN6, run
from tests.boot.sandbox import in_sandbox
from tests.boot.wall_checks import need_filters, without_nftables, without_systemds_filter
from tests.faults.rounds.capture import Capture
from tests.faults.rounds.network import packet_socket
from tests.faults.walls.attempts import STRANGER, STRANGER6, attempts
from tests.faults.walls.exercise import wrong

DELIVER = UNITS[1]
HERE, TRIED = Path(__file__).parent, attempts(LISTED, BROKER_PORT)
LOCAL = {"127.0.0.1", "::1", OWN, OWN6}


@dataclass(frozen=True)
class Tried:
    """`answers`: by attempt. `strays`: packets to addresses that the policy does not name, but for
    the link's own (ARP, IPv6's neighbours).
    """

    answers: dict[str, str]
    strays: Counter


@pytest.fixture(scope="module")
def roads(machine, city):
    """A way to every address, so that only walls keep a packet in."""
    there = machine.root / "opt/boot"
    for script in (HERE / "unit_attempts.py", HERE.parent / "faults/walls/attempts.py"):
        shutil.copy(script, there / script.name)
    mac = json.loads(run("ip", "-json", "link", "show", BRIDGE).stdout)[0]["address"]
    for version, stranger in (("-4", STRANGER), ("-6", STRANGER6)):
        machine.inside("ip", version, "route", "add", "default", "dev", "host0")
        machine.inside("ip", "neigh", "add", stranger, "lladdr", mac, "dev", "host0")
    yield machine
    for version in ("-4", "-6"):
        machine.inside("ip", version, "route", "del", "default", "dev", "host0")


def tried(machine) -> Tried:
    capture = Capture({"camera": {LISTED, LISTED6, *LOCAL}})
    sniffer = packet_socket(machine.leader)
    command = f"/usr/bin/python3 -IB /opt/boot/unit_attempts.py {LISTED} {BROKER_PORT}"
    answers = in_sandbox(machine, DELIVER, command)
    time.sleep(0.5)
    capture.listen("camera", sniffer)
    capture.take("camera", sniffer)
    assert capture.missed() == 0
    assert capture.packets["camera"] > 0
    sniffer.close()
    strays = Counter(
        {
            address: times
            for (_, address), times in capture.unlisted.items()
            if not address.startswith(("ff02:", "no IP"))
        }
    )
    return Tried(answers, strays)


def test_no_attempt_gets_a_packet_out(roads) -> None:
    need_filters(roads)
    told = tried(roads)
    assert len(told.answers) == len(TRIED) >= 30
    assert told.strays == {}
    assert wrong(told.answers, TRIED) == []


@pytest.mark.parametrize("away", [without_nftables, without_systemds_filter])
def test_what_the_kernel_has_twice_holds_when_one_of_the_two_is_away(roads, away) -> None:
    need_filters(roads)
    with away(roads):
        told = tried(roads)
    assert told.strays == {}
    reached = {name for name, answer in told.answers.items() if answer == "ok"}
    # systemd's filter knows addresses, and no ports
    ports = {"C: TCP, another port of the broker", "C: UDP to the broker"}
    assert reached == (ports if away is without_nftables else set())


def test_without_both_packets_get_out_and_the_capture_sees_them(roads) -> None:
    need_filters(roads)
    with contextlib.ExitStack() as stack:
        stack.enter_context(without_nftables(roads))
        stack.enter_context(without_systemds_filter(roads))
        told = tried(roads)
    assert {STRANGER, STRANGER6} <= told.strays.keys()
    assert told.answers["C: UDP to a name server"] == "ok"
    assert told.answers["TCP"] == "guard"
