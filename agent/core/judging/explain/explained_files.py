"""What is explained: a policy with its charter, roster and lines, and the policy as a camera obeys
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.policy.camera_roster import looked_up
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from agent.core.judging.explain.cited_lines import Cited, Source
    from agent.core.judging.explain.provenance import Standing
    from agent.core.policy.camera_roster import CameraRoster
    from agent.core.policy.charter import Charter
    from agent.core.policy.jurisdiction import Profile
    from agent.core.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Files:
    """A policy, its charter and its roster, as values and as lines; its jurisdiction's facts, which
    bind no camera; and whether it was published (None: a draft).
    """

    policy: Policy
    policy_lines: Source
    charter: Charter | None = None
    charter_lines: Source | None = None
    roster: CameraRoster | None = None
    profile: Profile | None = None
    standing: Standing | None = None

    @property
    def obeyed(self) -> Policy:
        """The policy as a camera obeys it: with the charter's bars, and kinds of place and groups
        looked up. Without a roster a kind of place bars every camera, and a broker for groups
        serves none.
        """
        bars = self.charter.barred if self.charter is not None else ()
        policy = replace(self.policy, barred=(*bars, *self.policy.barred))
        return looked_up(policy, self.roster) if self.roster is not None else policy

    def cite(self, where: str, line: int) -> Cited:
        """A line of the charter or of the policy, by the file's name."""
        charter = self.charter_lines
        return (
            charter if charter is not None and charter.where == where else self.policy_lines
        ).cite_at(line)

    @property
    def cameras(self) -> tuple[str, ...]:
        """The roster's cameras, in its order; none where there is no roster."""
        return tuple(self.roster.cameras) if self.roster is not None else ()
