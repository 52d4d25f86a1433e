"""How far witnesses vouch for the logs of a report: the table, and the cosigned checkpoints that it
is made of. They stand in the report, so that whoever makes it again needs no other ones.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.audit.witnesses.cosigned_reach import POLICY
from agent.audit.witnesses.log_reach import LogReach, Looked, bare_note, reaches
from agent.city.report.report_tables import Table
from agent.core.log.checkpoint import MAX_NOTE_BYTES
from agent.core.log.witness_policy import MAX_POLICY_BYTES, WitnessPolicy, parse_policy
from agent.disk.atomic_file import read_bounded
from agent.errors import UsageError
from agent.storage.log_key import TrustedLogKeys
from agent.storage.log_reader import database_of
from agent.storage.log_schema import COSIGNED_FILE
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agent.city.report.log_work import LogDone
    from agent.city.report.report_tables import Pin
    from agent.core.policy.charter import Charter

CHARTER, FILE = "as the city's charter says", f"as the city's {POLICY} says"


@dataclass(frozen=True, slots=True)
class Vouched:
    """`cosigned`: the checkpoint of each log that has one, with the lines that matter here;
    `policy_text`: who must cosign, where the charter does not say it.
    """

    table: Table
    cosigned: Mapping[str, bytes]
    policy_text: str


@dataclass(frozen=True, slots=True)
class Vouching:
    """Who must cosign, and by whose word. `pins`: an older report's, of which the checkpoints are
    then taken; None: those beside the logs.
    """

    policy: WitnessPolicy | None
    text: str
    pins: Mapping[str, Pin] | None

    def of(self, logs: Sequence[LogDone], raw_keys: Mapping[str, bytes]) -> Vouched:
        """The table. Raises StorageError."""
        keys = TrustedLogKeys(
            {name: Ed25519PublicKey.from_public_bytes(raw) for name, raw in raw_keys.items()}, ""
        )
        cosigned = {one.report.origin: self._cosigned(one, keys) for one in logs}
        looked = [
            Looked(one.report, one.leaves, cosigned[one.report.origin])
            for one in logs
            if one.leaves
        ]
        return Vouched(self._table(looked, reaches(looked, keys, self.policy)), cosigned, self.text)

    def _cosigned(self, log: LogDone, keys: TrustedLogKeys) -> bytes:
        """What stands beside the log, or in the older report."""
        origin = log.report.origin
        file = database_of(log.report.path).with_name(COSIGNED_FILE)
        if self.policy is None:
            return b""
        if self.pins is not None:
            untrusted = self.pins[origin].cosigned.encode() if origin in self.pins else b""
        else:
            untrusted = read_bounded(file, MAX_NOTE_BYTES) if os.path.lexists(file) else b""
        return bare_note(untrusted, keys, origin, self.policy)

    def _table(self, logs: Sequence[Looked], found: Mapping[str, LogReach]) -> Table:
        wanted = f"Wanted: {self.policy}, {FILE if self.text else CHARTER}."
        if self.policy is None:
            wanted = "Neither a charter nor the city says who must cosign, so nobody vouches."
        return Table(
            "witnesses",
            "How far witnesses vouch for the logs",
            "Whoever holds a log's key can sign two histories of it. A witness signs only one. "
            f"{wanted} A camera's log is vouched for through the city's log, too, which tells its "
            "checkpoints. What was logged since the time in the last column, nobody vouches for.",
            ("log", "leaves", "vouched for", "since", "through", "unwitnessed since"),
            tuple(_row(one, found[one.report.origin]) for one in logs),
            "No log is here.",
        )


def vouching_of(
    city: Path, charter: Charter | None, pins: Mapping[str, Pin] | None, told: str
) -> Vouching:
    """Who must cosign: by the charter, else by the file in the city's folder, or as an older report
    `told`. Raises UsageError, StorageError.
    """
    if charter is not None and charter.witnesses is not None:
        return Vouching(charter.witnesses.policy, "", pins)
    file = city / POLICY
    if pins is None:
        there = os.path.lexists(file)
        told = read_bounded(file, MAX_POLICY_BYTES).decode("utf-8", "replace") if there else ""
    try:
        return Vouching(parse_policy(told.encode()) if told else None, told, pins)
    except ValueError as error:
        raise UsageError(
            f"is no witness policy: {error}",
            where=file if pins is None else "the report",
            fix="see docs/ref/audit-log.md for its form",
        ) from None


def _row(log: Looked, reach: LogReach) -> tuple[str | int, ...]:
    told = reach.witnessed, reach.at, reach.through
    return (log.report.origin, log.leaves, *told, reach.since)
