"""Clock: the same promises from the fake and from the machine's own."""

from datetime import UTC

import pytest

from agent.core.time.instant import ClockTrust
from agent.host.clock import BUILD_TIME, SystemClock, TrustedClock
from tests.fakes.clock import FakeClock
from tests.fakes.machine import FakeMachine


@pytest.fixture(params=["fake", "real", "trusted", "trusted, simulated"])
def clock(request, tmp_path):
    made = {
        "fake": FakeClock,
        "real": SystemClock,
        "trusted": lambda: TrustedClock(tmp_path),
        "trusted, simulated": lambda: TrustedClock(tmp_path, FakeMachine()),
    }
    return made[request.param]()


def test_now_is_utc_in_whole_milliseconds(clock):
    now = clock.now()
    assert now.utc.tzinfo is UTC
    assert now.utc.microsecond % 1000 == 0


def test_sleeping_advances_both_times(clock):
    before, before_s = clock.now().utc, clock.monotonic_s()
    clock.sleep(0.01)
    assert clock.monotonic_s() - before_s >= 0.009
    assert clock.now().utc >= before


def test_monotonic_never_runs_back(clock):
    times = [clock.monotonic_s() for _ in range(100)]
    assert times == sorted(times)


def test_a_time_before_the_build_is_untrusted(monkeypatch):
    class Early:
        @staticmethod
        def now(_zone):
            return BUILD_TIME.replace(year=1970)

    monkeypatch.setattr("agent.host.clock.datetime", Early)
    assert SystemClock().now().trust is ClockTrust.UNTRUSTED
