"""Asks the hot list about a sighting, in constant time, and says how well it matched (P10): exact, text or confusable.

- `exact`: the text read is the entry's, and the issuing state read is the entry's.
- `text`: the text read is the entry's, and the state was not read (or only its country).
- `confusable`: another reading of the plate is the entry's, or the text differs in characters that are taken for one another.

A state or a vehicle class that was read and is another one never matches. An entry that has expired by the capture matches no more, and a list that is too
old matches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from agent.core.confusion import swap_probability
from agent.core.lead_odds import posterior
from agent.core.policy import NEVER_RELEASE, Match, MatchLevel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.hotlist import HotList
    from agent.core.hotlist_entry import Entry
    from agent.core.sighting import Sighting

MAX_ALTERNATIVES = 16  # looked up for one sighting; readers give fewer


class _State(Enum):
    """What the states of a sighting and an entry say of one another."""

    SAME = auto()
    UNKNOWN = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Lead:
    """One entry that could be meant. `text_probability`: the reader's, 0–1, that the entry's text is what stands on the plate.

    `posterior`: 0–1, that the entry's vehicle was seen, given how rare listed vehicles are and how often another one looks like them (lead_odds).
    """

    entry: Entry
    level: MatchLevel
    text_probability: float
    posterior: float


def match(sighting: Sighting, hotlist: HotList, vehicle_class: str | None = None) -> Match | None:
    """The best entry for a sighting, the further ones in its `others`; None where no entry asks for it.

    An entry of the never-release list beats all others, at whatever level it matches: better one lead lost than one protected person told.
    """
    found = leads(sighting, hotlist, vehicle_class)
    if not found:
        return None
    best, *others = (_match(lead) for lead in found)
    if best.category == NEVER_RELEASE or not others:
        return best
    return replace(best, others=tuple(others))


def leads(sighting: Sighting, hotlist: HotList, vehicle_class: str | None = None) -> tuple[Lead, ...]:
    """Every entry that could be meant: the never-release list first, then the surest level, then the list's own order.

    `vehicle_class`: where something tells it; today's readers do not.
    """
    readings = [sighting.text.value, *(other.text.value for other in sighting.alternatives[:MAX_ALTERNATIVES])]
    if not readings[0] or hotlist.stale(sighting.captured.utc) or not hotlist.knows_any(readings):
        return ()
    surest: dict[Entry, Lead] = {}
    for entry, level, probability in _found(sighting, hotlist, vehicle_class or ""):
        if entry not in surest:  # an entry may be reached twice; the first way is the surer one
            surest[entry] = Lead(entry, level, probability, posterior(level, probability, entry.plate.value, hotlist.shapes))
    return tuple(sorted(surest.values(), key=lambda lead: (lead.entry.category != NEVER_RELEASE, _RANK[lead.level])))  # stable


_RANK = {MatchLevel.EXACT: 0, MatchLevel.TEXT: 1, MatchLevel.CONFUSABLE: 2}


def _found(sighting: Sighting, hotlist: HotList, vehicle_class: str) -> Iterator[tuple[Entry, MatchLevel, float]]:
    """Every entry that is not contradicted, how it was reached, and the probability of its text; the surer ways first."""
    text = sighting.text.value
    captured = sighting.captured.utc.date()
    for entry, probability in _candidates(sighting, hotlist):
        states = _compare_states(sighting.state, entry.state)
        other_class = vehicle_class and entry.vehicle_class and vehicle_class != entry.vehicle_class
        if entry.expires <= captured or states is _State.OTHER or other_class:
            continue
        if probability is not None:
            yield entry, MatchLevel.CONFUSABLE, probability
        elif entry.plate.value != text:
            yield entry, MatchLevel.CONFUSABLE, swap_probability(text, entry.plate.value, sighting.char_confidence)
        else:
            yield entry, MatchLevel.EXACT if states is _State.SAME else MatchLevel.TEXT, sighting.confidence


def _candidates(sighting: Sighting, hotlist: HotList) -> Iterator[tuple[Entry, float | None]]:
    """Entries of the text itself, of the reader's alternatives with their probability, of look-alikes. Doubts are not multiplied."""
    alike = list(hotlist.alike(sighting.text.value))
    text = sighting.text.value
    yield from ((entry, None) for entry in alike if entry.plate.value == text)
    for other in sighting.alternatives[:MAX_ALTERNATIVES]:
        if other.text.value and other.text.value != text:
            yield from ((entry, other.probability) for entry in hotlist.texts(other.text.value))
    yield from ((entry, None) for entry in alike)


def _compare_states(seen: str | None, listed: str) -> _State:
    """US-CA is US-CA; a sighting that says only US does not contradict it; US-NV does."""
    if seen == listed:
        return _State.SAME
    if seen is None or listed.startswith(f"{seen}-") or seen.startswith(f"{listed}-"):
        return _State.UNKNOWN
    return _State.OTHER


def _match(lead: Lead) -> Match:
    entry = lead.entry
    return Match(entry.category, lead.level, entry.agency, entry.case, entry.source_date)
