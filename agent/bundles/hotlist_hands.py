"""Which entries by hand two people have signed, and whether a list keeps within the charter.

Publication and camera ask the same functions, so that a list's owner alone lists nobody.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.hotlist.intake.manual_acts import statement
from agent.core.hotlist.plausibility.look_alikes import most_look_alikes
from agent.core.policy.schema.hotlist_rules import HANDS, MOST_ALIKE
from agent.core.reasons import Reason
from agent.errors import BundleRefusedError
from agent.values import replace

if TYPE_CHECKING:
    from datetime import date

    from agent.core.hotlist.compiled_format import Compiled
    from agent.core.hotlist.intake.manual_acts import Act, ManualList
    from agent.core.policy.schema.hotlist_rules import HotlistRules

ALIKE = "entries that can be taken for one another"


def hands_of(act: Act, rules: HotlistRules) -> set[str]:
    """Who of the charter's signers has signed this addition; each counts once."""
    found, signed = set(), statement(act, rules.city)
    for key, signature in act.signatures:
        if key not in rules.signers:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
        except (InvalidSignature, ValueError):
            continue
        found.add(rules.signers[key])
    return found


def left_out(manual: ManualList, rules: HotlistRules) -> int:
    """How many additions the charter does not permit as they are."""
    return len(manual.acts) - len(lawful(manual, rules).acts)


def lawful(manual: ManualList, rules: HotlistRules) -> ManualList:
    """The withdrawals, the protections, and the additions that the charter permits: signed by two
    where it names signers, in the form, not too long.
    """
    return replace(manual, acts=tuple(act for act in manual.acts if _lawful(act, rules)))


def require_within(
    compiled: Compiled, manual: ManualList, today: date, rules: HotlistRules
) -> None:
    """Raises BundleRefusedError for a list above the charter's limits.

    `compiled`: the imported list; `manual`: what `lawful` left of the acts by hand.
    """
    days = Counter(act.at.date() for act in manual.acts if act.lists)
    most = max(days.values(), default=0)
    for number, limit, what in (
        (compiled.header.entries + days.total(), rules.most_entries, "entries"),
        (most, rules.additions_per_day, "additions by hand on one day"),
        (_alike(compiled, manual, today, rules), rules.look_alikes, ALIKE),
    ):
        if number > limit:
            raise BundleRefusedError(
                Reason.HOTLIST_ABOVE_LIMIT,
                f"the list holds {number} {what}; the charter permits {limit}",
                where="hot list",
                fix="publish a smaller list, or ask the council",
            )


def _alike(compiled: Compiled, manual: ManualList, today: date, rules: HotlistRules) -> int:
    """Counted only where the charter says less than every list must keep."""
    if rules.look_alikes >= MOST_ALIKE:
        return 0
    return most_look_alikes(compiled, manual.compiled(today) if manual.acts else None)


def _lawful(act: Act, rules: HotlistRules) -> bool:
    """One hand is enough for what lets out less: it must not wait for a second one."""
    return not act.lists or (
        (not rules.signers or len(hands_of(act, rules)) >= HANDS)
        and rules.fits(act.entry.case)
        and act.entry.expires <= act.at.date() + timedelta(days=rules.longest_days)
    )
