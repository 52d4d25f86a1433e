"""Plate text as a type that does not print itself, so that no log line or traceback can leak one
(P9).
"""

from agent.values import dataclass

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MAX_LENGTH = 12


@dataclass(frozen=True, slots=True)
class PlateText:
    """A normalised plate: A-Z and 0-9 only, at most 12 characters; may be empty when nothing was
    read.

    `str()`, `repr()` and f-strings show a mask; `.value` is the only way to the text, easy to grep
    for.
    """

    value: str

    def __post_init__(self) -> None:
        # What strip leaves begins with a character that no plate has.
        if len(self.value) > MAX_LENGTH or self.value.strip(CHARACTERS):
            msg = (
                f"plate text must be A-Z and 0-9, at most {MAX_LENGTH} characters (value withheld)"
            )
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"<plate of {len(self.value)}>"

    __str__ = __repr__

    def __len__(self) -> int:
        return len(self.value)
