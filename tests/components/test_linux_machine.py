"""Who vouches for the clock on Linux: the kernel, timesyncd's marker where the kernel may not be
asked, a battery-backed clock that agrees.
"""

import ctypes
import errno
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from agent.core.time.trusted_time import NAMELESS, Known, format_known, parse_known
from agent.host import clock
from agent.host.clock import LinuxMachine


class Kernel:
    """Answers adjtimex: a status word, or an error."""

    def __init__(self, status=0, error=0):
        self.status, self.error, self.asked = status, error, 0

    def adjtimex(self, pointer):
        self.asked += 1
        pointer._obj.status = self.status
        ctypes.set_errno(self.error)
        return -1 if self.error else 0


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """No marker, no battery-backed clock; `kernel` is put in by the test."""
    monkeypatch.setattr(clock, "_TIMESYNCD", tmp_path / "synchronized")
    monkeypatch.setattr(clock, "_RTCS", tmp_path / "rtc")

    def made(kernel):
        monkeypatch.setattr(clock.ctypes, "CDLL", lambda *_arguments, **_more: kernel)
        return LinuxMachine()

    made.marker, made.rtcs = tmp_path / "synchronized", tmp_path / "rtc"
    return made


def rtc(folder, epoch_s, name="rtc0"):
    (folder / name).mkdir(parents=True)
    (folder / name / "since_epoch").write_text(f"{epoch_s}\n")


def test_the_kernel_says_so(machine):
    assert machine(Kernel(0x2001)).look().synchronised
    assert not machine(Kernel(0x0040)).look().synchronised


def test_timesyncds_marker_counts_only_where_the_kernel_may_not_be_asked(machine):
    assert not machine(Kernel(error=errno.EPERM)).look().synchronised
    machine.marker.touch()
    assert machine(Kernel(error=errno.EPERM)).look().synchronised
    assert not machine(Kernel(0x0040)).look().synchronised
    assert not machine(Kernel(error=errno.EFAULT)).look().synchronised


def test_the_marker_vouches_until_it_is_old(machine):
    """timesyncd never removes it: a time server that is gone must not vouch for ever."""
    asked = machine(Kernel(error=errno.EPERM))
    machine.marker.touch()
    for age_s, counts in ((0, True), (4000, True), (4200, False), (-30, False)):
        os.utime(machine.marker, (time.time() - age_s,) * 2)
        asked._asked = None
        assert asked.look().synchronised is counts, age_s


def test_the_marker_does_not_vouch_for_a_step_after_it(machine, monkeypatch):
    asked, ahead = machine(Kernel(error=errno.EPERM)), timedelta(0)
    monkeypatch.setattr(clock, "_now", lambda: datetime.now(UTC) + ahead)
    machine.marker.touch()
    assert asked.look().synchronised
    ahead = timedelta(seconds=300)
    assert not asked.look().synchronised, "set by hand, and timesyncd has not answered since"
    os.utime(machine.marker, (time.time() + 300,) * 2)
    asked._asked = None
    assert asked.look().synchronised, "timesyncd has answered since"


def test_a_unit_may_tell_the_boot_that_its_sandbox_hides(machine, monkeypatch):
    # Asked by whoever looks at the same file from outside: `status`, `doctor`.
    seen = machine(Kernel()).look().boot
    monkeypatch.setattr(clock, "_BOOT_ID", machine.marker.parent / "hidden")
    monkeypatch.setenv("PLATEWARDEN_BOOT", seen.replace("-", ""))  # as systemd writes %b
    assert machine(Kernel()).look().boot == seen
    monkeypatch.setenv("PLATEWARDEN_BOOT", "%b, not expanded")
    assert machine(Kernel()).look().boot.startswith(NAMELESS)


@pytest.mark.parametrize(
    ("off_s", "counts"),
    [(0, True), (-119, True), (119, True), (-130, False), (130, False), (-1_700_000_000, False)],
)
def test_a_battery_backed_clock_must_agree(machine, off_s, counts):
    rtc(machine.rtcs, round(time.time()) + off_s)
    assert machine(Kernel(0x0040)).look().rtc == counts


def test_one_of_several_is_enough_and_odd_ones_do_no_harm(machine):
    (machine.rtcs / "rtc0").mkdir(parents=True)
    rtc(machine.rtcs, "not a number", "rtc1")
    rtc(machine.rtcs, round(time.time()), "rtc2")
    assert machine(Kernel(0x0040)).look().rtc


def test_the_kernel_is_asked_once_a_second_and_at_once_after_a_step(machine, monkeypatch):
    kernel = Kernel()
    asked = machine(kernel)
    for _ in range(50):
        asked.look()
    assert kernel.asked == 1
    later = clock._now().replace(year=2040)
    monkeypatch.setattr(clock, "_now", lambda: later)
    asked.look()
    assert kernel.asked == 2


def test_a_boot_that_is_hidden_gets_a_name_that_no_other_process_gives(
    machine, monkeypatch, tmp_path
):
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "hidden")
    one, two = (machine(Kernel()).look().boot for _ in range(2))
    assert one != two
    assert one.startswith(NAMELESS)
    known = Known(clock.BUILD_TIME, 1.0, one)
    assert parse_known(format_known(known), "clock.json") == known


def test_this_very_machine_answers():
    look = LinuxMachine().look()
    assert isinstance(look.synchronised, bool)
    assert (
        parse_known(format_known(Known(look.wall, look.boot_s, look.boot)), "clock.json").boot
        == look.boot
    )
