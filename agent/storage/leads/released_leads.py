"""The newest leads that watch released, and what became of each: tables in its log's database, so
that none changes without its leaf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.log.leaf import LeafKind
from agent.core.text.rfc3339 import rfc3339
from agent.storage.log_reader import snapshot
from agent.values import dataclass

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from agent.core.wire.receipt import Disposition
    from agent.core.wire.tags import Tags
    from agent.storage.audit_log import AuditLog

MOST = 2_000  # leads that are remembered; an outcome of an older one is told to nobody
TABLES = """
CREATE TABLE IF NOT EXISTS lead (
    read_id TEXT PRIMARY KEY, recipient TEXT NOT NULL, rule TEXT NOT NULL, category TEXT NOT NULL,
    policy_version INTEGER NOT NULL, captured TEXT NOT NULL, outcome TEXT, is_false INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS stopped_rule (
    rule TEXT NOT NULL, policy_version INTEGER NOT NULL, PRIMARY KEY (rule, policy_version)
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Lead:
    """One released read of which nothing was reported yet."""

    read_id: str
    recipient: str
    rule: str
    category: str


def remember(connection: sqlite3.Connection, tags: Tags) -> None:
    """A read is released: in the transaction of its leaf."""
    connection.execute(
        "INSERT OR REPLACE INTO lead VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
        (
            tags.read_id,
            tags.recipient,
            tags.rule,
            tags.category,
            tags.policy_version,
            rfc3339(tags.captured_at),
        ),
    )
    connection.execute("DELETE FROM lead WHERE rowid <= (SELECT max(rowid) FROM lead) - ?", (MOST,))


class ReleasedLeads:
    """Watch's own, over its log. Raises StorageError."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        log.add_tables(TABLES)

    def unreported(self) -> Sequence[str]:
        """Ids of the leads of which nothing was reported, the oldest first."""
        rows = self._log.query("SELECT read_id FROM lead WHERE outcome IS NULL ORDER BY rowid")
        return [str(read_id) for (read_id,) in rows]

    def lead(self, read_id: str) -> Lead | None:
        """One of them; None once it was reported, or is too old."""
        rows = self._log.query(
            "SELECT read_id, recipient, rule, category FROM lead "
            "WHERE read_id = ? AND outcome IS NULL",
            (read_id,),
        )
        return next((Lead(*map(str, row)) for row in rows), None)

    def book(self, lead: Lead, disposition: Disposition, details: Mapping[str, object]) -> None:
        """What became of it, with its leaf."""

        def also(connection: sqlite3.Connection, _first: int) -> None:
            connection.execute(
                "UPDATE lead SET outcome = ?, is_false = ? WHERE read_id = ?",
                (disposition.value, int(disposition.false), lead.read_id),
            )

        self._log.append(LeafKind.OUTCOME, details, also=also)

    def false_leads(self, rule: str, policy_version: int, since: datetime) -> int:
        """How many that the rule released under this version, captured since then, were false."""
        rows = self._log.query(
            "SELECT count(*) FROM lead "
            "WHERE rule = ? AND policy_version = ? AND captured >= ? AND is_false = 1",
            (rule, policy_version, rfc3339(since)),
        )
        return int(str(rows[0][0]))

    def stopped(self, policy_version: int) -> frozenset[str]:
        """The rules that stopped under this version."""
        rows = self._log.query(
            "SELECT rule FROM stopped_rule WHERE policy_version = ?", (policy_version,)
        )
        return frozenset(str(rule) for (rule,) in rows)

    def stop(self, rule: str, policy_version: int, details: Mapping[str, object]) -> None:
        """Stop a rule until another version is in force, with its leaf."""

        def also(connection: sqlite3.Connection, _first: int) -> None:
            connection.execute(
                "DELETE FROM stopped_rule WHERE policy_version <> ?", (policy_version,)
            )
            connection.execute(
                "INSERT OR IGNORE INTO stopped_rule VALUES (?, ?)", (rule, policy_version)
            )

        self._log.append(LeafKind.REFUSAL, details, also=also)


def stopped_rules(database: Path, policy_version: int) -> Sequence[str]:
    """For `status`, unverified. Raises StorageError."""
    with snapshot(database) as connection:
        known = "SELECT 1 FROM sqlite_schema WHERE name = 'stopped_rule'"
        if connection.execute(known).fetchone() is None:
            return []
        rows = connection.execute(
            "SELECT rule FROM stopped_rule WHERE policy_version = ? ORDER BY rule",
            (policy_version,),
        )
        return [str(rule) for (rule,) in rows]
