"""A point in time together with how far the clock that told it is trusted (time arrives inside the
values).
"""

from datetime import UTC, datetime
from enum import StrEnum

from agent.core.text.rfc3339 import rfc3339
from agent.values import dataclass


def to_millisecond(moment: datetime) -> datetime:
    """Cut off after the milliseconds, as times are written down (RFC 3339, three digits)."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class ClockTrust(StrEnum):
    """How far the clock is to be believed; rides as the tag `clock`.

    `trusted`: the operating system vouches for it, and it lies between the floor and the newest
    timestamp's expiry (docs/ref/time.md). `os`: the operating system's clock, past the build time,
    not checked against signed bundle time. `untrusted`: none of these; sightings are counted and
    dropped.
    """

    TRUSTED = "trusted"
    OS = "os"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class Instant:
    """`utc`: timezone-aware, UTC.

    `trust`: see ClockTrust. `at_least`: a time that has surely been reached, where the clock knows
    one.
    """

    utc: datetime
    trust: ClockTrust = ClockTrust.OS
    at_least: datetime | None = None

    def __post_init__(self) -> None:
        if self.utc.tzinfo is not UTC:
            msg = "an Instant carries a UTC time"
            raise ValueError(msg)

    def sure(self) -> datetime | None:
        """The time by which things may be deleted: a clock that jumped forward is not believed.

        None where nothing is sure.
        """
        if self.at_least is None and self.trust is not ClockTrust.UNTRUSTED:
            return self.utc
        return self.at_least

    def reached(self, deadline: datetime) -> bool:
        """Has the deadline surely passed?"""
        sure = self.sure()
        return sure is not None and sure >= deadline

    def iso(self) -> str:
        """RFC 3339 with milliseconds and Z."""
        return rfc3339(self.utc)
