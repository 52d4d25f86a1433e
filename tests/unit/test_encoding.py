"""base64url and times as text: the quick readers accept exactly what the library's slow ones do
when what they read is written back and compared.
"""

import base64
import binascii
import itertools
import os
from datetime import UTC, datetime

import pytest

from agent.core.text.encoding import b64url, b64url_bytes, from_b64url
from agent.core.text.rfc3339 import parse_rfc3339, rfc3339


def slowly(text):
    """The oracle; None for what is refused."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if data and b64url(data) == text else None


def quickly(text):
    try:
        data, length = from_b64url(text), b64url_bytes(text.encode())
    except ValueError:
        with pytest.raises(ValueError, match="not unpadded base64url"):
            b64url_bytes(text.encode())
        return None
    assert length == len(data)
    return data


@pytest.mark.parametrize("length", range(6))
def test_every_short_text_is_read_or_refused_as_the_oracle_says(length):
    for characters in itertools.product("AQgw_-+/=\n é1", repeat=min(length, 4)):
        text = "abcd" * (length > 4) + "".join(characters)
        assert quickly(text) == slowly(text), text


def test_every_last_character_is_judged_by_its_stray_bits():
    for before, last in itertools.product(("", "A", "AA", "AAA"), map(chr, range(128))):
        assert quickly(before + last) == slowly(before + last), (before, last)


@pytest.mark.parametrize("size", [1, 2, 3, 31, 32, 33, 2_048, 32_768])
def test_what_was_written_is_read(size):
    data = os.urandom(size)
    assert quickly(b64url(data)) == data


TIME = "2026-11-22T10:00:00.000Z"


def test_a_time_is_read_as_utc():
    moment = parse_rfc3339(TIME)
    assert (moment, moment.tzinfo) == (datetime(2026, 11, 22, 10, tzinfo=UTC), UTC)
    assert rfc3339(moment) == TIME


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T10:00:00Z",
        "2026-11-22T10:00:00.000",
        "2026-11-22T10:00:00.0000Z",
        "2026-11-22T10:00:00.000+00:00",
        "2026-11-22T12:00:00.000+02:00",
        "2026-11-22 10:00:00.000Z",
        "2026-11-22t10:00:00.000z",
        "2026-W47-7T10:00:00.000Z",
        "20261122T100000.000Z",
        "2026-11-22T24:00:00.000Z",
        "2026-11-22T10:00:60.000Z",
        "2026-11-31T10:00:00.000Z",
        "2026-11-22T10:00:00,000Z",
        "٢٠٢٦-11-22T10:00:00.000Z",
        TIME + "\n",
        " " + TIME,
    ],
)
def test_another_spelling_of_a_time_is_refused(text):
    with pytest.raises(ValueError):
        parse_rfc3339(text)
