"""Where an outsider's document is taken in: whatever goes wrong with it is that document's refusal.

Rules:
1. Each kind of document has one function that turns its bytes into values. It stands in this frame.
2. Our own errors pass. They name the field and the next step.
3. Any other exception becomes the document's refusal. A library that met an odd document may raise
   anything, and one document must not end a process that serves others.
4. Such an exception is told and counted by its class alone. Its text could hold a plate (P9).

Limit: an endless loop, and a fault that ends the process from below (a crash of a native library),
are not exceptions. Sizes are bounded before; the service manager starts the process again.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.errors import EnvelopeRefusedError, PlatewardenError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FIX = "the document is left out and everything else goes on; report this to Platewarden's makers"
_counted: Counter[tuple[str, str]] = Counter()


@contextmanager
def document(
    kind: str,
    where: str | Path = "",
    error: type[PlatewardenError] = EnvelopeRefusedError,
) -> Iterator[None]:
    """A frame, or a decorator, around taking in one document.

    `kind`: what it is, for people; `where`: its file; `error`: the class of its refusal, which
    RefusedErrors get with Reason.UNFORESEEN.

    Raises PlatewardenError, and never another Exception.
    """
    try:
        yield
    except PlatewardenError:
        raise
    except Exception as foreign:  # noqa: BLE001 - that it catches everything is its purpose
        name = type(foreign).__name__
        _counted[kind, name] += 1
        what = f"{kind}: cannot be taken in, for a reason that nobody foresaw ({name})"
        if issubclass(error, RefusedError):
            raise error(Reason.UNFORESEEN, what, where=where, fix=_FIX) from None
        raise error(what, where=where, fix=_FIX) from None


def unforeseen() -> Mapping[str, int]:
    """How many documents of this process were refused for an exception that nobody foresaw, by kind
    and class: `key list: OverflowError`.
    """
    return {f"{kind}: {name}": count for (kind, name), count in sorted(_counted.items())}
