"""A clock that moves only when a test moves it, or when somebody sleeps on it."""

from datetime import UTC, datetime, timedelta

from agent.core.time.instant import ClockTrust, Instant

START = datetime(2027, 1, 15, 12, tzinfo=UTC)


class FakeClock:
    """Implements ports.Clock. `sleep` advances both times and returns at once."""

    def __init__(self, utc: datetime = START, trust: ClockTrust = ClockTrust.OS) -> None:
        self.utc, self.trust, self.elapsed_s = utc, trust, 1000.0
        self.slept: list[float] = []

    def now(self) -> Instant:
        """The time that the test set."""
        return Instant(self.utc, self.trust)

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start."""
        return self.elapsed_s

    def sleep(self, seconds: float) -> None:
        """Record and advance."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.utc += timedelta(seconds=seconds)
        self.elapsed_s += seconds
