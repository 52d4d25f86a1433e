"""Times as text (RFC 3339), written in one way only: UTC, milliseconds, `Z`."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T10:00:00.000Z`; milliseconds always, so that equal times have equal bytes."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def from_posix_s(at_s: int) -> str:
    """The same of seconds since 1970, for a time that was checked to lie before the year 10000."""
    return rfc3339(datetime.fromtimestamp(at_s, UTC))


def parse_rfc3339(untrusted_text: str) -> datetime:
    """The inverse of rfc3339, strict: exactly that form. Raises ValueError."""
    # it reads other forms, too: what is not written back in the same way is refused
    moment = datetime.fromisoformat(untrusted_text).replace(tzinfo=UTC)
    if rfc3339(moment) != untrusted_text:
        msg = "a time must read YYYY-MM-DDTHH:MM:SS.mmmZ"
        raise ValueError(msg)
    return moment
