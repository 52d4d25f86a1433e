"""What verifying one log found, as values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.audit.log_pass import WITHHELD, Passed
from agent.audit.verdict import Fault, Verdict, verdict_of
from agent.audit.witnesses.witnessed import Witnessed
from agent.core.log.checkpoint import Checkpoint
from agent.storage.log_reader import LeafRow, UntrustedLog
from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint kept elsewhere that the log still fulfils: its first `size` leaves are those of
    then. `until`: when the last of them was logged (RFC 3339), or "" when that is withheld.
    """

    file: Path
    size: int
    until: str


@dataclass(frozen=True, slots=True)
class Described:
    """A log in numbers. `lacking`: leaves without a checkpoint of their own."""

    leaves: int
    withheld: int
    lacking: int
    kinds: Mapping[str, int]
    first_at: str
    last_at: str


@dataclass(frozen=True, slots=True)
class LogReport:
    """What verification found. `head`: the newest valid checkpoint.

    `unverified`: why nothing was checked, or "". `unusable`: checkpoint files that prove nothing.
    `strangers`: kept checkpoints of other logs. `warnings`: what could not be checked, and is no
    fault. `witnessed`: by whom, if witnesses were asked for, and `unwitnessed_since`: when the last
    leaf was logged that they vouch for, or "".
    """

    path: Path
    origin: str
    log: Described
    head: Checkpoint | None
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]
    kept: tuple[Kept, ...] = ()
    unverified: str = ""
    unusable: tuple[str, ...] = ()
    strangers: tuple[Path, ...] = ()
    witnessed: Witnessed | None = None
    unwitnessed_since: str = ""

    @property
    def verdict(self) -> Verdict:
        """All of it in one word."""
        enough = self.witnessed is None or self.witnessed.met
        return verdict_of(self.faults, self.unverified, self.unusable, witnessed=enough)

    @property
    def leaves(self) -> int:
        """How many there are."""
        return self.log.leaves

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many leaves of each kind."""
        return self.log.kinds


def described_pass(passed: Passed) -> Described:
    """A log that went through in one pass."""
    return Described(
        passed.leaves,
        passed.kinds[WITHHELD],
        passed.lacking,
        dict(sorted(passed.kinds.items())),
        passed.first_at,
        passed.last_at,
    )


def described(log: UntrustedLog) -> Described:
    """A log that was read whole."""
    times = [row.at for row in log.rows if row.at]
    return Described(
        len(log.rows),
        sum(row.pruned for row in log.rows),
        max(0, len(log.rows) - len(log.checkpoints)),
        dict(sorted(Counter(_kind(row) for row in log.rows).items())),
        min(times, default=""),
        max(times, default=""),
    )


def contradicted(checkpoint: Checkpoint, faults: Sequence[Fault]) -> bool:
    """Does a fault touch what this checkpoint signs?"""
    return any(
        not fault.withheld and (fault.leaf is None or fault.leaf < checkpoint.size)
        for fault in faults
    )


def _kind(row: LeafRow) -> str:
    return row.kind or (WITHHELD if row.pruned else "unreadable")
