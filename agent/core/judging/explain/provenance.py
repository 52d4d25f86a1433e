"""Whether a policy is a draft, or was in force: published when, signed by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.text.plain_words import plain_day, quoted_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

DRAFT = "A draft: nobody's signature was looked at."


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy as it was published. `publish`: its number; `at`: when; `policy_by`, `charter_by`:
    who signed, of those whose signatures count. `notes`: what else is to be known of that day.
    """

    publish: int
    at: datetime
    policy_by: tuple[str, ...]
    charter_by: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"In force: published on {plain_day(self.at)} at {self.at:%H:%M} UTC "
            f"(publish {self.publish}), signed by {quoted_names(self.policy_by)}; "
            f"the charter by {quoted_names(self.charter_by)}."
        )
        yield from self.notes

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "publish": self.publish,
            "published": self.at.isoformat(),
            "policy_signed_by": list(self.policy_by),
            "charter_signed_by": list(self.charter_by),
            "notes": list(self.notes),
        }


def told(standing: Standing | None) -> tuple[str, ...]:
    """The lines of a standing, or that it is a draft."""
    return (DRAFT,) if standing is None else tuple(standing.lines())
