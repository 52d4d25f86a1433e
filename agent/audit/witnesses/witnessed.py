"""By whom, when and how far a log is witnessed: the cosignatures on checkpoints that it fulfils,
held against the witnesses that an auditor asks for.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.audit.checkpoint_files import opened
from agent.core.log.witness_policy import WitnessPolicy
from agent.storage.log_notes import cosignatures
from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """`witness` (the policy's name) cosigned `size` leaves at POSIX time `at_s`."""

    witness: str
    size: int
    at_s: int
    file: Path


@dataclass(frozen=True, slots=True)
class Witnessed:
    """`seen`: the largest tree of each witness, its newest time. `size`: the leaves that enough
    witnesses vouch for, complete since `at_s`; 0 and 0 when too few do.

    `bad`: lines under a known witness's name that are not its own. They count for nothing.
    """

    policy: WitnessPolicy
    seen: tuple[Seen, ...]
    bad: tuple[str, ...]
    size: int = 0
    at_s: int = 0

    @property
    def met(self) -> bool:
        """Do enough of them vouch for anything?"""
        return self.size > 0 or self.policy.met(())


def witnessed(notes: Iterable[tuple[Path, bytes]], policy: WitnessPolicy) -> Witnessed:
    """`notes`: checkpoints of one log, each verified and fulfilled by it: a cosigned one vouches
    for every smaller tree too.
    """
    names = {(one.key.name, one.key.id): one.name for one in policy.witnesses}
    seen: dict[str, Seen] = {}
    bad: list[str] = []
    for file, untrusted_note in notes:
        found = opened(untrusted_note)
        if found is None:
            continue
        note, said = found
        for one in cosignatures(note.signatures, note, [each.key for each in policy.witnesses]):
            name = names[one.key.name, one.key.id]
            if one.at_s is None:
                bad.append(f"{file}: the line of {name} is not its signature")
                continue
            new = Seen(name, said.size, one.at_s, file)
            seen[name] = max(seen.get(name, new), new, key=lambda each: (each.size, each.at_s))
    size, at_s = _quorum(list(seen.values()), policy)
    order = [one.name for one in policy.witnesses if one.name in seen]
    return Witnessed(policy, tuple(seen[name] for name in order), tuple(bad), size, at_s)


def _quorum(seen: Sequence[Seen], policy: WitnessPolicy) -> tuple[int, int]:
    """The largest tree that enough of them vouch for, and since when they all do."""
    for size in sorted({one.size for one in seen}, reverse=True):
        since = policy.since({one.witness: one.at_s for one in seen if one.size >= size})
        if since is not None:
            return size, since
    return 0, 0
