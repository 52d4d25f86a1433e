"""What the camera says when the disk is full, a certificate has expired, the cable is out or the
clock is wrong: the fault by its name, and the next step.
"""

import shlex
import subprocess

import pytest

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(300)]

SETTLE_S = 120.0
ONE_TRACEBACK = "Traceback"
FULL = "head -c 1000000 /dev/zero >state/filler 2>/dev/null; "


def watch_words(world):
    return world.device.platewarden(
        "watch", "--config", world.settings, "--allow-unsigned", "--source", world.street
    )


def said(world, line, within_s=60.0):
    """(exit code, all that a line of shell on the camera printed)."""
    code, told = world.device.shell(f"{line} 2>&1", within_s=within_s, check=False)
    assert ONE_TRACEBACK not in told
    assert world.plate not in told
    return code, told


def test_a_full_disk_is_called_one(world, strike_out):
    """A file system of 300 kB in the place of state/, filled to the last byte."""
    strike_out(world.plate)
    place = shlex.quote(world.place)
    code, _ = said(
        world,
        f"cd {place} && mkdir -p state && mount -t tmpfs -o size=300k x state && umount state",
    )
    if code:
        pytest.skip("nobody may mount here: run as root")
    code, told = said(
        world,
        f"(cd {place} && mount -t tmpfs -o size=300k x state && {{ {FULL}"
        f"{shlex.join(watch_words(world))}; code=$?; umount -l state; exit $code; }})",
    )
    assert code == 1
    assert "state/watch" in told
    assert "free space on the file system" in told


def test_an_expired_certificate_is_called_one(world, strike_out):
    """And the read waits for a broker whose certificate is valid."""
    strike_out(world.plate)
    with world.expired():
        deliver, watch = world.deliver(), world.watch(SETTLE_S)
        world.until(
            lambda: "certificate has expired" in deliver.output() and world.waiting() == 1,
            "deliver says that the certificate has expired, and the read waits",
        )
        told = deliver.output()
        assert "broker 'city-hall'" in told
        assert ONE_TRACEBACK not in told
    with world.broker(), world.receiver():
        world.until(
            lambda: world.received() == [1] and not watch.alive(),
            "the read at the recipient, once the certificate is valid",
            within_s=SETTLE_S,
        )
        deliver.stop()


@pytest.mark.lg_feature("network")
def test_a_cable_that_is_out_is_said_and_its_return_too(world, cable, strike_out):
    if not cable.interface:
        pytest.skip(cable.why)
    strike_out(world.plate)
    link = ["ip", "link", "set", cable.interface]
    with world.broker(), world.receiver():
        subprocess.run([*link, "down"], check=True, timeout=20)
        try:
            deliver, watch = world.deliver(), world.watch(SETTLE_S)
            world.until(
                lambda: "cannot connect" in deliver.output() and world.waiting() == 1,
                "deliver says that it cannot connect, and the read waits",
            )
            told = deliver.output()
        finally:
            subprocess.run([*link, "up"], check=True, timeout=20)
        assert "check the broker and the network; deliver tries again" in told
        assert cable.address in told
        assert ONE_TRACEBACK not in told
        world.until(
            lambda: world.received() == [1] and not watch.alive(),
            "the read at the recipient, once the cable is back",
            within_s=SETTLE_S,
        )
        deliver.stop()


@pytest.mark.parametrize("date", ["2019-01-01 00:00:00", "2039-01-01 00:00:00"])
def test_a_wrong_clock_is_named_wherever_a_date_is_the_fault(world, date, strike_out):
    """In the past the hot list was to blame, in the future the city: of a flat battery.

    In the past the list's rows alone are left out: nothing is sealed, and nothing is refused.
    """
    strike_out(world.plate)
    if world.device.run("sh", "-c", "command -v faketime", check=False)[0]:
        pytest.skip("the camera has no faketime: apt install faketime")
    code, told = said(world, shlex.join(["faketime", date, *watch_words(world)]))
    assert code in {2, 3} or (code == 0 and " 0 sealed" in told)
    assert "this machine's date" in told
