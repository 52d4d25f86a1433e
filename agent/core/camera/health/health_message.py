"""The text by which a camera tells its city how it is: writing and strict parsing, no cryptography
(docs/ref/health.md, "The message").

Two lines: what it is, and one JSON object. It is signed as a note by deliver's log key; a
checkpoint's second line is a number, so neither can be taken for the other.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_report import (
    Health,
    Reading,
    coarse,
    parse_hour,
)
from agent.core.reasons import Reason
from agent.core.text.strict_json import (
    FIRST_YEAR,
    LAST_YEAR,
    Fields,
    canonical,
    malformed,
    parse_object,
)
from agent.core.time.instant import ClockTrust
from agent.values import dataclass

HEADER = b"platewarden-health/1\n"
MAX_MESSAGE_BYTES = 2_048  # all members at their longest, and a signature
MOST = 10**9
MOST_HOURS = 10**6
MOST_PROBLEMS = 8
_WHERE = "health message"
_VERSION = re.compile(r"[0-9A-Za-z.+~-]{1,32}")
_PART = re.compile(r"[a-z_]{1,24}")
_LEAST_C, _MOST_C = -60, 150
_Kind = TypeVar("_Kind", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class HealthMessage:
    """`number`: one more with each message that a camera made, whether or not it could be sent.
    `unsent`: how many before it no broker took.
    """

    number: int
    unsent: int
    health: Health


def format_text(message: HealthMessage) -> bytes:
    """What is signed."""
    table = {"n": message.number, "unsent": message.unsent, **coarse(message.health)}
    return HEADER + canonical(table) + b"\n"


def parse_text(untrusted_signed: bytes) -> HealthMessage:
    """The inverse: nothing finer than `coarse` makes it, and one spelling of each, since what was
    read must be written in the same bytes.

    Raises EnvelopeRefusedError(malformed).
    """
    if not untrusted_signed.startswith(HEADER):
        raise malformed("does not begin as one", _WHERE)
    table = parse_object(untrusted_signed[len(HEADER) :], _WHERE)
    names = coarse(Health("", "", datetime.min.replace(tzinfo=UTC)))
    fields = Fields(table, _WHERE, required=("n", "unsent", *names))
    found = HealthMessage(
        fields.whole("n", 1, MOST), fields.whole("unsent", 0, MOST), _health(fields)
    )
    if format_text(found) != untrusted_signed:
        raise malformed("is not written as our cameras write it", _WHERE)
    return found


def _health(fields: Fields) -> Health:
    version = "printable letters, digits and . + ~ -, at most 32"
    return Health(
        camera=fields.identifier("camera"),
        version=fields.pattern("version", _VERSION, version),
        at=hour_of(fields, "at"),
        alarms=_alarms(fields),
        temperature_c=_whole(fields, "temperature_c", _LEAST_C, _MOST_C),
        throttled=_flag(fields, "throttled"),
        throttled_since_start=_flag(fields, "throttled_since_start"),
        hotlist_age_h=_whole(fields, "hotlist_age_h", 0, MOST_HOURS),
        hotlist_stale=_flag(fields, "hotlist_stale"),
        outbox_filled=None
        if fields.value("outbox_filled") is None
        else fields.fraction("outbox_filled"),
        brokers_away=_whole(fields, "brokers_away", 0, 64),
        lapsed=_whole(fields, "lapsed", 0, 64),
        policy_in_force=_flag(fields, "policy_in_force"),
        problems=_problems(fields),
        policy_version=_whole(fields, "policy_version", 0, MOST),
        policy_age_h=_whole(fields, "policy_age_h", 0, MOST_HOURS),
        clock=one_of(fields, "clock", ClockTrust),
        closed=one_of(fields, "closed", Reason),
        watch_silent_h=_whole(fields, "watch_silent_h", 0, MOST_HOURS),
        reading=one_of(fields, "reading", Reading),
    )


def one_of(fields: Fields, name: str, kind: type[_Kind]) -> _Kind | None:
    """A word of a closed list, or null."""
    value = fields.value(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in set(kind):
        raise fields.bad(name, "null, or one of the words that this version knows")
    return kind(value)


def words_of(fields: Fields, name: str, kind: type[_Kind]) -> frozenset[_Kind]:
    """Words of a closed list, each once, sorted."""
    untrusted = fields.sequence(name, len(kind))
    texts = [one for one in untrusted if isinstance(one, str) and one in set(kind)]
    if texts != untrusted or texts != sorted(set(texts)):
        raise fields.bad(name, "words that this version knows, sorted, each once")
    return frozenset(map(kind, texts))


def _alarms(fields: Fields) -> frozenset[Alarm] | None:
    return None if fields.value("alarms") is None else words_of(fields, "alarms", Alarm)


def hour_of(fields: Fields, name: str) -> datetime:
    """A UTC time on the hour, in years from which nothing overflows."""
    try:
        at = parse_hour(fields.text(name, most=20))
    except ValueError:
        raise fields.bad(name, "a UTC time on the hour, YYYY-MM-DDTHH:00:00Z") from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise fields.bad(name, f"in the years {FIRST_YEAR} to {LAST_YEAR}")
    return at


def _flag(fields: Fields, name: str) -> bool | None:
    value = fields.value(name)
    if value is None or isinstance(value, bool):
        return value
    raise fields.bad(name, "true, false or null")


def _whole(fields: Fields, name: str, least: int, most: int) -> int | None:
    return None if fields.value(name) is None else fields.whole(name, least, most)


def _problems(fields: Fields) -> tuple[str, ...]:
    untrusted = fields.sequence("problems", MOST_PROBLEMS)
    parts = [one for one in untrusted if isinstance(one, str) and _PART.fullmatch(one)]
    if parts != untrusted or parts != sorted(set(parts)):
        raise fields.bad("problems", "names of parts, sorted, each once")
    return tuple(parts)
