"""The time of an act of the city: now, or what `--on` says for a rehearsal."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

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
    found = now if not on else _parsed(on, now)
    if found > now + _SLACK and not rig:
        raise UsageError(
            "is in the future",
            where="--on",
            fix="only a city made with `bundle init --rig` may be taken ahead of the time",
        )
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def _parsed(on: str, now: datetime) -> datetime:
    """A day means the present time of that day."""
    try:
        found = (
            datetime.combine(date.fromisoformat(on), time(now.hour, now.minute, now.second), UTC)
            if len(on) == _DAY
            else datetime.fromisoformat(on)
        )
    except ValueError:
        found = now.replace(tzinfo=None)
    if found.tzinfo is None:
        raise UsageError("no time", where="--on", fix="write 2026-11-22 or 2026-11-22T06:00:00Z")
    return found.astimezone(UTC)
