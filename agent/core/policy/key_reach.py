"""How far a recipient's keys reach under each rule that releases to it: shorter than the list, by
the retention.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.core.wire.epochs import sealable_until
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import date

    from agent.core.policy.policy import Policy
    from agent.core.wire.epochs import EpochKeys


SOON = timedelta(days=14)  # a key list is made, signed and published by people


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a recipient's keys reach under one rule's retention.

    `until`: the last day of capture whose reads can be sealed; `keys_end`: the last key's day.
    """

    recipient: str
    rule: str
    retention_days: int
    until: date | None
    keys_end: date

    def ends_soon(self, today: date) -> bool:
        """Is it time to make new keys, or past it?"""
        return self.until is None or self.until - today <= SOON

    def told(self) -> str:
        """In words."""
        kept = f"kept for {self.retention_days} days"
        if self.until is None:
            return (
                f"no read can be sealed to {self.recipient} under rule {self.rule}: its keys end "
                f"on {self.keys_end}, and reads are {kept}"
            )
        return (
            f"reads can be sealed to {self.recipient} under rule {self.rule} until {self.until}: "
            f"its keys end on {self.keys_end}, and reads are {kept}"
        )


def reaches(keys: EpochKeys, policy: Policy, today: date) -> tuple[Reach, ...]:
    """One for each rule that releases to the recipient of the keys."""
    return tuple(
        Reach(
            keys.recipient,
            rule.rule,
            rule.retention_days,
            sealable_until(keys, rule.retention_days, today),
            max(keys.keys),
        )
        for rule in policy.releases
        if rule.recipient == keys.recipient and keys.keys
    )
