"""Expiries as an iCalendar file (RFC 5545): one all-day event each, with reminders before it.

Values in, bytes out.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

MAX_OCTETS = 75  # of a line, without its CRLF
_ESCAPES = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}


@dataclass(frozen=True, slots=True)
class Expiry:
    """`key`: what it is, the same in every file, so that a calendar that is imported again moves
    the event instead of adding one.

    `remind_days`: before it.
    """

    key: str
    day: date
    summary: str
    description: str
    remind_days: tuple[int, ...] = ()


def calendar(city: str, name: str, expiries: Iterable[Expiry], now: datetime) -> bytes:
    """The file.

    `city`: the city's id, part of every event's own id; `now`: when the file was made.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Platewarden//bundle show//EN",
        "CALSCALE:GREGORIAN",
        f"X-WR-CALNAME:{_text(f'{name}: cameras')}",
    ]
    for expiry in expiries:
        lines += _event(city, expiry, now)
    lines.append("END:VCALENDAR")
    return b"".join(line + b"\r\n" for text in lines for line in _folded(text))


def _event(city: str, expiry: Expiry, now: datetime) -> Iterator[str]:
    uid = hashlib.sha256(f"{city}/{expiry.key}".encode()).hexdigest()[:32]
    yield from ("BEGIN:VEVENT", f"UID:{uid}@platewarden.invalid", f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}")
    yield from (
        f"DTSTART;VALUE=DATE:{expiry.day:%Y%m%d}",
        f"DTEND;VALUE=DATE:{expiry.day + timedelta(days=1):%Y%m%d}",
        "TRANSP:TRANSPARENT",
    )
    yield from (f"SUMMARY:{_text(expiry.summary)}", f"DESCRIPTION:{_text(expiry.description)}")
    for days in expiry.remind_days:
        yield from (
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"TRIGGER:-P{days}D",
            f"DESCRIPTION:{_text(f'In {days} days: {expiry.summary}')}",
            "END:VALARM",
        )
    yield "END:VEVENT"


def _text(value: str) -> str:
    return "".join(
        _ESCAPES.get(character, character)
        for character in value
        if character == "\n" or character.isprintable()
    )


def _folded(line: str) -> Iterator[bytes]:
    """Lines of at most 75 octets; the later ones begin with a space. No character is torn apart."""
    part, room = b"", MAX_OCTETS
    for character in line:
        encoded = character.encode()
        if len(part) + len(encoded) > room:
            yield part
            part = b" "
        part += encoded
    yield part
