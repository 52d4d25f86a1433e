"""What only real hardware has: a clock that survives, and a watchdog that bites."""

import time

import pytest

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(900)]

RTC = "/sys/class/rtc/rtc0/since_epoch"
RTC_OFF_S = 3.0
BITES_WITHIN_S = 120.0
UNIT = "platewarden-watch.service"


def unit(device, name):
    return device.run("systemctl", "show", "--value", "--property", name, UNIT)[1].strip()


@pytest.mark.lg_feature("rtc")
def test_the_clock_agrees_with_the_system(device, figure):
    _, told = device.shell(f"cat {RTC}; date +%s")
    rtc, system = map(int, told.split())
    figure("real-time clock off by", abs(rtc - system), "s")
    assert abs(rtc - system) <= RTC_OFF_S, (
        "is the battery in, and has `hwclock --systohc` ever run?"
    )


@pytest.mark.lg_feature("watchdog")
def test_a_hung_watch_is_killed_and_restarted(device, figure):
    """SIGSTOP is a hang: the process lives and makes no progress. systemd's WatchdogSec must
    notice, from the missing frames and nothing else.
    """
    if unit(device, "ActiveState") != "active":
        pytest.skip(
            f"{UNIT} is {unit(device, 'ActiveState')} on this camera: enrol and start it first"
        )
    before, restarts = unit(device, "MainPID"), int(unit(device, "NRestarts"))
    device.run("kill", "-STOP", before)
    begun_s = time.monotonic()
    while int(unit(device, "NRestarts")) == restarts or unit(device, "ActiveState") != "active":
        assert time.monotonic() - begun_s < BITES_WITHIN_S, (
            f"a stopped watch is not restarted within {BITES_WITHIN_S:g} s"
        )
        time.sleep(1)
    figure("hung watch back after", round(time.monotonic() - begun_s, 1), "s")
    figure("restarts of watch", int(unit(device, "NRestarts")), "restarts")
    assert unit(device, "MainPID") != before


@pytest.mark.lg_feature(["watchdog", "power"])
def test_a_dead_kernel_is_reset_by_the_hardware_watchdog(device, strategy_or_none, request):
    """A crashed kernel feeds nothing: the board must reset itself, without the power port, and be
    at a shell again.
    """
    _, before = device.shell("cat /proc/sys/kernel/random/boot_id")
    code, told = device.shell("cat /sys/class/watchdog/watchdog0/state", check=False)
    if code or told.strip() != "active":
        pytest.skip(
            "nobody feeds the hardware watchdog: "
            "set RuntimeWatchdogSec=15 in /etc/systemd/system.conf (docs/guide/installer.md)"
        )
    device.shell(
        "echo 0 >/proc/sys/kernel/panic; (sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &"
    )
    strategy_or_none.await_reset()
    device.reconnect(request.getfixturevalue("target"))
    _, after = device.shell("cat /proc/sys/kernel/random/boot_id")
    assert after != before
