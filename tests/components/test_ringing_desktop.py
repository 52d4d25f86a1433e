"""Ringing at a screen, by the real notify-send over a real session bus: what is shown, and what is
said where nothing can be.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.errors import NetworkError
from agent.receiver.ringing import desktop
from agent.receiver.ringing.desktop import BUS, Desktop, session_bus
from tests.support.desktop_session import Screen, SessionBus
from tests.support.plate_search import encodings
from tests.support.ringing import RingRig, rung, state, table, taken_in
from tests.support.sealed import DEVICE, PLATE

pytestmark = pytest.mark.usefixtures("quick_disk")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def enrolled(tmp_path, ca):
    return RingRig(tmp_path / "receiver", ca.pem).made(table("desktop", name="screen"))


@pytest.fixture
def bus(tmp_path, monkeypatch):
    with SessionBus(tmp_path / "bus") as made:
        monkeypatch.setenv(BUS, made.address)
        yield made


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Neither a variable nor a bus of this user's."""
    monkeypatch.delenv(BUS, raising=False)
    monkeypatch.setattr(desktop, "USER_BUS", f"{tmp_path}/{{user}}/bus")


def test_a_lead_is_shown_until_somebody_takes_it_away_and_a_test_is_not(enrolled, bus):
    screen = Screen(bus)
    taken_in(enrolled, 2)
    assert rung(enrolled.place) == []
    [shown] = screen.shown
    assert shown == {
        "app": "Platewarden",
        "summary": "A lead waits",
        "body": "2 leads wait. Unverified: open it in the inbox.",
        "urgency": "critical",
    }
    assert state(enrolled.place, "screen").waiting == 0
    done = command(enrolled, "--try", bus=bus.address)
    assert (done.returncode, "screen: took a TEST message" in done.stderr) == (0, True)
    assert [one["urgency"] for one in screen.shown] == ["critical", "normal"]


def test_it_tells_cameras_and_categories_where_it_may_and_never_a_plate(tmp_path, ca, bus):
    rig = RingRig(tmp_path / "told", ca.pem)
    enrolled = rig.made(table("desktop", name="screen", tells="category"))
    screen = Screen(bus)
    taken_in(enrolled, 1)
    assert rung(enrolled.place) == []
    [shown] = screen.shown
    assert f"{DEVICE} (stolen-vehicle 1)" in shown["body"]
    said = repr(shown).encode()
    assert not [
        name for name, forms in encodings(PLATE).items() if any(one in said for one in forms)
    ]


def test_without_a_notification_service_nobody_heard_and_status_says_so(enrolled, bus):
    taken_in(enrolled)
    [said] = rung(enrolled.place)
    assert "ringer screen is not shown: does this session have a notification service" in said
    assert (state(enrolled.place, "screen").failures, state(enrolled.place, "screen").waiting) == (
        1,
        1,
    )


def test_a_service_that_hangs_ends(enrolled, bus, monkeypatch):
    monkeypatch.setattr("agent.receiver.ringing.child.RING_S", 1.0)
    Screen(bus, answers=False)
    taken_in(enrolled)
    [said] = rung(enrolled.place)
    assert "did not end in 1 s" in said


def test_without_notify_send_it_says_what_to_install(enrolled, bus, monkeypatch):
    monkeypatch.setattr(desktop, "PROGRAM", "no-such-notify-send")
    with pytest.raises(NetworkError, match="needs no-such-notify-send .Debian: libnotify-bin"):
        Desktop().ring(None)


@pytest.mark.parametrize(
    "address",
    [
        "tcp:host=203.0.113.9,port=1",
        "unixexec:path=/bin/sh",
        "autolaunch:",
        "unix:path=/x;tcp:host=y",
    ],
)
def test_an_address_that_leads_elsewhere_is_none(address):
    assert session_bus({BUS: address}) == ""
    assert session_bus({BUS: "unix:abstract=/tmp/dbus-x,guid=1"}).startswith("unix:abstract=")


def test_the_bus_of_a_user_is_found_without_a_variable(nowhere, tmp_path, bus, monkeypatch):
    monkeypatch.delenv(BUS)
    assert session_bus() == ""
    place = tmp_path / str(os.getuid()) / "bus"
    place.parent.mkdir()
    place.symlink_to(bus.address.removeprefix("unix:path=").split(",")[0])
    assert session_bus() == f"unix:path={place}"


def test_a_run_user_that_is_closed_to_the_service_holds_no_bus(tmp_path):
    """As ProtectHome=yes leaves it: a service with a webhook alone ended, and rang nobody."""
    (tmp_path / "user").mkdir(mode=0)
    asked = (
        "from agent.receiver.ringing import desktop\n"
        f"desktop.USER_BUS = '{tmp_path}/user/{{user}}/bus'\n"
        "print(repr(desktop.session_bus({})))"
    )
    bounded = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")  # root may look anywhere
    done = subprocess.run(
        [*(bounded if os.getuid() == 0 else ()), sys.executable, "-c", asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("''\n", "")


def test_without_a_session_try_fails_and_says_where_to_start_it(enrolled):
    done = command(enrolled, "--try")
    assert done.returncode == 1
    assert "finds no desktop session: start this as who is signed in at the screen" in done.stderr


def test_a_service_leaves_the_screen_to_a_session_and_says_so(tmp_path, ca):
    """Were it to claim what waits, the screen's own process would not get it."""
    lamp = RingRig.program(command=["/bin/true"])
    rig = RingRig(tmp_path / "both", ca.pem)
    enrolled = rig.made(table("desktop", name="screen") + lamp)
    taken_in(enrolled)
    process = started(enrolled)
    try:
        end = time.monotonic() + 30
        while state(enrolled.place, "lamp").waiting and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert "screen: no desktop session here, left to a `receiver ring` in one" in said
    left = state(enrolled.place, "screen")
    assert (state(enrolled.place, "lamp").waiting, left.waiting, left.failures) == (0, 1, 0)


def test_with_nobody_else_to_ring_it_ends_with_an_error(enrolled):
    process = started(enrolled)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "there is no desktop session, and nobody else to ring" in said


def started(enrolled, *more, bus=None):
    """`receiver ring` with or without a session; root and a signed-in tester may have a bus."""
    environment = {name: value for name, value in os.environ.items() if name != BUS}
    environment[BUS] = bus or "none:"
    words = [sys.executable, "-m", "agent", "receiver", "ring", str(enrolled.folder), *more]
    return subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(enrolled, *more, bus=None):
    process = started(enrolled, *more, bus=bus)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess([], process.returncode, out, err)
