"""Whether a policy is a draft, or was in force: published when, signed by whom."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from agent.core.text.plain_words import plain_day, quoted_names
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

DRAFT = "A draft: nobody's signature was looked at."


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy as it was published. `publish`: its number; `at`: when; `policy_by`, `charter_by`:
    who signed, of those whose signatures count. `notes`: what else is to be known of that day.
    `lapsed`: since when cameras released nothing under it; None: they did until that day's end.
    """

    publish: int
    at: datetime
    policy_by: tuple[str, ...]
    charter_by: tuple[str, ...]
    notes: tuple[str, ...] = ()
    lapsed: datetime | None = None

    def lapsed_before(self, day: date) -> bool:
        """Nothing was released on that whole day."""
        return self.lapsed is not None and self.lapsed <= datetime.combine(day, time(), UTC)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"In force: published on {plain_day(self.at)} at {self.at:%H:%M} UTC "
            f"(publish {self.publish}), signed by {quoted_names(self.policy_by)}; "
            f"the charter by {quoted_names(self.charter_by)}."
        )
        yield from self.otherwise()

    def otherwise(self, all_day: date | None = None) -> Iterator[str]:
        """What is to be known of other times of that day. `all_day`: a day whose lapse is told
        elsewhere, if it lasted all of it.
        """
        yield from self.notes
        if self.lapsed is not None and (all_day is None or not self.lapsed_before(all_day)):
            told = lapse_told(self.lapsed)
            yield f"From then on cameras released nothing to anybody: {told}."

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "publish": self.publish,
            "published": self.at.isoformat(),
            "policy_signed_by": list(self.policy_by),
            "charter_signed_by": list(self.charter_by),
            "lapsed": self.lapsed.isoformat() if self.lapsed else None,
            "notes": list(self.notes),
        }


def told(standing: Standing | None) -> tuple[str, ...]:
    """The lines of a standing, or that it is a draft."""
    return (DRAFT,) if standing is None else tuple(standing.lines())


def lapse_told(since: datetime) -> str:
    """Since when nothing was released, and why."""
    return (
        f"what was published had ended on {plain_day(since)} at {since:%H:%M} UTC, "
        "and nothing newer had come"
    )
