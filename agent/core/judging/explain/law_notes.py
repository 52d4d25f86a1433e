"""What a jurisdiction's facts say about who may receive: beside the answer, for people.

A camera knows no law: `policy check` asks it before a policy is signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.policy.jurisdiction import Fact, Profile
    from agent.core.policy.policy import Recipient


@dataclass(frozen=True, slots=True)
class Law:
    """One fact of a profile.

    `place`: file:line; `forbids`: it speaks against this recipient or purpose, as the policy
    describes them.
    """

    says: str
    citation: str
    place: str
    read: str
    confirmed: bool
    forbids: bool


def law_on(
    profile: Profile | None, recipient: Recipient | None, purposes: frozenset[str]
) -> tuple[Law, ...]:
    """The facts about recipients and purposes, those that forbid first.

    `recipient`: None where the policy does not list the one who asks.
    """
    if profile is None:
        return ()
    facts = [
        fact
        for fact in profile.facts
        if fact.forbidden_kinds
        or fact.conditional_kinds
        or fact.forbidden_purposes
        or fact.permitted_purposes
    ]
    told = [_law(profile, fact, recipient, purposes) for fact in facts]
    # The sort is stable: otherwise they stay in the profile's order.
    return tuple(sorted(told, key=lambda law: not law.forbids))


def _law(
    profile: Profile, fact: Fact, recipient: Recipient | None, purposes: frozenset[str]
) -> Law:
    barred_kind = recipient is not None and recipient.kind in fact.forbidden_kinds
    barred_purpose = bool(purposes & fact.forbidden_purposes) or bool(
        fact.permitted_purposes and purposes - fact.permitted_purposes
    )
    return Law(
        fact.says,
        fact.citation,
        f"{profile.where}:{fact.line}",
        str(fact.read),
        fact.confirmed,
        barred_kind or barred_purpose,
    )
