"""What a changed list costs as changes, beside the whole: `python -m bench.hotlist_changes`
(docs/ref/bench.md).

Bytes that a camera fetches, and the CPU seconds of making them at the desk, and of opening the list
at a camera. Median over the rounds, in one process.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median
from typing import TYPE_CHECKING

import pyrage

from agent.core.hotlist.changes import changes_between, with_changes
from agent.core.hotlist.compiled_format import decode
from agent.errors import PlatewardenError
from bench.hotlist_opening import plain_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def spent(act: Callable[[], object], rounds: int) -> float:
    """CPU seconds."""
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        act()
        found.append(time.process_time() - begun)
    return round(median(found), 3)


def measured(entries: int, changed: int, rounds: int) -> dict[str, object]:
    """So many rows go, and as many come."""
    base, result = (bytes(plain_list(entries, begin)) for begin in (0, changed))
    changes = changes_between(base, result)
    if changes is None or with_changes(base, changes, "changes") != result:
        raise PlatewardenError("the changes do not give the list", where="bench")
    key = pyrage.x25519.Identity.generate().to_public()
    return {
        "entries": entries,
        "gone": changed,
        "come": changed,
        "whole_bytes": len(pyrage.encrypt(result, [key])),
        "changes_bytes": len(pyrage.encrypt(changes, [key])),
        "encrypting_the_whole_s": spent(lambda: pyrage.encrypt(result, [key]), rounds),
        "making_changes_s": spent(lambda: changes_between(base, result), rounds),
        "reading_the_whole_s": spent(lambda: decode(bytearray(result), "list"), rounds),
        "applying_changes_s": spent(lambda: with_changes(base, changes, "changes"), rounds),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(prog="python -m bench.hotlist_changes", description=__doc__)
    parser.add_argument("--entries", type=int, default=300_000, metavar="N", help="(300,000)")
    parser.add_argument("--changed", type=int, default=500, metavar="N", help="(500)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(3)")
    options = parser.parse_args(arguments)
    if not 0 < options.changed < options.entries or options.rounds < 1:
        parser.error("--changed lies between 0 and --entries, and --rounds starts at 1")
    print(json.dumps(measured(options.entries, options.changed, options.rounds), indent=1))


if __name__ == "__main__":
    main()
