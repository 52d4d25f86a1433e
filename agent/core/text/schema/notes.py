"""What may stand beside a type in `Annotated`: limits, a form, a function that turns what was
written into a value; and what is said of a value that does not fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.values import dataclass

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Sized

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Limits of a number; None: none."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def beyond(self, number: float) -> str:
        """Which limit a number is beyond; empty for none."""
        if self.ge is not None and not number >= self.ge:
            return "greater_than_equal"
        if self.gt is not None and not number > self.gt:
            return "greater_than"
        if self.le is not None and not number <= self.le:
            return "less_than_equal"
        if self.lt is not None and not number < self.lt:
            return "less_than"
        return ""


@dataclass(frozen=True, slots=True)
class Length:
    """Limits of a list's entries, or of a text's characters."""

    min_length: int | None = None
    max_length: int | None = None

    def beyond(self, value: Sized) -> str:
        """Which limit a list or a text is beyond; empty for none."""
        many = self.max_length is not None and len(value) > self.max_length
        few = self.min_length is not None and len(value) < self.min_length
        if not (many or few):
            return ""
        kind = "string_" if isinstance(value, str) else ""
        return f"{kind}too_{'long' if many else 'short'}"


@dataclass(frozen=True, slots=True)
class Form:
    """A regular expression that the whole of a text matches."""

    pattern: str


@dataclass(frozen=True, slots=True)
class By:
    """A function that turns what was written into a value, before its type is looked at.

    It may raise ValueError(`what | fix`).
    """

    function: Callable[[object], object]


def as_tuple(value: object) -> object:
    """A list as it can be kept unchanged; anything else stays, and is refused as no list."""
    return tuple(value) if isinstance(value, list) else value


def named(form: re.Pattern[str], what: str, fix: str) -> By:
    """A text of this form, refused as `no WHAT` with the first forty characters of what was
    written; another type than text is refused by its type.
    """

    def check(value: object) -> object:
        if isinstance(value, str) and not form.fullmatch(value):
            raise ValueError(f"{value[:40]!a} is no {what} | {fix}")
        return value

    return By(check)


@dataclass(frozen=True, slots=True)
class Misfit:
    """What does not fit, and where. `kind`: pydantic's name for it, which schema_words knows.

    `given`: what was written, which may be a secret; `words`: of a ValueError of our own.
    """

    kind: str
    place: Place
    given: object
    words: str = ""


class MisfitError(ValueError):
    """A table that does not fit, with everything that is wrong; its text says nothing of it."""

    def __init__(self, misfits: tuple[Misfit, ...]) -> None:
        super().__init__(f"{len(misfits)} misfits")
        self.misfits = misfits
