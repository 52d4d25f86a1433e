"""How far one log is witnessed by a cosigned checkpoint beside it, and since when it is not: for
whoever keeps the log, such as a city or a recipient.

A cosigned checkpoint that is not the beginning of the log counts for nothing, and is told.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.audit.proofs.proof_check import signed_by
from agent.audit.proofs.proof_maker import ProofMaker
from agent.audit.trusted_keys import keys_of
from agent.audit.witnesses.asked_witnesses import policy_of
from agent.audit.witnesses.witnessed import Witnessed, witnessed
from agent.core.log.checkpoint import MAX_NOTE_BYTES
from agent.core.text.rfc3339 import from_posix_s
from agent.disk.atomic_file import read_bounded
from agent.errors import PlatewardenError
from agent.storage.log_reader import opening, said_time, snapshot
from agent.storage.log_schema import COSIGNED_FILE
from agent.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.log.witness_policy import WitnessPolicy

POLICY = "witnesses.policy"


@dataclass(frozen=True, slots=True)
class WitnessReach:
    """`leaves`: of the log, 0 where there is none. `witnessed`: how many of them enough witnesses
    vouch for, since `at` (RFC 3339); `by`: the policy in words, "" without one.

    `since`: when the first leaf was logged that they do not vouch for, "" when they do for all.
    `problem`: why nothing can be said, or "". `log`: what it is called, for people.
    """

    leaves: int = 0
    witnessed: int = 0
    at: str = ""
    by: str = ""
    since: str = ""
    problem: str = ""
    log: str = "city's log"

    def line(self) -> str:
        """For people."""
        return f"{self.log}: {self.words()}"

    def words(self) -> str:
        """The same without the log's name."""
        if self.problem:
            return self.problem
        if not self.leaves:
            return "not begun yet"
        told = f"{self.leaves} leaves"
        if self.witnessed:
            told += f", {self.witnessed} witnessed by {self.by} on {self.at}"
        if self.since:
            told += f"; UNWITNESSED since {self.since}"
            told += "" if self.by else f" (no {POLICY} says who must cosign)"
        return told


def reach_of(database: Path, public: Path, policy_file: Path, log: str) -> WitnessReach:
    """`public`: the log's own public key; `policy_file`: who must cosign (C2SP tlog-policy), if it
    is there. Raises nothing of ours: what is wrong is told.
    """
    if not database.is_file():
        return WitnessReach(log=log)
    try:
        maker = ProofMaker(database.parent, keys_of([public], None))
        leaves = maker.newest()[1].size
        policy = policy_of((), None, policy_file) if os.path.lexists(policy_file) else None
        if policy is None:
            return WitnessReach(leaves, since=logged_at(database, 0), log=log)
        found = _found(database.parent, maker, policy)
        since = logged_at(database, found.size) if found.size < leaves else ""
    except PlatewardenError as error:
        return WitnessReach(problem=str(error), log=log)
    at = from_posix_s(found.at_s) if found.size else ""
    return WitnessReach(leaves, found.size, at, str(policy), since, log=log)


def logged_at(database: Path, leaf: int) -> str:
    """When a leaf was logged, as it says itself. Raises StorageError."""
    with snapshot(database) as connection:
        row = connection.execute("SELECT details FROM leaf WHERE n = ?", (leaf,)).fetchone()
    said = opening(row[0]) if row and isinstance(row[0], bytes) else {}
    return said_time(said.get("at")) or "an unknown time"


def _found(folder: Path, maker: ProofMaker, policy: WitnessPolicy) -> Witnessed:
    """Raises UsageError, LogRefusedError for a cosigned checkpoint of another log or history."""
    file = folder / COSIGNED_FILE
    if not os.path.lexists(file):
        return witnessed((), policy)
    note = read_bounded(file, MAX_NOTE_BYTES)
    _, signed = signed_by(file, note, maker.keys)
    maker.since(signed)
    return witnessed([(file, note)], policy)
