"""A machine with a clock that a test can set back, set forward, stop, let drift, reboot,
synchronise.

What TrustedClock asks of a real one.
"""

from datetime import UTC, datetime, timedelta

from agent.core.time.trusted_time import Look

START = datetime(2027, 1, 15, 12, tzinfo=UTC)


class FakeMachine:
    """Implements clock.Machine.

    `real`: what the time really is; `wall`: what the machine says. `sleep` passes time and returns
    at once.
    """

    def __init__(self, real: datetime = START, *, synchronised=True, rtc=False) -> None:
        self.real, self.wall, self.on_s = real, real, 60.0
        self.boot, self.boots = f"{1:032x}", 1
        self.synchronised, self.rtc, self.stopped, self.drift = synchronised, rtc, False, 0.0

    def look(self) -> Look:
        wall = self.wall.replace(microsecond=self.wall.microsecond // 1000 * 1000)
        return Look(wall, self.on_s, self.boot, self.synchronised, self.rtc)

    def boot_s(self) -> float:
        return self.on_s

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Real time passes while the machine is on.

        A drifting quartz bends both of its clocks; a stopped wall clock stands.
        """
        self.real += timedelta(seconds=seconds)
        self.on_s += seconds * (1 + self.drift)
        if self.synchronised:
            self.wall = self.real
        elif not self.stopped:
            self.wall += timedelta(seconds=seconds * (1 + self.drift))

    def jump(self, **by: float) -> None:
        """The wall clock is set by hand, as `date -s` does: the kernel then no longer calls it
        synchronised.
        """
        self.wall += timedelta(**by)
        self.synchronised = False

    def reboot(self, *, off_s: float = 0.0, wall: datetime | None = None) -> None:
        """Power off for a while.

        `wall`: what the clock says at the start; by default it stood still, as on a Pi without a
        battery.
        """
        self.real += timedelta(seconds=off_s)
        self.boots += 1
        self.boot, self.on_s, self.synchronised = f"{self.boots:032x}", 5.0, False
        if wall is not None:
            self.wall = wall

    def synchronise(self) -> None:
        """NTP has answered."""
        self.wall, self.synchronised = self.real, True
