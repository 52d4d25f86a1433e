"""Finds states that are none, and those of which one must ask: a country far away, or a state's
letters without its country.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.hotlist.entry import PATTERNS
from agent.core.hotlist.plausibility.doubts import Doubt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.core.hotlist.plausibility.of_rows.issuers import Issuers

_code = PATTERNS["state"][0].fullmatch
_MOST_KNOWN = 10_000


class States:
    """Knows each state that it was asked for; there are few. `foreign`: take those from afar."""

    def __init__(self, issuers: Issuers, *, foreign: bool) -> None:
        self._issuers, self._foreign = issuers, foreign
        self._known: dict[str, str] = {}

    def any(self, untrusted_states: Iterable[str]) -> bool:
        """Is one of them doubted?"""
        return any(map(self.doubt, set(untrusted_states)))

    def doubt(self, untrusted_state: str) -> str:
        """What is wrong with it, without the value unless it is a country's; empty where nothing
        is. What is no code at all is the column's own check to tell.
        """
        found = self._known.get(untrusted_state)
        if found is None:
            found = self._looked_up(untrusted_state)
            if len(self._known) < _MOST_KNOWN:
                self._known[untrusted_state] = found
        return found

    def _looked_up(self, state: str) -> str:
        of = self._issuers
        country, dash, part = state.partition("-")
        if not of.countries or not _code(state):
            return ""
        if not dash and country in of.states.get(of.home, ()):
            return self._without_country(country)
        if country not in of.countries:
            return "state: no such country in ISO 3166"
        if dash and country in of.states and part not in of.states[country]:
            return f"state: {country} has no such state"
        if of.lists_hold and country not in of.lists_hold and not self._foreign:
            return (
                f"state: lists of {of.home} hold no plates of {country}; "
                f"correct it, or give {Doubt.FOREIGN.flag}"
            )
        return ""

    def _without_country(self, letters: str) -> str:
        """A state's letters alone: many are another country's, too."""
        home = self._issuers.home
        if letters not in self._issuers.countries:
            return f"state: without its country; write {home}-{letters}"
        if self._foreign:
            return ""
        return (
            f"state: {letters} alone is a country, the state is {home}-{letters}; "
            f"correct it, or give {Doubt.FOREIGN.flag}"
        )
