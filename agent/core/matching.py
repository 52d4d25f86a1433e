"""Asks the hot list about a sighting, in constant time, and says how well it matched (P10): exact, text or confusable.

- `exact`: the text read is the entry's, and the issuing state read is the entry's.
- `text`: the text read is the entry's, and the state was not read (or only its country).
- `confusable`: another reading of the plate is the entry's, or the text differs in characters that are taken for one another.

A state that was read and is another one never matches. An entry that has expired by the capture matches no more.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from agent.core.hotlist import fold
from agent.core.policy import NEVER_RELEASE, Match, MatchLevel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.hotlist import Entry, HotList
    from agent.core.sighting import Sighting

MAX_ALTERNATIVES = 16  # looked up for one sighting; readers give fewer


class _State(Enum):
    """What the states of a sighting and an entry say of one another."""

    SAME = auto()
    UNKNOWN = auto()
    OTHER = auto()


def match(sighting: Sighting, hotlist: HotList) -> Match | None:
    """The best entry for a sighting, the further ones in its `others`; None where no entry asks for it.

    An entry of the never-release list beats all others, at whatever level it matches: better one lead lost than one protected person told.
    """
    entries: dict[Entry, MatchLevel] = {}
    for entry, level in _found(sighting, hotlist):
        entries.setdefault(entry, level)  # an entry may be reached twice; the first way is the surer one
    if not entries:
        return None
    ranked = sorted(entries.items(), key=lambda item: (item[0].category != NEVER_RELEASE, _RANK[item[1]]))  # stable: then the list's order
    best, *others = (_match(entry, level) for entry, level in ranked)
    if best.category == NEVER_RELEASE or not others:
        return best
    return replace(best, others=tuple(others))


_RANK = {MatchLevel.EXACT: 0, MatchLevel.TEXT: 1, MatchLevel.CONFUSABLE: 2}


def _found(sighting: Sighting, hotlist: HotList) -> Iterator[tuple[Entry, MatchLevel]]:
    """Every entry that could be meant, the surer ways first."""
    text = sighting.text.value
    if not text:
        return
    captured = sighting.captured.utc.date()
    alternatives = [alternative.text.value for alternative in sighting.alternatives[:MAX_ALTERNATIVES]]
    for candidates, level in (
        (hotlist.by_text.get(text, ()), None),
        *((hotlist.by_text.get(alternative, ()), MatchLevel.CONFUSABLE) for alternative in alternatives),
        (hotlist.by_fold.get(fold(text), ()), MatchLevel.CONFUSABLE),
    ):
        for entry in candidates:
            states = _compare_states(sighting.state, entry.state)
            if entry.expires > captured and states is not _State.OTHER:
                yield entry, level or (MatchLevel.EXACT if states is _State.SAME else MatchLevel.TEXT)


def _compare_states(seen: str | None, listed: str) -> _State:
    """US-CA is US-CA; a sighting that says only US does not contradict it; US-NV does."""
    if seen == listed:
        return _State.SAME
    if seen is None or listed.startswith(f"{seen}-") or seen.startswith(f"{listed}-"):
        return _State.UNKNOWN
    return _State.OTHER


def _match(entry: Entry, level: MatchLevel) -> Match:
    return Match(entry.category, level, entry.agency, entry.case, entry.source_date)
