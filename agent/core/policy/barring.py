"""Where and when nothing is released, whatever the hot list says: [[barred]] of a charter or a
policy (docs/ref/policy.md).

A bar names cameras, kinds of place, hours of the UTC day, or several of these. Kinds of place
become cameras when the roster is there (`core/policy/camera_roster.py`); until then they bar every
camera, because what is not known to be permitted is not permitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

# Kinds of place that a roster can say a camera stands at or near; docs/ref/policy.md explains each.
PLACES = (
    *(
        "court",
        "food-bank",
        "health-care",
        "immigration-facility",
        "legal-aid",
        "library",
        "polling-place",
    ),
    *("protest-site", "school", "shelter", "social-services", "union-hall", "worship"),
)


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """A part of every UTC day, in minutes from midnight: from `start` up to, not including, `end`;
    past midnight where `end` is smaller.
    """

    start: int
    end: int

    def hold(self, at: datetime) -> bool:
        """Does this moment (UTC) lie in them?"""
        minute = at.hour * 60 + at.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return f"{self.start // 60:02}:{self.start % 60:02}-{self.end // 60:02}:{self.end % 60:02}Z"


@dataclass(frozen=True, slots=True)
class Bar:
    """One [[barred]].

    `cameras`: None where the bar is not for certain ones; `places`: kinds not yet turned into
    cameras.

    `why`: for people. `where`, `line`: the file and line that bar.
    """

    cameras: frozenset[str] | None
    places: frozenset[str]
    hours: tuple[Hours, ...]
    why: str
    where: str = ""
    line: int = 0

    def covers(self, camera: str) -> bool:
        """Is this camera meant? Places that nobody has looked up mean every camera."""
        return bool(self.places) or self.cameras is None or camera in self.cameras

    def holds(self, camera: str, at: datetime) -> bool:
        """Does the bar hold for this camera at this moment (UTC)?"""
        return self.covers(camera) and (
            not self.hours or any(hours.hold(at) for hours in self.hours)
        )


def barred(bars: Iterable[Bar], camera: str, at: datetime) -> Bar | None:
    """The bar that holds for this camera at this moment (UTC), one without hours first; None where
    there is none.
    """
    holding = sorted(
        (bar for bar in bars if bar.holds(camera, at)), key=lambda bar: bool(bar.hours)
    )
    return holding[0] if holding else None


def barred_always(bars: Iterable[Bar], camera: str) -> Bar | None:
    """The bar because of which this camera's sensor stays closed; None where there is none."""
    return next((bar for bar in bars if bar.covers(camera) and not bar.hours), None)
