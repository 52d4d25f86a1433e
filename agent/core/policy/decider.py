"""The camera's one judge: asks the policy about each sighting and keeps the rules' hourly
budgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.policy.budgets import Budgets
from agent.core.policy.decide import decide
from agent.core.policy.policy import Circumstances

if TYPE_CHECKING:
    from agent.core.policy.policy import Decision, Match, Policy
    from agent.core.reading.sighting import Sighting


class Decider:
    """Holds one policy and what it has spent.

    The policy learns of a sighting only when, where and how surely (Circumstances).
    """

    def __init__(self, policy: Policy, budgets: Budgets | None = None) -> None:
        self._policy = policy
        self._budgets = budgets or Budgets()
        self._stopped: frozenset[str] = frozenset()

    def stop(self, rules: frozenset[str]) -> None:
        """These rules release nothing from now on: false leads have stopped them. All others do."""
        self._stopped = rules

    def under(self, policy: Policy) -> Decider:
        """The judge under a newer policy.

        What the rules have spent stays spent: a policy pushed every minute is no way around a
        budget.
        """
        return Decider(policy, self._budgets)

    def decide(self, sighting: Sighting, match: Match | None) -> Decision:
        """`core.policy.decide`, and every release is charged to its rule's budget, whether or not
        sealing then succeeds. A repeat of the same text is not (`budgets`).
        """
        circumstances = Circumstances(
            captured=sighting.captured,
            camera=sighting.camera,
            confidence=sighting.confidence,
            limits=sighting.limits,
        )
        captured = sighting.captured.utc
        # Python keys this hash anew in each process, so that what is kept is no plate (P9).
        vehicle = hash(sighting.text.value)
        spent = self._budgets.spent(captured, vehicle)
        decision = decide(self._policy, circumstances, match, spent, self._stopped)
        for release in decision.releases:
            self._budgets.record(release.rule, captured, vehicle)
        return decision
