"""A file's chunks as UTF-8, whatever encoding a spreadsheet saved it in; or which one it is."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LOOKED_AT = 64  # bytes
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def as_utf8(untrusted_chunks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The same bytes, or UTF-16 as UTF-8. Raises ConfigError for what is neither."""
    chunks = iter(untrusted_chunks)
    start = b""
    while len(start) < _LOOKED_AT and (more := next(chunks, b"")):
        start += more
    encoding = _encoding(start, where)
    if not encoding:
        if start:
            yield start
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        yield decoder.decode(start).removeprefix("\ufeff").encode("utf-8")
        for chunk in chunks:
            yield decoder.decode(chunk).encode("utf-8")
        yield decoder.decode(b"", final=True).encode("utf-8")
    except UnicodeError:
        raise ConfigError(
            "begins as UTF-16 and does not go on so",
            where=where,
            fix="the file is damaged or cut short; save the list as UTF-8",
        ) from None


def _encoding(start: bytes, where: str) -> str:
    """UTF-16 by its mark, or by every other byte being nought; empty for anything else."""
    if start.startswith(_UTF_32):
        raise ConfigError("is UTF-32", where=where, fix="save the list as UTF-8")
    if (marked := _UTF_16.get(start[:2])) is not None:
        return marked
    pairs = start[: len(start) // 2 * 2]
    if len(pairs) > 2 and b"\0" in pairs:
        for name, noughts, others in (
            ("utf-16-le", pairs[1::2], pairs[::2]),
            ("utf-16-be", pairs[::2], pairs[1::2]),
        ):
            if not noughts.strip(b"\0") and b"\0" not in others:
                return name
    return ""
