"""What a sighting of the rehearsal's plate matches, without asking the hot list
(docs/design/rehearsal.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.policy.policy import TEST, Match
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.test_plate import is_test_plate

if TYPE_CHECKING:
    from agent.core.reading.sighting import Sighting

AGENCY, CASE = "platewarden rehearsal", "none: a printed test plate"


def rehearsal(sighting: Sighting) -> Match | None:
    """What a sighting of a test plate matches: category `test`, level `text`, and nothing beside
    it.

    None for every other plate.
    """
    if not is_test_plate(sighting.text.value):
        return None
    return Match(TEST, MatchLevel.TEXT, AGENCY, CASE, sighting.captured.utc.date())
