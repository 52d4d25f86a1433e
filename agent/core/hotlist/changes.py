"""What differs between two imported lists, so that a city sends that instead of the whole.

Rows go and rows come in one step, so an entry that ended reaches a camera as soon as a new one.
The changes name, by SHA-256, the list to which they belong and the list that must come out: nothing
else is taken, and never a part.

Layout: 16 bytes of magic; the header's length (8 bytes, little endian); the header (JSON); the
header of the list that comes out, as it stands there; the places of the rows that go (4 bytes
each, ascending); the rows that come; their case references; SHA-256 over everything before it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from agent.core.hotlist.builder import MAX_ENTRIES
from agent.core.hotlist.columns import (
    AT_ONCE,
    MAX_ALIKE,
    NAMED,
    ROW,
    WORD,
    Columns,
    canonical,
    in_order,
    most_alike,
    slots_of,
)
from agent.core.hotlist.compiled_format import (
    DIGEST_BYTES,
    MAX_FILE_BYTES,
    MAX_HEADER_BYTES,
    Digest,
    decode,
    encode,
    format_header,
    parse_header,
)
from agent.core.text.schema.notes import Between, MisfitError
from agent.core.text.schema.section import Section
from agent.errors import ConfigError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.hotlist.compiled_format import Compiled, Header

MAGIC = b"platewarden-hc1\n"
_PLACE = np.dtype("<u4")
_SMALL_HEADER = 4096
_WHOLE = "the list's owner must publish the whole list: platewarden hotlist publish --whole"
_FIELDS = ("state", "category", "agency", "vehicle_class", "source_date", "expires")
_Rows = Annotated[int, Between(ge=0, le=MAX_ENTRIES)]


class _Head(Section):
    """`base`, `result`: SHA-256 of the files before and after; `header`: bytes of the result's."""

    v: Literal[1] = 1
    base: Digest
    result: Digest
    gone: _Rows
    come: _Rows
    case_bytes: Annotated[int, Between(ge=0, le=MAX_FILE_BYTES)]
    header: Annotated[int, Between(ge=0, le=MAX_HEADER_BYTES)]


@dataclass(frozen=True, slots=True)
class _Changes:
    """Taken apart, lengths checked, contents untrusted."""

    head: _Head
    header: bytes
    gone: NDArray[Any]
    come: Columns


def changes_between(base: bytes, result: bytes) -> bytes | None:
    """What makes `result` of `base`, both whole files of ours; None where it cannot be said so: the
    whole is sent then. It was tried before it is told.
    """
    before, after = decode(base, "base"), decode(result, "result")
    old, new = _marks(before, after.header), _marks(after, after.header)
    gone = np.flatnonzero(~np.isin(old, new)).astype(_PLACE)
    come = after.columns.take(~np.isin(new, old)).compact()
    text = format_header(after.header)
    head = _Head(
        base=_sha256(base),
        result=_sha256(result),
        gone=len(gone),
        come=len(come),
        case_bytes=len(come.cases),
        header=len(text),
    )
    told = json.dumps(vars(head), separators=(",", ":")).encode("ascii")
    parts = [MAGIC, len(told).to_bytes(8, "little"), told, text, gone.tobytes()]
    body = b"".join([*parts, come.rows.tobytes(), come.cases.tobytes()])
    changes = body + hashlib.sha256(body).digest()
    try:
        return changes if with_changes(base, changes, "changes") == result else None
    except ConfigError:
        return None


def with_changes(base: bytes | bytearray, untrusted: bytes, where: str) -> bytes:
    """The whole file that comes out, with the SHA-256 that was told of it.

    Raises ConfigError where the base is another one, or anything is not as it must be.
    """
    changes = _parsed(untrusted, where)
    if _sha256(base) != changes.head.base:
        raise _refused("belong to another list than the one that is here", where)
    header = parse_header(changes.header, where)
    result = encode(header, _merged(decode(base, where), changes, header, where))
    if _sha256(result) != changes.head.result:
        raise _refused("give another list than was signed", where)
    return result


def _merged(before: Compiled, changes: _Changes, header: Header, where: str) -> Columns:
    """The columns that come out."""
    if not _fit(changes, before, header):
        raise _refused("malformed: its rows", where)
    ordered = in_order(_joined(before, changes, header, where))
    if most_alike(ordered.rows["slot"]) > MAX_ALIKE:
        raise _refused("hold too many rows that look alike", where)
    return canonical(ordered)


def _joined(before: Compiled, changes: _Changes, header: Header, where: str) -> Columns:
    """The rows that stay, then those that come. A function of its own, because a camera has little
    memory: only what it returns is kept.
    """
    keep = np.ones(len(before.columns), bool)
    keep[changes.gone] = False
    rows = _renamed(before, header)[keep]
    if (rows["spare"] != 0).any():
        raise _refused("keep a row whose name is gone", where)
    come = changes.come.rows.copy()
    come["case_at"] += len(before.columns.cases)
    return Columns(
        np.concatenate((rows, come)), np.concatenate((before.columns.cases, changes.come.cases))
    )


def _parsed(untrusted: bytes, where: str) -> _Changes:
    view, begin = memoryview(untrusted), len(MAGIC) + 8
    if bytes(view[: len(MAGIC)]) != MAGIC or len(view) < begin + DIGEST_BYTES:
        raise _refused("are of another version", where)
    if hashlib.sha256(view[:-DIGEST_BYTES]).digest() != view[-DIGEST_BYTES:]:
        raise _refused("are damaged", where)
    length = int.from_bytes(view[len(MAGIC) : begin], "little")
    if length > _SMALL_HEADER:
        raise _refused("malformed: its header", where)
    try:
        head = _Head.from_json(bytes(view[begin : begin + length]))
    except MisfitError:
        raise _refused("malformed: its header", where) from None
    body = view[begin + length : -DIGEST_BYTES]
    lengths = (head.header, head.gone * _PLACE.itemsize, head.come * ROW.itemsize, head.case_bytes)
    if sum(lengths) != len(body):
        raise _refused("malformed: its length is not what its header says", where)
    header, gone, come, cases = _cut(body, lengths)
    return _Changes(
        head,
        bytes(header),
        np.frombuffer(gone, _PLACE),
        Columns(np.frombuffer(come, ROW), np.frombuffer(cases, "<u1")),
    )


def _cut(body: memoryview, lengths: Sequence[int]) -> list[memoryview]:
    found, begin = [], 0
    for length in lengths:
        found.append(body[begin : begin + length])
        begin += length
    return found


def _fit(changes: _Changes, before: Compiled, header: Header) -> bool:
    """Nothing below may raise, nor take more room than the list that comes out."""
    gone, come, rows = changes.gone, changes.come, len(before.columns)
    ends = come.rows["case_at"].astype(np.int64) + come.rows["case_length"]
    if not (gone[1:] > gone[:-1]).all() or (len(gone) and int(gone[-1]) >= rows):
        return False
    # Rows may share the bytes of a case, and what comes out has them once for each.
    lengths = before.columns.rows["case_length"]
    cases = sum(int(of.sum(dtype=np.int64)) for of in (lengths, come.rows["case_length"]))
    cases -= int(lengths[gone].sum(dtype=np.int64))
    return bool(
        rows - len(gone) + len(come) == header.entries
        and cases == header.case_bytes
        and header.entries * ROW.itemsize + cases <= MAX_FILE_BYTES
        and (not len(come) or int(ends.max()) <= len(come.cases))
        and not come.rows["spare"].any()
        and len(before.columns.cases) + len(come.cases) < 1 << 32
    )


def _renamed(compiled: Compiled, header: Header) -> NDArray[Any]:
    """The rows with the numbers and slots of another list; `spare` is 1 where it lacks a name."""
    rows = compiled.columns.rows.copy()
    for column in NAMED:
        numbers = {name: number for number, name in enumerate(header.names[column])}
        own = [numbers.get(name, -1) for name in compiled.header.names[column]]
        told = np.array(own or [0], np.int64)[rows[column]]
        rows["spare"] |= told < 0
        rows[column] = np.maximum(told, 0)
    folds = slots_of(rows["slot"], pow(compiled.header.multiplier, -1, WORD + 1))
    rows["slot"] = slots_of(folds, header.multiplier)
    return rows


def _marks(compiled: Compiled, header: Header) -> NDArray[Any]:
    """A number of 64 bits for each row, the same for the same entry. Two that share one by chance,
    or by somebody's wish, give a wrong result, which is seen when it is tried.
    """
    rows = _renamed(compiled, header)
    columns = Columns(compiled.columns.rows.copy(), compiled.columns.cases).compact()
    with np.errstate(over="ignore"):
        marks = rows["text"] + _case_sums(columns)
        for name, weight in zip((*_FIELDS, "spare"), _weights(len(_FIELDS) + 1), strict=True):
            marks = (marks ^ (rows[name].astype("<u8") * weight)) * weight
            marks ^= marks >> np.uint64(29)
    return np.asarray(marks, "<u8")


def _case_sums(columns: Columns) -> NDArray[Any]:
    """A number of 64 bits for each row's case, from compact columns."""
    found, weights = np.zeros(len(columns), "<u8"), _weights(256)
    lengths = columns.rows["case_length"].astype(np.int64)
    ends = np.cumsum(lengths)
    for first in range(0, len(columns), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        begin = int(ends[first] - lengths[first])
        begins, until = (ends - lengths)[part] - begin, ends[part] - begin
        cases = columns.cases[begin : begin + int(until[-1])].astype("<u8")
        inside = np.arange(len(cases)) - np.repeat(begins, lengths[part])
        sums = np.concatenate(([np.uint64(0)], np.cumsum(cases * weights[inside])))
        found[part] = sums[until] - sums[begins]
    return found


def _weights(number: int) -> NDArray[Any]:
    """Odd numbers of 64 bits that are always the same."""
    found = hashlib.shake_256(b"platewarden hot-list changes").digest(8 * number)
    return np.frombuffer(found, "<u8") | np.uint64(1)


def _sha256(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


def _refused(what: str, where: str) -> ConfigError:
    return ConfigError(f"the changes {what}", where=where, fix=_WHOLE)
