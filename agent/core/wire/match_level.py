"""How well a sighting matched the hot list: it rides in the tags, and rules name it (P10)."""

from enum import StrEnum


class MatchLevel(StrEnum):
    """How a sighting matched (P10). `exact`: text and issuing state; `text`: state not read;
    `confusable`: through an alternative.
    """

    EXACT = "exact"
    TEXT = "text"
    CONFUSABLE = "confusable"
