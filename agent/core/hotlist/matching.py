"""Asks the hot list about a sighting, in constant time, and says how well it matched (P10): exact,
text or confusable.

- `exact`: the text read is the entry's, and the issuing state read is the entry's.
- `text`: the text read is the entry's, and the state was not read (or only its country).
- `confusable`: another reading of the plate is the entry's, or the text differs in characters that
  are taken for one another.

A state or a vehicle class that was read and is another one never matches. An entry that has expired
by the capture matches no more, and a list that is too old matches nothing.
"""

from __future__ import annotations

from enum import Enum, auto
from itertools import compress
from typing import TYPE_CHECKING

from agent.core.hotlist.confusion import swap_probability, text_key, text_of
from agent.core.hotlist.index import EPOCH_DAY
from agent.core.hotlist.lead_odds import posterior, shape_of
from agent.core.policy.policy import NEVER_RELEASE, Match
from agent.core.wire.match_level import MatchLevel
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.core.hotlist.entry import Entry
    from agent.core.hotlist.index import Found, HotList, Index, Row
    from agent.core.reading.sighting import Alternative, Sighting

    _Lead = tuple[Index, Row, MatchLevel, float, float]  # a Lead, its entry still in the index
    _Way = tuple[Found, str, float]  # an entry, its text, that text's probability

MAX_ALTERNATIVES = 16  # looked up for one sighting; readers give fewer
# Countries where two states may give out the same text: the country alone is no issuing state.
STATES_ISSUE = frozenset({"AE", "AU", "CA", "MX", "US"})


class _State(Enum):
    """What the states of a sighting and an entry say of one another."""

    SAME = auto()
    UNKNOWN = auto()
    OTHER = auto()


_SAME, _UNKNOWN, _OTHER = _State
# Each by a name of its own: looking up an enum's member takes longer than comparing two texts.
_EXACT, _TEXT, _CONFUSABLE = MatchLevel
_RANK = {_EXACT: 0, _TEXT: 1, _CONFUSABLE: 2}


@dataclass(frozen=True, slots=True)
class Lead:
    """One entry that could be meant.

    `text_probability`: the reader's, 0–1, that the entry's text is what stands on the plate.

    `posterior`: 0–1, that the entry's vehicle was seen, given how rare listed vehicles are and how
    often another one looks like them (lead_odds).
    """

    entry: Entry
    level: MatchLevel
    text_probability: float
    posterior: float


def match(sighting: Sighting, hotlist: HotList, vehicle_class: str | None = None) -> Match | None:
    """The best entry for a sighting, the further ones in its `others`; None where no entry asks for
    it.

    An entry of the never-release list beats all others, at whatever level it matches: better one
    lead lost than one protected person told.
    """
    found = _leads(sighting, hotlist, vehicle_class)
    if not found:
        return None
    best = _match(*found[0])
    if len(found) == 1 or best.category == NEVER_RELEASE:
        return best
    return best._replace(others=tuple(_match(*lead) for lead in found[1:]))


def leads(
    sighting: Sighting, hotlist: HotList, vehicle_class: str | None = None
) -> tuple[Lead, ...]:
    """Every entry that could be meant: the never-release list first, then the surest level, then
    the list's own order.

    `vehicle_class`: where something tells it; today's readers do not.
    """
    found = _leads(sighting, hotlist, vehicle_class)
    return tuple(
        Lead(index.entry(row), level, probability, worth)
        for index, row, level, probability, worth in found
    )


def _leads(sighting: Sighting, hotlist: HotList, vehicle_class: str | None) -> Sequence[_Lead]:
    text = sighting.text.value
    captured = sighting.captured.utc
    others = sighting.alternatives[:MAX_ALTERNATIVES]
    if not text or hotlist.stale(captured):
        return ()
    near, listed = hotlist.near(text), hotlist.filter.perhaps(others)
    if not near and 1 not in listed:  # of nearly every vehicle that passes
        return ()
    key, today, seen_state = text_key(text), captured.toordinal() - EPOCH_DAY, sighting.state
    ways: Sequence[_Way] = [(one, text, sighting.confidence) for one in near if one[1][0] == key]
    if len(ways) < len(near) or 1 in listed:
        ways = _with_confusable(ways, near, compress(others, listed), sighting, hotlist)
    found: list[_Lead] = []
    for (index, row), listed_text, probability in ways:
        _, _, state, _, _, expires, _, listed_class, _ = row
        states = (
            _UNKNOWN if seen_state is None else _compare_states(seen_state, index.states[state])
        )
        other_class = vehicle_class and index.classes[listed_class] not in {vehicle_class, ""}
        if expires <= today or states is _OTHER or other_class:
            continue
        level = _CONFUSABLE if listed_text != text else _EXACT if states is _SAME else _TEXT
        worth = posterior(
            level, probability, hotlist.densities.get(shape_of(listed_text), 1.0), hotlist.base_rate
        )
        found.append((index, row, level, probability, worth))
    # The sort is stable: otherwise they stay in the order in which they were found.
    return (
        found
        if len(found) == 1
        else sorted(
            found, key=lambda lead: (lead[0].told(lead[1])[0] != NEVER_RELEASE, _RANK[lead[2]])
        )
    )


def _with_confusable(
    sure: Iterable[_Way],
    near: Iterable[Found],
    others: Iterable[Alternative],
    sighting: Sighting,
    hotlist: HotList,
) -> Sequence[_Way]:
    """Also the entries of the reader's alternatives, then of look-alikes.

    Doubts are not multiplied.
    """
    text = sighting.text.value
    ways = {way[0]: way for way in sure}
    for other in others:
        listed = other.text.value
        for one in hotlist.same(listed):
            # An entry may be reached twice; the first way is the surer one.
            ways.setdefault(one, (one, listed, other.probability))
    for one in near:
        if one not in ways:
            listed = text_of(one[1][0])
            ways[one] = one, listed, swap_probability(text, listed, sighting.char_confidence)
    return tuple(ways.values())


def _compare_states(seen: str, listed: str) -> _State:
    """US-CA is US-CA; a sighting that says only US does not contradict it; US-NV does."""
    if seen == listed:
        return _UNKNOWN if listed in STATES_ISSUE else _SAME
    return _UNKNOWN if listed.startswith(f"{seen}-") or seen.startswith(f"{listed}-") else _OTHER


def _match(index: Index, row: Row, level: MatchLevel, _probability: float, worth: float) -> Match:
    category, agency, case, source_date = index.told(row)
    return Match(category, level, agency, case, source_date, (), worth)
