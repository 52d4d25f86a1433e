"""How far the city's log is witnessed, and since when it is not: for `bundle show` and `audit
collect`.

Who must have cosigned is said by `witnesses.policy` in the city's folder (C2SP tlog-policy). A
cosigned checkpoint that is not the beginning of the log counts for nothing, and is told.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.audit.proofs.proof_check import signed_by
from agent.audit.proofs.proof_maker import ProofMaker
from agent.audit.trusted_keys import keys_of
from agent.audit.witnesses.asked_witnesses import policy_of
from agent.audit.witnesses.witnessed import Witnessed, witnessed
from agent.city.city_log import DATABASE, FOLDER, PUBLIC
from agent.core.log.checkpoint import MAX_NOTE_BYTES
from agent.core.text.rfc3339 import from_posix_s
from agent.disk.atomic_file import read_bounded
from agent.errors import PlatewardenError
from agent.storage.log_reader import opening, said_time, snapshot
from agent.storage.log_schema import COSIGNED_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.log.witness_policy import WitnessPolicy

POLICY = "witnesses.policy"


@dataclass(frozen=True, slots=True)
class WitnessReach:
    """`leaves`: of the city's log, 0 where there is none. `witnessed`: how many of them enough
    witnesses vouch for, since `at` (RFC 3339); `by`: the policy in words, "" without one.

    `since`: when the first leaf was logged that they do not vouch for, "" when they do for all.
    `problem`: why nothing can be said, or "".
    """

    leaves: int = 0
    witnessed: int = 0
    at: str = ""
    by: str = ""
    since: str = ""
    problem: str = ""

    def line(self) -> str:
        """For people."""
        if self.problem:
            return f"city's log: {self.problem}"
        if not self.leaves:
            return "city's log: not begun yet"
        told = f"city's log: {self.leaves} leaves"
        if self.witnessed:
            told += f", {self.witnessed} witnessed by {self.by} on {self.at}"
        if self.since:
            told += f"; UNWITNESSED since {self.since}"
            told += "" if self.by else f" (no {POLICY} says who must cosign)"
        return told


def witness_reach(city: Path) -> WitnessReach:
    """Raises nothing of ours: what is wrong is told."""
    folder = city / FOLDER
    if not (folder / DATABASE).is_file():
        return WitnessReach()
    try:
        maker = ProofMaker(folder, keys_of([folder / PUBLIC], None))
        leaves = maker.newest()[1].size
        file = city / POLICY
        policy = policy_of((), None, file) if os.path.lexists(file) else None
        if policy is None:
            return WitnessReach(leaves, since=_logged_at(folder, 0))
        found = _found(folder, maker, policy)
    except PlatewardenError as error:
        return WitnessReach(problem=str(error))
    since = _logged_at(folder, found.size) if found.size < leaves else ""
    at = from_posix_s(found.at_s) if found.size else ""
    return WitnessReach(leaves, found.size, at, str(policy), since)


def _found(folder: Path, maker: ProofMaker, policy: WitnessPolicy) -> Witnessed:
    """Raises UsageError, LogRefusedError for a cosigned checkpoint of another log or history."""
    file = folder / COSIGNED_FILE
    if not os.path.lexists(file):
        return witnessed((), policy)
    note = read_bounded(file, MAX_NOTE_BYTES)
    _, signed = signed_by(file, note, maker.keys)
    maker.since(signed)
    return witnessed([(file, note)], policy)


def _logged_at(folder: Path, leaf: int) -> str:
    """When it was logged, or "unknown" where it does not say so."""
    with snapshot(folder / DATABASE) as connection:
        row = connection.execute("SELECT details FROM leaf WHERE n = ?", (leaf,)).fetchone()
    said = opening(row[0]) if row and isinstance(row[0], bytes) else {}
    return said_time(said.get("at")) or "an unknown time"
