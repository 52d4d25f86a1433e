"""What a builder collected, as a list: sorted, with its header. Beside whatever reads rows, which a
camera with a compiled list never loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.hotlist.compiled_format import Compiled, Header, multiplier_from, shapes_of
from agent.core.text.rfc3339 import rfc3339
from agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from agent.core.hotlist.builder import ListBuilder


def compile_rows(
    builder: ListBuilder,
    where: str,
    source_sha256: str,
    as_of: datetime,
    *,
    allowed: Iterable[str] | None = None,
    skipped: int = 0,
) -> Compiled:
    """What a builder collected, sorted, with its header.

    Raises ConfigError where too many entries look alike.
    """
    multiplier = multiplier_from(source_sha256)
    try:
        columns = builder.columns(multiplier)
    except ValueError as error:
        raise ConfigError(
            str(error),
            where=where,
            fix="ask whoever made the list; a plate is entered once for each case",
        ) from None
    header = Header(
        entries=len(columns),
        case_bytes=len(columns.cases),
        multiplier=multiplier,
        as_of=rfc3339(as_of),
        source_sha256=source_sha256,
        names=builder.names,
        allowed=None if allowed is None else sorted(allowed),
        dropped=dict(sorted(builder.allow.dropped.items())),
        expired=builder.expired,
        identical=builder.identical,
        contradicting=builder.contradicting,
        skipped=skipped,
        shapes=dict(shapes_of(columns.rows["text"])),
    )
    return Compiled(header, columns, source_sha256)
