"""The binary form of a hot list: what `hotlist import` writes once, so that `watch` starts in a
second and holds little more than the file.

Layout: 16 bytes of magic, the header's length (8 bytes, little endian), the header (JSON, padded
with spaces to a multiple of 8), one row for each entry, the case references, SHA-256 over
everything before it. The sum finds damage; that nobody forged the list is for signed bundles to say
(P5).
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from agent.core.hotlist.builder import MAX_ENTRIES
from agent.core.hotlist.columns import (
    MAX_ALIKE,
    MAX_CROWD,
    NAMED,
    ROW,
    Columns,
    most_alike,
    most_crowded,
)
from agent.core.hotlist.confusion import BASE
from agent.core.hotlist.entry import PATTERNS
from agent.core.reading.plate_text import MAX_LENGTH
from agent.core.text.rfc3339 import parse_rfc3339
from agent.core.text.schema.notes import Between, Form, MisfitError
from agent.core.text.schema.section import Section
from agent.core.text.strict_json import FIRST_YEAR, LAST_YEAR
from agent.errors import ConfigError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

MAGIC = b"platewarden-hl2\n"
MAX_HEADER_BYTES = 8 * 1024 * 1024
MAX_FILE_BYTES = 512 * 1024 * 1024
DIGEST_BYTES = 32
_AGAIN = "make it again with `platewarden hotlist import`"
_SHAPE = re.compile(rf"[DL]{{1,{MAX_LENGTH}}}")
_Count = Annotated[int, Between(ge=0)]
Digest = Annotated[str, Form(r"^[0-9a-f]{64}$")]


class Header(Section):
    """What a list says of itself.

    `as_of`: when its source was made; `allowed`: the categories that could enter, None for all.

    `shapes`: how many different texts there are of each shape (`DLLLDDD`: digit, three letters,
    three digits), for the odds of a chance hit.
    """

    v: Literal[1] = 1
    entries: Annotated[int, Between(ge=0, le=MAX_ENTRIES)]
    case_bytes: _Count
    multiplier: Annotated[int, Between(gt=0, lt=1 << 64)]
    as_of: str
    source_sha256: Digest
    names: dict[str, list[str]]
    allowed: list[str] | None
    dropped: dict[str, _Count]
    expired: _Count
    identical: _Count
    contradicting: _Count
    skipped: _Count
    shapes: dict[str, _Count]

    @property
    def made(self) -> datetime:
        """`as_of`, as a time."""
        return parse_rfc3339(self.as_of)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A list taken apart and checked. `digest`: hex SHA-256 of the file's content."""

    header: Header
    columns: Columns
    digest: str


def multiplier_from(source_sha256: str) -> int:
    """An odd number that whoever writes the list cannot choose, so that he cannot fill one bucket;
    the same list gives the same file.
    """
    return (
        int.from_bytes(
            hashlib.sha256(b"slots" + bytes.fromhex(source_sha256)).digest()[:8], "little"
        )
        | 1
    )


def format_header(header: Header) -> bytes:
    """As it stands in the file, which `parse_header` reads."""
    text = json.dumps(vars(header), separators=(",", ":"), ensure_ascii=False).encode("ascii")
    return text + b" " * (-len(text) % 8)


def encode(header: Header, columns: Columns) -> bytes:
    """The file's bytes."""
    text = format_header(header)
    parts: list[bytes | memoryview] = [
        MAGIC,
        len(text).to_bytes(8, "little"),
        text,
        np.ascontiguousarray(columns.rows).data,
        np.ascontiguousarray(columns.cases).data,
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return b"".join([*parts, digest.digest()])


def decode(untrusted: bytes | bytearray, where: str) -> Compiled:
    """The list in a file's bytes, whose columns are views of them.

    Raises ConfigError, so that nothing in it can raise later or take long.
    """
    if sys.byteorder != "little":
        raise ConfigError("hot lists are read on little-endian machines only", where=where)
    view = memoryview(untrusted)
    if bytes(view[: len(MAGIC)]) != MAGIC or len(view) < len(MAGIC) + 8 + DIGEST_BYTES:
        raise ConfigError("no hot list of this version", where=where, fix=_AGAIN)
    digest = hashlib.sha256(view[:-DIGEST_BYTES])
    if digest.digest() != view[-DIGEST_BYTES:]:
        raise ConfigError(
            "damaged: its content does not have the SHA-256 that stands at its end",
            where=where,
            fix=_AGAIN,
        )
    length = int.from_bytes(view[len(MAGIC) : len(MAGIC) + 8], "little")
    body = len(MAGIC) + 8 + length
    if length > MAX_HEADER_BYTES or length % 8 or body > len(view) - DIGEST_BYTES:
        raise ConfigError("malformed: its header does not fit", where=where, fix=_AGAIN)
    header = parse_header(bytes(view[len(MAGIC) + 8 : body]), where)
    columns = _columns(header, view[body:-DIGEST_BYTES], where)
    if not _sound(header, columns):
        raise ConfigError("malformed: its columns contradict its header", where=where, fix=_AGAIN)
    return Compiled(header, columns, digest.hexdigest())


def parse_header(untrusted: bytes, where: str) -> Header:
    """A list's header from its bytes. Raises ConfigError."""
    try:
        header = Header.from_json(untrusted)
        year = parse_rfc3339(header.as_of).year
    except MisfitError:
        raise ConfigError("malformed header", where=where, fix=_AGAIN) from None
    except ValueError:
        raise ConfigError("malformed header: as_of is no time", where=where, fix=_AGAIN) from None
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ConfigError(
            f"malformed header: as_of is not in the years {FIRST_YEAR} to {LAST_YEAR}",
            where=where,
            fix=_AGAIN,
        )
    odd = [shape for shape in header.shapes if not _SHAPE.fullmatch(shape)]
    if odd or sum(header.shapes.values()) > header.entries:
        raise ConfigError("malformed header: its shapes", where=where, fix=_AGAIN)
    if set(header.names) != set(NAMED):
        raise ConfigError("malformed header: its names", where=where, fix=_AGAIN)
    for column, names in header.names.items():
        pattern = PATTERNS["class" if column == "vehicle_class" else column][0]
        if not all(map(pattern.fullmatch, names)):
            raise ConfigError(f"malformed header: a name of {column}", where=where, fix=_AGAIN)
    return header


def _columns(header: Header, untrusted: memoryview, where: str) -> Columns:
    """The columns as views, after a look at their lengths."""
    end = header.entries * ROW.itemsize
    if end + header.case_bytes != len(untrusted):
        raise ConfigError(
            "malformed: its length is not what its header says", where=where, fix=_AGAIN
        )
    return Columns(np.frombuffer(untrusted[:end], ROW), np.frombuffer(untrusted[end:], "<u1"))


def _sound(header: Header, columns: Columns) -> bool:
    """Every number points to something, slots are sorted, texts are texts, cases are printable
    ASCII.
    """
    of, cases = columns.rows, columns.cases
    if not len(columns):
        return bool(header.multiplier % 2)
    ends = of["case_at"].astype(np.int64) + of["case_length"]
    return bool(
        header.multiplier % 2
        and all(int(of[name].max()) < len(names) for name, names in header.names.items())
        and (of["slot"][1:] >= of["slot"][:-1]).all()
        and most_alike(of["slot"]) <= MAX_ALIKE
        and most_crowded(of["slot"]) <= MAX_CROWD
        and not of["spare"].any()
        and int(of["text"].min()) >= BASE
        and int(of["text"].max()) < 2 * BASE**MAX_LENGTH
        and int(ends.max()) <= len(cases)
        and (not len(cases) or (int(cases.min()) >= ord(" ") and int(cases.max()) <= ord("~")))
    )


def shapes_of(texts: NDArray[Any]) -> Mapping[str, int]:
    """How many different texts there are of each shape, from the column of their keys."""
    if not len(texts):
        return {}  # a camera without a list starts here; np.unique would load numpy.ma for it
    left = np.unique(texts)
    shapes = np.zeros(len(left), np.int64)
    place = 1
    while (more := left >= BASE).any():
        left, digits = left // np.uint64(BASE), left % np.uint64(BASE)
        # The last character comes first, to base 3.
        shapes += np.where(more, np.where(digits < 10, 1, 2) * place, 0)
        place *= 3
    codes, counts = np.unique(shapes, return_counts=True)
    return {_shape(int(code)): int(count) for code, count in zip(codes, counts, strict=True)}


def _shape(code: int) -> str:
    """A shape's number as `DLLLDDD`; the last character is its lowest digit."""
    found = []
    while code:
        code, kind = divmod(code, 3)
        found.append(" DL"[kind])
    return "".join(reversed(found))
