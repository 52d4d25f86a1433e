"""The time of an act of the city: now, or what was typed: `--on` for a rehearsal, `--as-of` for a
list.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from agent.core.time.instant import to_millisecond
from agent.errors import UsageError

_DAY = len("2026-11-22")
_SLACK = timedelta(minutes=5)


def moment(on: str, *, rig: bool = False) -> datetime:
    """Now, or what `--on` says, UTC, to the millisecond.

    Raises UsageError.

    A later time than now would end up in signed metadata and stand in the way of every honest one
    after it: cameras never go back. So only a rig's city may.
    """
    now = datetime.now(UTC)
    found = now if not on else time_typed(on, "--on", now.time())
    if found > now + _SLACK and not rig:
        raise UsageError(
            "is in the future",
            where="--on",
            fix="only a city made with `bundle init --rig` may be taken ahead of the time",
        )
    return to_millisecond(found)


def time_typed(text: str, option: str, of_day: time) -> datetime:
    """A date, which means `of_day` (UTC) of it, or an RFC 3339 time.

    Raises UsageError that names the option.
    """
    try:
        found = (
            datetime.combine(date.fromisoformat(text), of_day, UTC)
            if len(text) == _DAY
            else datetime.fromisoformat(text)
        )
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError("no time", where=option, fix="write 2026-11-22 or 2026-11-22T06:00:00Z")
    return found.astimezone(UTC)
