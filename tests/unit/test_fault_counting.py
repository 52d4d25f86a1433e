"""How the rounds count what became of each read, and which packets they call unlisted."""

import socket
import struct

import pytest

from tests.faults.rounds.capture import Capture
from tests.faults.rounds.counting import Counted, Told, count
from tests.support.camera_rig import PLATE

BROKER, OWN, STRANGER = "203.0.113.1", "203.0.113.2", "198.51.100.9"


def told() -> Told:
    """Three reads: received, expired, withdrawn."""
    return Told(
        released={"a": ("pd", 1, "1"), "b": ("pd", 2, "2"), "c": ("pd", 3, "3")},
        final={"a": ["receipt"], "b": ["expired"], "c": ["withdrawal"]},
        outcomes={"a": "stored"},
        delivered={"a": "stored"},
        stored={"pd": {"a": "1"}},
        rejected={"pd": {}},
    )


def test_what_is_well() -> None:
    assert count(told()) == Counted(3, 1, 1, 1, 0, 0, 0, ())


def forget_the_store(logs: Told) -> None:
    logs.stored["pd"].clear()


def store_other_bytes(logs: Told) -> None:
    logs.stored["pd"]["a"] = "9"


def store_elsewhere(logs: Told) -> None:
    logs.stored = {"sheriff": {"a": "1"}}


def forget_the_receipt(logs: Told) -> None:
    logs.delivered.clear()


def say_lost(logs: Told) -> None:
    logs.final["a"] = ["lost"]


def rejected_and_not_there(logs: Told) -> None:
    logs.outcomes["a"] = "rejected:deadline-passed"


@pytest.mark.parametrize(
    "spoil",
    [
        forget_the_store,
        store_other_bytes,
        store_elsewhere,
        forget_the_receipt,
        say_lost,
        rejected_and_not_there,
    ],
)
def test_what_is_lost(spoil) -> None:
    logs = told()
    spoil(logs)
    counted = count(logs)
    assert (counted.lost, counted.duplicates) == (1, 0)
    assert any(fault.startswith("lost: read a") for fault in counted.faults)


def release_again(logs: Told) -> None:
    logs.released_again.append("a")


def use_a_number_again(logs: Told) -> None:
    logs.released["b"] = ("pd", 1, "2")


def leave_twice(logs: Told) -> None:
    logs.final["a"].append("expired")


def store_a_number_twice(logs: Told) -> None:
    logs.numbers_twice.append("pd: number 1")


@pytest.mark.parametrize(
    "spoil", [release_again, use_a_number_again, leave_twice, store_a_number_twice]
)
def test_what_came_twice(spoil) -> None:
    logs = told()
    spoil(logs)
    counted = count(logs)
    assert (counted.lost, counted.duplicates) == (0, 1)
    assert any(fault.startswith("duplicate: ") for fault in counted.faults)


def test_a_read_that_waits_a_gap_and_a_stranger_in_the_store() -> None:
    logs = told()
    del logs.final["b"]
    logs.released["c"] = ("pd", 4, "3")
    logs.stored["pd"]["z"] = "7"
    counted = count(logs)
    assert (counted.waiting, counted.lost) == (1, 0)
    assert counted.faults == (
        "the numbers of pd have a gap",
        "read z is stored and was never released",
    )


def packet(destination: str, payload: bytes = b"", source: str = OWN) -> bytes:
    if ":" in destination:
        addresses = socket.inet_pton(socket.AF_INET6, "::1") + socket.inet_pton(
            socket.AF_INET6, destination
        )
        return struct.pack("!IHBB", 6 << 28, len(payload), 17, 64) + addresses + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 17, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(destination) + payload


@pytest.mark.parametrize(
    ("seen", "unlisted", "plaintext"),
    [
        (packet(BROKER, b"sealed"), 0, 0),
        (packet(OWN, source=STRANGER), 0, 0),
        (packet(STRANGER), 1, 0),
        (packet("2001:db8:9::9"), 1, 0),
        (b"\x00\x01 no IP at all", 1, 0),
        (b"", 1, 0),
        (packet(BROKER, f'{{"plate": "{PLATE}"}}'.encode()), 0, 1),
    ],
    ids=["broker", "own", "stranger", "IPv6", "ARP", "empty", "plate"],
)
def test_a_packet_to_whom_and_with_what(seen, unlisted, plaintext) -> None:
    capture = Capture({"camera": {BROKER, OWN}})
    capture.look("camera", seen)
    assert (sum(capture.unlisted.values()), capture.plaintext) == (unlisted, plaintext)
    assert capture.packets["camera"] == 1
