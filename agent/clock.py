"""The real clock. Time before the build of this software cannot be right: it is reported as untrusted and closes the camera."""

import time
from datetime import UTC, datetime

from agent.core.instant import ClockTrust, Instant

BUILD_TIME = datetime(2026, 11, 22, tzinfo=UTC)


class SystemClock:
    """Implements ports.Clock over the operating system. Signed time (trust `trusted`) comes with the bundles."""

    def now(self) -> Instant:
        """UTC now, truncated to milliseconds, so that what is stored equals what is compared."""
        utc = datetime.now(UTC)
        utc = utc.replace(microsecond=utc.microsecond // 1000 * 1000)
        return Instant(utc, ClockTrust.OS if utc >= BUILD_TIME else ClockTrust.UNTRUSTED)

    def monotonic_s(self) -> float:
        """Seconds of CLOCK_BOOTTIME: advances during suspend, is never set."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def sleep(self, seconds: float) -> None:
        """Sleep for real."""
        time.sleep(seconds)
