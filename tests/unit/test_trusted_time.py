"""Trusted time: between a floor and a signed expiry, vouched for by the operating system; nothing
is deleted by a clock that only says so.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.time.instant import ClockTrust, Instant
from agent.core.time.trusted_time import (
    NAMELESS,
    Known,
    Look,
    SignedTime,
    format_known,
    judge,
    parse_known,
)
from agent.errors import EnvelopeRefusedError
from agent.host.clock import BUILD_TIME, FILE_NAME, SAVE_EVERY_S, TrustedClock
from tests.fakes.machine import START, FakeMachine

pytestmark = pytest.mark.usefixtures("quick_disk")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRUSTED, OS, UNTRUSTED = ClockTrust.TRUSTED, ClockTrust.OS, ClockTrust.UNTRUSTED


class Camera:
    """One process on one machine, with a timestamp that was signed an hour ago and expires in three
    days.
    """

    def __init__(self, folder, machine=None, signed=True):
        self.folder, self.machine = folder, machine or FakeMachine()
        self.signed = (START - HOUR, START + 3 * DAY) if signed else None
        self.start()

    def start(self):
        self.clock = TrustedClock(self.folder, self.machine)
        if self.signed:
            self.clock.signed_time(*self.signed)
        return self.clock.now().trust

    def trust(self):
        return self.clock.now().trust


@pytest.fixture
def camera(tmp_path):
    return Camera(tmp_path)


class TestTrusted:
    def test_synchronised_and_between_issue_and_expiry(self, camera):
        assert camera.trust() is TRUSTED
        assert camera.clock.explain().startswith(
            "trusted: the operating system has synchronised its clock, between "
        )

    def test_a_battery_backed_clock_vouches_too_and_nobody_does_not(self, tmp_path):
        assert (
            Camera(tmp_path / "rtc", FakeMachine(synchronised=False, rtc=True)).trust() is TRUSTED
        )
        camera = Camera(tmp_path / "none", FakeMachine(synchronised=False))
        assert camera.trust() is UNTRUSTED
        assert "has not synchronised" in camera.clock.explain()

    def test_synchronisation_is_lost_and_the_clock_runs_on(self, camera):
        """The kernel gives up nine hours after the last answer of a time server; the quartz does
        not.
        """
        camera.machine.advance(HOUR.total_seconds())
        assert camera.trust() is TRUSTED
        camera.machine.synchronised, camera.machine.drift = False, 0.0001
        camera.machine.advance(2 * DAY.total_seconds())
        assert camera.trust() is TRUSTED
        assert "run on since without a step" in camera.clock.explain()

    def test_the_same_after_a_restart_of_the_process_but_not_of_the_machine(self, camera):
        camera.machine.synchronised = False
        assert camera.start() is TRUSTED
        camera.machine.reboot()
        assert camera.start() is UNTRUSTED

    def test_without_signed_time_it_is_never_more_than_the_operating_systems(self, tmp_path):
        camera = Camera(tmp_path, signed=False)
        assert camera.trust() is OS
        assert "no signed time" in camera.clock.explain()


class TestSetBack:
    @pytest.mark.parametrize("minutes", [-2, -60, -60 * 24 * 400])
    def test_behind_what_was_sure(self, camera, minutes):
        camera.machine.jump(minutes=minutes)
        # Even NTP is not believed: that is the replay of an old policy.
        camera.machine.synchronised = True
        assert camera.trust() is UNTRUSTED
        assert "before" in camera.clock.explain()

    def test_behind_the_newest_issue_time(self, tmp_path):
        camera = Camera(tmp_path, FakeMachine(START - 2 * HOUR))
        assert camera.trust() is UNTRUSTED
        assert "when the newest timestamp was signed" in camera.clock.explain()

    def test_before_the_build(self, tmp_path):
        camera = Camera(tmp_path, FakeMachine(datetime(1970, 1, 1, tzinfo=UTC)), signed=False)
        assert camera.trust() is UNTRUSTED
        assert "when this software was built" in camera.clock.explain()

    def test_after_a_reboot_what_was_saved_holds(self, camera):
        camera.machine.reboot(wall=START - 5 * timedelta(minutes=1))
        camera.machine.synchronised = True
        assert camera.start() is UNTRUSTED

    def test_a_correction_within_a_minute_is_no_attack(self, camera):
        camera.machine.jump(seconds=-30)
        camera.machine.synchronised = True
        assert camera.trust() is TRUSTED

    def test_a_quartz_that_ran_fast_for_a_month_is_corrected_and_trusted(self, camera):
        camera.signed = (START - HOUR, START + 60 * DAY)
        camera.start()
        camera.machine.synchronised, camera.machine.drift = False, 0.0001
        camera.machine.advance(30 * DAY.total_seconds())
        camera.machine.synchronise()
        assert camera.trust() is TRUSTED


class TestSetForward:
    def test_beyond_the_newest_timestamp(self, camera):
        camera.machine.jump(days=3)
        camera.machine.synchronised = True
        assert camera.trust() is UNTRUSTED
        assert "expired at 2027-01-18 12:00:00 UTC" in camera.clock.explain()

    def test_a_step_that_nobody_vouches_for(self, camera):
        camera.machine.jump(hours=5)
        assert camera.trust() is UNTRUSTED
        assert "jumped by 18000 s" in camera.clock.explain()
        camera.machine.jump(hours=-5)  # put right again
        assert camera.trust() is TRUSTED

    def test_many_small_steps_are_one_large_one(self, camera):
        for _ in range(5):
            camera.machine.advance(10)
            camera.machine.jump(seconds=40)
            camera.trust()
        assert camera.trust() is UNTRUSTED

    def test_it_leaves_no_trace_in_the_floor(self, camera):
        camera.machine.jump(hours=5)
        camera.trust()
        camera.clock.save()
        camera.machine.synchronise()
        assert camera.start() is TRUSTED

    def test_nothing_is_sure_by_it(self, camera):
        deadline = START + 2 * DAY
        camera.machine.jump(days=400)
        now = camera.clock.now()
        assert now.utc > deadline
        assert not now.reached(deadline)

    def test_until_powered_on_time_has_reached_it(self, camera):
        deadline = START + 21 * DAY
        camera.machine.jump(days=400)
        for _ in range(20):
            camera.machine.advance(DAY.total_seconds())
            assert not camera.clock.now().reached(deadline)
        camera.machine.advance(1.02 * DAY.total_seconds())
        assert camera.clock.now().trust is UNTRUSTED
        assert camera.clock.now().reached(deadline)

    def test_powered_on_time_counts_over_reboots(self, camera):
        camera.machine.jump(days=400)
        for _ in range(22):
            camera.start()
            camera.machine.advance(DAY.total_seconds())
            camera.trust()
            camera.machine.reboot(off_s=3600)
        camera.start()
        assert camera.clock.now().reached(START + 21 * DAY)


class TestStopped:
    def test_a_clock_that_stands_falls_behind_the_floor(self, camera):
        camera.machine.synchronised, camera.machine.stopped = False, True
        camera.machine.advance(30)
        assert camera.trust() is TRUSTED  # within the slack
        camera.machine.advance(600)
        assert camera.trust() is UNTRUSTED


class TestSigned:
    def test_no_bundle_for_three_days_closes_the_camera(self, camera):
        camera.machine.advance(3 * DAY.total_seconds() - 1)
        assert camera.trust() is TRUSTED
        camera.machine.advance(1)
        assert camera.trust() is UNTRUSTED

    def test_a_newer_one_opens_it_and_an_older_one_changes_nothing(self, camera):
        camera.machine.advance(4 * DAY.total_seconds())
        camera.clock.signed_time(START + 3 * DAY, START + 6 * DAY)
        assert camera.trust() is TRUSTED
        camera.clock.signed_time(START, START + DAY)
        assert camera.trust() is TRUSTED


class TestRemembered:
    def test_written_at_once_then_rarely_then_at_the_end(self, camera):
        path = camera.folder / FILE_NAME
        assert path.stat().st_mode & 0o777 == 0o600
        camera.trust()
        first = path.read_bytes()
        for _ in range(int(SAVE_EVERY_S) - 10):
            camera.machine.advance(1)
            camera.trust()
        assert path.read_bytes() == first
        camera.machine.advance(11)
        camera.trust()
        second = path.read_bytes()
        assert second != first
        camera.machine.advance(5)
        camera.trust()
        camera.clock.save()
        assert path.read_bytes() != second

    @pytest.mark.parametrize("damage", [b"", b"{", b"\x00" * 300, b"{}", b"x" * 5000])
    def test_a_damaged_file_is_told_and_the_signed_time_still_holds(self, camera, damage):
        (camera.folder / FILE_NAME).write_bytes(damage)
        camera.clock = TrustedClock(camera.folder, camera.machine)
        camera.clock.signed_time(*camera.signed)
        assert "cannot be read" in camera.clock.explain()
        camera.machine.jump(days=-1)
        assert camera.trust() is UNTRUSTED

    def test_a_folder_that_cannot_be_written_stops_nothing(self, tmp_path):
        camera = Camera(tmp_path / "not-there")
        assert camera.trust() is TRUSTED
        assert "cannot be saved" in camera.clock.explain()

    def test_somebody_who_only_looks_writes_nothing(self, camera):
        path = camera.folder / FILE_NAME
        before = path.stat().st_ino, path.read_bytes()
        camera.machine.advance(10_000)
        assert (
            "has synchronised" in TrustedClock(camera.folder, camera.machine, keep=False).explain()
        )
        TrustedClock(camera.folder, camera.machine, keep=False).save()
        assert (path.stat().st_ino, path.read_bytes()) == before

    def test_what_is_written_is_what_is_read(self):
        known = Known(START, 12.5, f"{1:032x}", (START + HOUR, 11.25))
        assert parse_known(format_known(known), "clock.json") == known
        with pytest.raises(EnvelopeRefusedError):
            parse_known(format_known(known).replace(b'"v":1', b'"v":2'), "clock.json")

    def test_a_boot_without_a_name_never_runs_the_floor_away(self, camera):
        """A process that starts anew every second, where /proc tells no boot id: powered-on time
        must not be counted again at each start.
        """
        camera.machine.advance(40 * DAY.total_seconds())
        camera.signed = (START + 39 * DAY, START + 45 * DAY)
        for number in range(100):
            camera.machine.boot = f"{NAMELESS}{number:032x}"
            assert camera.start() is TRUSTED
            camera.machine.advance(1)


class TestReceiver:
    """No bundles: never more than `os`, and nothing irrevocable by a time that nobody vouches
    for.
    """

    def test_a_person_who_sets_it_up_vouches_for_the_moment(self, tmp_path):
        machine = FakeMachine(synchronised=False)
        clock = TrustedClock(tmp_path, machine)
        assert not clock.now().reached(START)
        clock.attest()
        machine.advance(3600)
        for one in (clock, TrustedClock(tmp_path, machine)):  # this process, and the next one
            assert one.now().trust is OS
            assert one.now().reached(START + HOUR)
        machine.jump(days=400)
        assert not clock.now().reached(START + DAY)

    def test_ntps_first_correction_does_not_stop_it(self, tmp_path):
        machine = FakeMachine(synchronised=False)
        machine.wall += timedelta(seconds=20)
        clock = TrustedClock(tmp_path, machine)
        clock.attest()
        machine.synchronise()
        assert clock.now().trust is OS

    def test_switched_off_for_a_week_without_a_battery_it_is_late_and_never_early(self, tmp_path):
        machine = FakeMachine(synchronised=False)
        TrustedClock(tmp_path, machine).attest()
        machine.reboot(off_s=7 * 86_400, wall=START + 7 * DAY)  # somebody typed the date
        clock = TrustedClock(tmp_path, machine)
        assert not clock.now().reached(START + DAY)
        machine.synchronise()
        assert clock.now().reached(START + 7 * DAY)


def test_a_change_of_trust_is_told_once(camera):
    assert camera.clock.take_change().trust is TRUSTED
    assert camera.clock.take_change() is None
    camera.machine.jump(days=-9)
    assert camera.clock.take_change().trust is UNTRUSTED
    assert camera.clock.take_change() is None


STEPS = st.one_of(
    st.tuples(st.just("advance"), st.floats(0, 200_000)),
    st.tuples(st.just("jump"), st.floats(-4e7, 4e7)),
    st.tuples(st.just("reboot"), st.floats(0, 200_000)),
    st.tuples(st.just("restart"), st.just(0.0)),
    st.tuples(st.just("synchronise"), st.just(0.0)),
    st.tuples(st.just("bundle"), st.just(0.0)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=30), drift=st.floats(-0.0002, 0.0002))
def test_whatever_happens_trusted_time_is_right_and_what_is_sure_has_passed(
    steps, drift, tmp_path_factory
):
    """With honest time servers: a trusted time is within two minutes of the real one, the floor
    never runs ahead of it, and never back.
    """
    camera = Camera(tmp_path_factory.mktemp("camera"))
    camera.machine.drift = drift
    before = BUILD_TIME
    for what, number in steps:
        machine = camera.machine
        if what == "advance":
            machine.advance(number)
        elif what == "jump":
            machine.jump(seconds=number)
        elif what == "reboot":
            machine.reboot(off_s=number)
            camera.start()
        elif what == "restart":
            camera.start()
        elif what == "synchronise":
            machine.synchronise()
        else:
            camera.signed = (machine.real - HOUR, machine.real + 3 * DAY)
            camera.clock.signed_time(*camera.signed)
        now = camera.clock.now()
        if now.trust is TRUSTED:
            assert abs(now.utc - machine.real) <= timedelta(seconds=120) + 3 * DAY * 0.0002
            assert camera.signed[0] <= now.utc < camera.signed[1]
        assert now.at_least <= machine.real + timedelta(seconds=120) + 3 * DAY * 0.0002
        floor = camera.clock._known.floor
        if what in {"advance", "jump", "synchronise"}:
            assert floor >= before
        before = floor


@settings(max_examples=200, deadline=None)
@given(
    wall=st.integers(-(10**8), 10**8),
    floor=st.integers(-(10**8), 10**8),
    issued=st.integers(-(10**8), 10**8),
    lifetime=st.integers(0, 10**7),
    synchronised=st.booleans(),
    rtc=st.booleans(),
)
def test_the_rule_itself(wall, floor, issued, lifetime, synchronised, rtc):
    """Trusted if and only if vouched for and within [max(saved, build, issued), expiry)."""
    machine = FakeMachine(START + timedelta(seconds=wall), synchronised=synchronised, rtc=rtc)
    known = Known(START + timedelta(seconds=floor), machine.on_s, machine.boot)
    signed = SignedTime(
        START + timedelta(seconds=issued), START + timedelta(seconds=issued + lifetime)
    )
    verdict = judge(machine.look(), known, signed, BUILD_TIME)
    expected = (synchronised or rtc) and max(
        known.floor, BUILD_TIME, signed.issued
    ) <= machine.wall < signed.expires
    assert (verdict.trust is TRUSTED) == expected
    assert verdict.trust is not OS


NAMED, OTHER = "a" * 32, "b" * 32
NOBODYS, ANOTHERS = "?" + "c" * 32, "?" + "d" * 32  # the mark that docs/ref/time.md gives


class TestJudged:
    """The rule of one look, without a file or a process around it."""

    LOOK = Look(START, 160.0, NAMED, synchronised=False, rtc=False)
    KNOWN = Known(START - HOUR, 60.0, NAMED, (START - timedelta(seconds=100), 60.0))
    SIGNED = SignedTime(START - DAY, START + DAY)

    @staticmethod
    def judged(look, known, signed=SIGNED):
        return judge(look, known, signed, START - 9 * DAY)

    @pytest.mark.parametrize(
        ("boot", "boot_s", "known_boot", "surely_s"),
        [
            (NAMED, 160.0, NAMED, 100.0),
            (NAMED, 40.0, NAMED, 0.0),
            (OTHER, 160.0, NAMED, 160.0),  # all of another boot lies behind what was known
            (OTHER, 60.0, NAMED, 60.0),
            # one side is nameless: perhaps the same boot, unless its time runs backwards
            (NOBODYS, 160.0, NAMED, 0.0),
            (NAMED, 160.0, NOBODYS, 0.0),
            (NOBODYS, 160.0, ANOTHERS, 0.0),
            (NOBODYS, 60.0, NAMED, 0.0),
            (NOBODYS, 59.0, NAMED, 59.0),
            (NAMED, 59.0, NOBODYS, 59.0),
            (NOBODYS, 160.0, NOBODYS, 100.0),
        ],
    )
    def test_the_floor_rises_by_the_time_that_surely_ran(self, boot, boot_s, known_boot, surely_s):
        look = replace(self.LOOK, wall=START - DAY, boot=boot, boot_s=boot_s)
        found = self.judged(look, replace(self.KNOWN, boot=known_boot), None)
        rise = (found.at_least - self.KNOWN.floor).total_seconds()
        assert rise == pytest.approx(surely_s * 0.9995, abs=0.001)
        assert found.known.floor == found.at_least

    def test_a_floor_beyond_all_dates_stays_where_it_was(self):
        look = replace(self.LOOK, boot=OTHER, boot_s=1e12)
        assert self.judged(look, self.KNOWN).known.floor == self.KNOWN.floor

    def test_the_floor_is_what_is_written_down(self):
        look = replace(self.LOOK, boot_s=160.1234567, wall=START - 2 * HOUR)
        known = self.judged(look, self.KNOWN).known
        assert parse_known(format_known(known), "clock.json").floor == known.floor

    def test_it_stays_a_minute_behind_a_vouched_time(self):
        found = self.judged(replace(self.LOOK, synchronised=True), self.KNOWN)
        assert found.known.floor == START - timedelta(seconds=60)
        assert found.known.reference == (START, 160.0)

    def test_a_battery_vouches_for_the_time_after_it_too(self):
        known = self.judged(replace(self.LOOK, rtc=True), None).known
        later = replace(self.LOOK, wall=START + HOUR, boot_s=160.0 + 3600)
        assert self.judged(later, known).trust is TRUSTED

    @pytest.mark.parametrize(
        ("change", "trust"),
        [
            ({}, TRUSTED),
            ({"boot": OTHER}, UNTRUSTED),
            # a boot whose time runs backwards is another one, also where the clock ran back with it
            ({"boot_s": 59.0, "wall": START - timedelta(seconds=101)}, UNTRUSTED),
            ({"wall": START + timedelta(seconds=60.049)}, TRUSTED),  # 60 s, and 500 ppm of 100 s
            ({"wall": START + timedelta(seconds=60.051)}, UNTRUSTED),
            ({"wall": START - timedelta(seconds=60.049)}, TRUSTED),
            ({"wall": START - timedelta(seconds=60.051)}, UNTRUSTED),
        ],
    )
    def test_who_vouched_in_this_boot_still_does_without_a_step(self, change, trust):
        assert self.judged(replace(self.LOOK, **change), self.KNOWN).trust is trust

    def test_a_minute_exactly_is_no_step_yet(self):
        known = replace(self.KNOWN, reference=(START - timedelta(seconds=60), 160.0))
        assert self.judged(self.LOOK, known).trust is TRUSTED

    def test_a_long_run_before_the_reference_allows_no_longer_step(self):
        known = replace(self.KNOWN, boot_s=1e7, reference=(START, 1e7))
        look = replace(self.LOOK, wall=START + timedelta(seconds=90), boot_s=1e7)
        assert self.judged(look, known).trust is UNTRUSTED

    def test_without_signed_time_it_is_taken_as_it_is_and_proves_nothing(self):
        found = self.judged(self.LOOK, None, None)
        assert (found.trust, found.at_least) == (OS, START - 9 * DAY)
        assert found.why.startswith("taken as it is, but nothing is deleted by it: ")
        assert self.judged(self.LOOK, None).why.startswith("not trusted: the operating system ")

    def test_no_time_before_a_boot_is_read_from_the_file(self):
        known = Known(START, 0.0, NAMED, (START, 0.0))
        written = format_known(known)
        assert parse_known(written, "clock.json") == known
        for old, new in (
            (b'"boot_ms":0,"floor', b'"boot_ms":-1,"floor'),
            (b'"boot_ms":0,"utc', b'"boot_ms":-1,"utc'),
        ):
            assert old in written
            with pytest.raises(EnvelopeRefusedError):
                parse_known(written.replace(old, new), "clock.json")


class TestInstant:
    def test_what_is_sure(self):
        assert Instant(START).reached(START)
        assert not Instant(START, UNTRUSTED).reached(START)
        assert Instant(START, UNTRUSTED, START).reached(START)
        assert not Instant(START, OS, START - HOUR).reached(START)
