"""What a log's owner tells the city of it: its newest checkpoint, with the proof that it has grown
out of what the city collected last.

A node of the tree takes two rows: the peaks stored with each checkpoint are nodes. They are not
trusted: whoever makes a proof of them checks it before it is handed out.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from agent.core.log.checkpoint import Checkpoint
from agent.core.log.collected import Answer, parse_answer, published_line
from agent.core.log.merkle import (
    HASH_BYTES,
    Frontier,
    consistency_ranges,
    range_root,
    verify_consistency,
)
from agent.core.log.tlog_proof import ConsistencyProof, format_proof
from agent.errors import LogRefusedError
from agent.storage.audit_log import AuditLog

Query = Callable[[str, tuple[object, ...]], Sequence[Sequence[object]]]
"""Rows of a SELECT."""


def growth(log: AuditLog, since: Checkpoint | None, at: datetime) -> bytes:
    """The message for the city's collector: the log as it is now, signed, published `at`, after the
    proof that it has grown out of `since`, which is one of its own trees. Raises StorageError.

    Where the stored nodes prove nothing (somebody changed them) it goes without, and the city says
    that the proof is missing.
    """
    note = log.signed_with((published_line(at),))
    if since is None:
        return note
    try:
        ranges = consistency_ranges(since.size, log.size)
        path = tuple(node_of(log.query, low, high) for low, high in ranges)
    except ValueError:
        return note
    root = log.root_at(log.size)
    if not verify_consistency(since.size, log.size, path, since.root, root):
        return note
    return format_proof(ConsistencyProof(since.size, path, note))


def answer_about(log: AuditLog, untrusted_answer: bytes) -> Answer | None:
    """The collector's answer, if it tells of a tree that this log did have; None otherwise. It is
    not signed, and need not be: the log itself says whether it is true.
    """
    try:
        answer = parse_answer(untrusted_answer)
    except ValueError:
        return None
    told = answer.collected
    if told.origin != log.origin or told.size > log.size:
        return None
    try:
        return answer if log.root_at(told.size) == told.root else None
    except LogRefusedError:  # no checkpoint of that size was ever stored
        return None


def node_of(query: Query, low: int, high: int) -> bytes:
    """The node over leaves `low` to `high` - 1, unverified. Raises ValueError."""
    last = _hash(query, high - 1)
    if high - 1 == low:
        return last
    rows = query("SELECT peaks FROM checkpoint WHERE size = ?", (high - 1,))
    if not rows or not isinstance(rows[0][0], bytes):
        msg = "no such checkpoint"
        raise ValueError(msg)
    return range_root(Frontier.decode(high - 1, rows[0][0]), low, last)


def is_hash(value: object) -> bool:
    """May it be one?"""
    return isinstance(value, bytes) and len(value) == HASH_BYTES


def _hash(query: Query, leaf: int) -> bytes:
    rows = query("SELECT hash FROM leaf WHERE n = ?", (leaf,))
    if not rows or not isinstance(rows[0][0], bytes) or not is_hash(rows[0][0]):
        msg = "no such leaf"
        raise ValueError(msg)
    return rows[0][0]
