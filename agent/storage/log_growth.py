"""What a log's owner tells the city of it: its newest checkpoint, with the proof that it has grown
out of what the city collected last.

A node of the tree takes two rows: the peaks stored with each checkpoint are nodes. They are not
trusted: whoever makes a proof of them checks it before it is handed out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.log.checkpoint import Checkpoint, parse_note
from agent.core.log.collected import Answer, parse_answer, published_line
from agent.core.log.leaf import SALT_BYTES, LeafKind
from agent.core.log.merkle import (
    HASH_BYTES,
    Frontier,
    consistency_ranges,
    leaf_hash,
    range_root,
    verify_consistency,
    verify_inclusion,
)
from agent.core.log.tlog_proof import ConsistencyProof, format_proof
from agent.errors import LogRefusedError
from agent.storage.log_notes import cosignatures, verified_checkpoint

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from agent.core.policy.schema.witness_rules import WitnessRules
    from agent.storage.audit_log import AuditLog

_DEMANDS = (
    "CREATE TABLE IF NOT EXISTS witness_demand (rules TEXT PRIMARY KEY, since_s INTEGER NOT NULL) "
    "STRICT"
)
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


def witnessed_at(answer: Answer, rules: WitnessRules) -> int | None:
    """Since when (POSIX seconds) enough witnesses vouch for the answer's leaf: the city's log holds
    this very log at a size that `covered` tells. None where they do not, or the proof does not
    hold.
    """
    proof = answer.proof
    key = Ed25519PublicKey.from_public_bytes(rules.log_key)
    signed = verified_checkpoint(proof.note, rules.log, key) if proof else None
    if proof is None or signed is None or len(proof.extra) < SALT_BYTES:
        return None
    leaf = leaf_hash(sha256(proof.extra).digest())
    if not verify_inclusion(leaf, proof.index, signed.size, proof.path, signed.root):
        return None
    note = parse_note(proof.note)
    names = {(one.key.name, one.key.id): one.name for one in rules.policy.witnesses}
    found: dict[str, int] = {}
    keys = [one.key for one in rules.policy.witnesses]
    for one in cosignatures(note.signatures, note, keys):
        if one.at_s is not None:
            name = names[one.key.name, one.key.id]
            found[name] = max(one.at_s, found.get(name, 0))
    return rules.policy.since(found)


def demanded_since(log: AuditLog, rules: WitnessRules, now_s: int) -> int:
    """Since when (POSIX seconds) this camera has known that these witnesses are asked for: the
    first time it is asked, which is a leaf. Starting again changes nothing. Raises StorageError.
    """
    log.add_tables(_DEMANDS)
    keys = [str(one.key) for one in rules.policy.witnesses]
    told = (rules.log, rules.log_key.hex(), keys, str(rules.policy), rules.close_after_s)
    name = sha256(json.dumps(told).encode()).hexdigest()
    for (since_s,) in log.query("SELECT since_s FROM witness_demand WHERE rules = ?", (name,)):
        if isinstance(since_s, int):
            return since_s

    def note(connection: sqlite3.Connection, _number: int) -> None:
        connection.execute("INSERT INTO witness_demand VALUES (?, ?)", (name, now_s))

    details = {"outcome": "demanded", "by": str(rules.policy), "close_after_s": rules.close_after_s}
    log.append(LeafKind.CHECKPOINT, details, also=note)
    return now_s


def told_size(answer: Answer) -> int:
    """How many leaves the proven leaf tells of, unverified; 0: of none."""
    try:
        size = json.loads(answer.proof.extra[SALT_BYTES:])["size"] if answer.proof else 0
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
    return size if type(size) is int else 0


def covered(answer: Answer, log: AuditLog) -> int:
    """How many leaves of this log the proven leaf of the city's log tells of; 0: of none."""
    proof = answer.proof
    try:
        said = json.loads(proof.extra[SALT_BYTES:]) if proof else {}
        size, fits = said["size"], said["kind"] == LeafKind.CHECKPOINT
        fits = fits and said["outcome"] in {"first", "grown"} and said["log"] == log.origin
        same = fits and type(size) is int and 0 < size <= log.size
        return size if same and log.root_at(size).hex() == said["root"] else 0
    except (ValueError, TypeError, KeyError, RecursionError, LogRefusedError):
        return 0


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
