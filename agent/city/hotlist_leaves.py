"""What a leaf of the city's log says of an act on the hot list: who, when, why, under which case,
and never the plate (P9).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.entry import plate_of
from agent.core.hotlist.index import entry_key
from agent.core.policy.policy import NEVER_RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.city.city_log import CityLog
    from agent.core.hotlist.compiled_format import Compiled
    from agent.core.hotlist.entry import Entry
    from agent.core.hotlist.intake.manual_acts import Act

MOST_ACTS, MOST_NAMES = 40, 60  # a leaf holds 64 items and 16 KiB
OTHERS, WITHHELD = "others", "withheld: it holds the plate"


def act_leaf(act: Act, log: CityLog) -> dict[str, object]:
    """Of one addition or protection."""
    kind = "protect" if act.entry.category == NEVER_RELEASE else act.action
    return {"act": kind, "by": act.by, "why": act.why, **_told(act.entry, log)}


def withdrawal_leaf(acts: Sequence[Act], log: CityLog) -> dict[str, object]:
    """Of one withdrawal, which may end several entries of a plate: at least one."""
    ended = [_told(act.entry, log) for act in acts[:MOST_ACTS]]
    protection = any(act.entry.category == NEVER_RELEASE for act in acts)
    return {
        "act": "unprotect" if protection else "withdraw",
        "by": acts[0].by,
        "why": acts[0].why,
        "number": len(acts),
        "entries": ended,
    }


def import_leaf(compiled: Compiled, before: int, skipped: int, log: CityLog) -> dict[str, object]:
    """Of one import: how much of what, from whom, and what was left out."""
    header = compiled.header
    counts = {name: _counts(compiled, name) for name in ("category", "agency")}
    return {
        "act": "import",
        "source": log.digest_of(header.source_sha256),
        "as_of": header.as_of,
        "before": before,
        "entries": header.entries,
        "categories": dict(counts["category"].most_common(MOST_NAMES)),
        "agencies": _nameable(counts["agency"]),
        "refused": {
            "categories": dict(header.dropped),
            "rows": skipped,
            "expired": header.expired,
            "identical": header.identical,
            "contradicting": header.contradicting,
        },
    }


def _told(entry: Entry, log: CityLog) -> dict[str, str]:
    """`entry`: what ties an addition to its withdrawal, for this city alone."""
    bare = "".join(filter(str.isalnum, entry.case.upper()))
    return {
        "entry": log.digest_of("|".join(entry_key(entry))),
        "category": entry.category,
        "agency": entry.agency,
        "case": WITHHELD if entry.plate.value in bare else entry.case,
        "expires": entry.expires.isoformat(),
    }


def _counts(compiled: Compiled, column: str) -> Counter[str]:
    names = compiled.header.names[column]
    numbers = np.bincount(compiled.columns.rows[column], minlength=len(names))
    return Counter({name: int(n) for name, n in zip(names, numbers, strict=True) if n})


def _nameable(counts: Mapping[str, int]) -> dict[str, int]:
    """The largest agencies by name.

    A list one column off may hold plates where agencies should stand: what could be a plate is
    counted among the others.
    """
    named = {
        name: count
        for name, count in Counter(counts).most_common(MOST_NAMES)
        if not plate_of(name) or (" " in name and not any(map(str.isdigit, name)))
    }
    others = sum(counts.values()) - sum(named.values())
    return {**named, **({OTHERS: others} if others else {})}
