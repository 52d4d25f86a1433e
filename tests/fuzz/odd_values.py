"""Changes an input by what it means: a value for another, a line twice, the inside of a base64url
segment. Knows no format; the fuzzer's own changes of bytes do the rest.
"""

import base64
import binascii
import json
import random
import re

VALUE = re.compile(rb'"(?:[^"\\\n]|\\.){0,300}"|-?[0-9][0-9.:TZ+-]*|[A-Za-z][A-Za-z0-9_-]*')
MARK = re.compile(rb"[\[\]{},:=|;]")
SEGMENT = re.compile(rb"[A-Za-z0-9_-]{24,}")
ODD = (
    b"null", b"true", b"[]", b"{}", b'""', b"0", b"-1", b"1.5", b"1e999", b"NaN", b"-0",
    b"9007199254740993", b"1" * 30, b"[[1]]", b'{"a":[1]}', b'"\\ud800"', b'"\\u0000"', b'"x"',
    b'"9999-12-31"', b"9999-12-31", b'"0001-01-01T00:00:00.000Z"', b"2026-11-22T10:00:00Z",
    b"1979-05-27", b"00:00:00", b"inf", b"nan", b"0x1f", b'"\xc3\xa9"', b"\xff", b"''", b'"""',
    b"[" * 40, b"{" * 40, b"[" * 1500, b"9" * 4400,
    b'"' + b"A" * 70 + b'"', b"\r", b"\n", b"\t", b"\0", b"\xef\xbb\xbf",
    b"!!python/name:a", b"*a", b"&a [*a]", b"2", b"3", b"4", b"8", b"64", b"400",
)  # fmt: skip


MOST_TO_PARSE = 8192


def changed(data: bytes, most_bytes: int, chance: random.Random, words: tuple[bytes, ...]) -> bytes:
    """One to three changes. `words`: of the format, which chance would not spell."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        way = chance.random()
        if way < 0.2:
            data = _inside(data, chance, words)
        elif way < 0.4:
            data = _structure(data, chance, words)
        elif way < 0.5:
            data = _paragraph(data, chance)
        else:
            data = _token(data, chance, words)
    return data[:most_bytes]


def _structure(data: bytes, chance: random.Random, words: tuple[bytes, ...]) -> bytes:
    """Of JSON, whatever stands before it: an element gone, twice, or in another's place."""
    start = data.find(b"{")
    if start < 0 or len(data) > MOST_TO_PARSE:
        return _token(data, chance, words)
    try:
        table = json.loads(data[start:])
        places = list(_places(table))
        owner, key = chance.choice(places)
        other, name = chance.choice(places)
    except (ValueError, RecursionError, IndexError):
        return _token(data, chance, words)
    way = chance.randrange(4)
    if way == 0:
        del owner[key]
    elif way == 1 and isinstance(owner, list):
        owner.insert(key, json.loads(json.dumps(owner[key])))
    elif way == 1:
        owner[key + "2"] = owner[key]
    elif way == 2:
        owner[key] = json.loads(json.dumps(other[name]))
    else:
        owner[key] = chance.choice((None, True, [], {}, 0, -1, 2, 1.5, "", "x", [1], {"a": [1]}))
    return data[:start] + json.dumps(table, separators=(",", ":")).encode("utf-8", "replace")


def _places(value: object):
    """Every member and element, as its container and key."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


def _paragraph(data: bytes, chance: random.Random) -> bytes:
    """A block between empty lines: gone, twice, or elsewhere."""
    blocks = data.split(b"\n\n")
    block = blocks.pop(chance.randrange(len(blocks)))
    for _ in range(chance.randrange(3)):
        blocks.insert(chance.randrange(len(blocks) + 1), block)
    return b"\n\n".join(blocks)


def _inside(data: bytes, chance: random.Random, words: tuple[bytes, ...]) -> bytes:
    """The same, within what is encoded."""
    segments = list(SEGMENT.finditer(data))
    if not segments:
        return _token(data, chance, words)
    found = chance.choice(segments)
    try:
        inner = base64.urlsafe_b64decode(found[0] + b"=" * (-len(found[0]) % 4))
    except binascii.Error:
        return _token(data, chance, words)
    change = _structure if chance.random() < 0.5 else _token
    again = base64.urlsafe_b64encode(change(inner, chance, words)).rstrip(b"=")
    return data[: found.start()] + again + data[found.end() :]


def _token(data: bytes, chance: random.Random, words: tuple[bytes, ...]) -> bytes:
    tokens = list((VALUE if chance.random() < 0.9 else MARK).finditer(data))
    if not tokens:
        return data + chance.choice(ODD)
    one, way = chance.choice(tokens), chance.randrange(7)
    if way == 0:  # a line again, or gone
        start, end = data.rfind(b"\n", 0, one.start()) + 1, data.find(b"\n", one.end())
        end = len(data) if end < 0 else end + 1
        return data[:start] + data[start:end] * chance.choice((0, 2, 2, 3)) + data[end:]
    if way == 1:  # one value in the place of another
        new = chance.choice(tokens)[0]
    elif way == 2:
        new = b""
    elif way == 3 and one[0][:1].isdigit():
        new = _number(one[0], chance)
    else:
        new = chance.choice(words if words and way >= 5 else ODD)
        if one[0].startswith(b'"') and chance.random() < 0.5:
            new = b'"' + new.strip(b'"') + b'"'
    return data[: one.start()] + new + data[one.end() :]


def _number(old: bytes, chance: random.Random) -> bytes:
    """One digit otherwise: a date stays nearly a date."""
    places = [at for at, byte in enumerate(old) if chr(byte).isdigit()]
    at = chance.choice(places)
    return old[:at] + str(chance.randrange(10)).encode() + old[at + 1 :]
