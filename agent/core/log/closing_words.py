"""The closing summary of watch, of deliver, and of both together: numbers and reason codes, as JSON
between processes and as one line for people.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.core.log.leaf import LeafKind
from agent.core.log.tally import MOST
from agent.core.reasons import Reason
from agent.core.text.strict_json import Fields, parse_object
from agent.values import asdict, dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.log.tally import Tally

MAX_BYTES = 16_384
MAX_WHY = 600


@dataclass(frozen=True, slots=True)
class WatchTotals:
    """`vehicles`: sightings; `on_the_list`: those for which the hot list asks; `waiting`: reads in
    the outbox now.

    `dropped`: by reason, a sighting once under each that its rules gave. `stills`: pictures that
    were taken each for itself; then a vehicle counts once in each of them.
    """

    vehicles: int = 0
    unreadable: int = 0
    on_the_list: int = 0
    sealed: int = 0
    waiting: int = 0
    stills: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliverTotals:
    """`rejected`: receipts that say that the recipient cannot use the read; `refused`: odd files,
    receipts and destinations; `withdrawn`: reads that the policy permits no more, or too late.

    `why`: what keeps the waiting reads, or empty.
    """

    receipts: int = 0
    rejected: int = 0
    refused: int = 0
    withdrawn: int = 0
    waiting: int = 0
    why: str = ""


def watch_totals(tally: Tally, waiting: int) -> WatchTotals:
    """From what watch has logged since it started."""
    return WatchTotals(
        tally.sightings,
        tally.unreadable,
        tally.listed(),
        tally.leaves[LeafKind.RELEASE],
        waiting,
        tally.stills,
        dict(sorted(tally.reasons.items())),
    )


def deliver_totals(tally: Tally, waiting: int, why: str) -> DeliverTotals:
    """From what deliver has logged since it started."""
    return DeliverTotals(
        tally.leaves[LeafKind.RECEIPT],
        tally.rejected,
        tally.refused,
        tally.leaves[LeafKind.WITHDRAWAL] + tally.leaves[LeafKind.EXPIRED],
        waiting,
        why if waiting else "",
    )


def watch_words(totals: WatchTotals, receipts: str = "") -> str:
    """One line.

    What is not on the list has no reason of its own there: the first two numbers tell it.
    """
    parts = [f"{_number(totals.vehicles, 'vehicle')}, {totals.on_the_list} on the list"]
    if totals.stills:
        parts = [f"{_number(totals.stills, 'picture')}, each for itself", *parts]
    if totals.unreadable:
        parts.append(f"{totals.unreadable} unreadable")
    parts += [f"{totals.sealed} sealed", *([receipts] if receipts else [])]
    line = ", ".join([*parts, f"{totals.waiting} wait"])
    dropped = ", ".join(
        f"{reason.replace('-', ' ')} {number}"
        for reason, number in totals.dropped.items()
        if reason != Reason.NO_HOTLIST_MATCH
    )
    return f"{line}; dropped: {dropped}" if dropped else line


def deliver_words(totals: DeliverTotals) -> str:
    """One line."""
    told = f"{receipt_words(totals)}, {totals.waiting} wait"
    return f"{told}: {totals.why}" if totals.why else told


def receipt_words(totals: DeliverTotals) -> str:
    """The receipts, and what else became of reads."""
    parts = [_number(totals.receipts, "receipt")]
    for number, word in ((totals.rejected, "rejected"), (totals.withdrawn, "withdrawn")):
        if number:
            parts.append(f"{number} {word}")
    if totals.refused:
        parts.append(f"{totals.refused} refused by deliver")
    return ", ".join(parts)


def format_totals(totals: WatchTotals | DeliverTotals) -> str:
    """As one line of JSON."""
    return json.dumps(asdict(totals))


def both(watch: WatchTotals, deliver: DeliverTotals) -> dict[str, object]:
    """One table of the two. Watch, which owns the outbox, says what waits."""
    return {**asdict(deliver), **asdict(watch)}


def parse_watch_totals(untrusted: bytes, where: str) -> WatchTotals:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    names = ("vehicles", "unreadable", "on_the_list", "sealed", "waiting", "stills")
    fields = Fields(parse_object(untrusted, where), where, required=(*names, "dropped"))
    known = [reason.value for reason in Reason]
    dropped = Fields(fields.value("dropped"), where, required=(), optional=known)
    return WatchTotals(
        **{name: fields.whole(name, 0, MOST) for name in names},
        dropped={name: dropped.whole(name, 0, MOST) for name in known if name in dropped},
    )


def parse_deliver_totals(untrusted: bytes, where: str) -> DeliverTotals:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    names = ("receipts", "rejected", "refused", "withdrawn", "waiting")
    fields = Fields(parse_object(untrusted, where), where, required=(*names, "why"))
    return DeliverTotals(
        **{name: fields.whole(name, 0, MOST) for name in names},
        why=fields.text("why", most=MAX_WHY, least=0),
    )


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
