"""Makes proofs out of a log: that a leaf stands in it, that it has only grown.

Each proof takes a handful of rows: the peaks that are stored with each checkpoint are nodes of the
tree. They are not trusted. A proof that does not lead to the signed root is made again from all
leaves' hashes, and never handed out.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from agent.audit.checkpoint_files import judge, read_checkpoint_file
from agent.audit.log_verify import signer_of
from agent.core.log.checkpoint import Checkpoint
from agent.core.log.leaf import salted_leaf_hash
from agent.core.log.merkle import (
    Frontier,
    consistency_ranges,
    inclusion_ranges,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from agent.core.log.tlog_proof import ConsistencyProof, InclusionProof
from agent.core.reasons import Reason
from agent.errors import LogRefusedError, UsageError
from agent.storage.log_growth import Query, is_hash, node_of
from agent.storage.log_key import TrustedLogKeys
from agent.storage.log_notes import verified_checkpoint
from agent.storage.log_reader import database_of, snapshot

Ranges = Sequence[tuple[int, int]]
_FIX = "run `platewarden audit verify`: it names what is wrong with the log"


class ProofMaker:
    """Proofs of one log, whose newest checkpoint was signed by a key that is trusted.

    Raises StorageError; UsageError when no key fits; LogRefusedError when the log does not lead to
    what was signed.
    """

    def __init__(self, path: Path, keys: TrustedLogKeys) -> None:
        self._path, self.keys = database_of(path), keys

    def inclusion(self, leaf: int, kept: Path | None = None) -> InclusionProof:
        """Leaf `leaf`, with what it says, in the tree of the newest checkpoint, or of `kept`."""
        with self._opened() as connection:
            return self._included(connection, leaf, *self._signed(connection, kept))

    def inclusion_under(self, leaf: int, note: bytes, signed: Checkpoint) -> InclusionProof:
        """The same, under a checkpoint of this log that the caller has verified."""
        with self._opened() as connection:
            return self._included(connection, leaf, note, signed)

    def _included(
        self, connection: sqlite3.Connection, leaf: int, note: bytes, signed: Checkpoint
    ) -> InclusionProof:
        opening = self._opening(connection, leaf, signed)
        ranges = inclusion_ranges(leaf, signed.size)
        hashed = salted_leaf_hash(*opening)
        for path in self._paths(connection, ranges):
            if verify_inclusion(hashed, leaf, signed.size, path, signed.root):
                return InclusionProof(leaf, path, note, b"".join(opening))
        raise self._not_as_signed(f"leaf {leaf} does not lead to the signed root")

    def consistency(self, kept: Path) -> ConsistencyProof:
        """The tree of `kept` is the beginning of the newest one."""
        with self._opened() as connection:
            note, signed = self._signed(connection, None)
            _, old = self._signed(connection, kept)
            return self._grown(connection, old, note, signed)

    def newest(self) -> tuple[bytes, Checkpoint]:
        """The newest stored checkpoint, as bytes and as verified."""
        with self._opened() as connection:
            return self._signed(connection, None)

    def stored(self, size: int) -> tuple[bytes, Checkpoint]:
        """The stored checkpoint of that size. Raises UsageError where there is none."""
        with self._opened() as connection:
            _, newest = self._signed(connection, None)
            row = connection.execute(
                "SELECT note FROM checkpoint WHERE size = ?", (size,)
            ).fetchone()
            if not row or not isinstance(row[0], bytes):
                raise UsageError(
                    f"no checkpoint of {size} leaves is stored here, and the newest has "
                    f"{newest.size}",
                    where=self._path,
                    fix="give the log as it is now, or the checkpoint itself (--checkpoint)",
                )
            key = self.keys.for_origin(newest.origin)
            checkpoint = verified_checkpoint(row[0], newest.origin, key) if key else None
            if checkpoint is None or checkpoint.size != size:
                raise self._not_as_signed(f"the checkpoint of {size} leaves is not as signed")
            return row[0], checkpoint

    def since(self, old: Checkpoint) -> ConsistencyProof:
        """As `consistency`, of a tree that the caller has verified."""
        with self._opened() as connection:
            note, signed = self._signed(connection, None)
            return self._grown(connection, old, note, signed)

    def growth(self, old_size: int, note: bytes, signed: Checkpoint) -> ConsistencyProof:
        """The tree of `note` has grown out of this log's first `old_size` leaves: for a witness who
        says how many it has seen. 0: it has seen nothing, and there is nothing to prove.
        """
        if not 0 <= old_size <= signed.size:
            raise self._not_as_signed(f"of {old_size} leaves {signed.size} are here")
        if old_size == 0:
            return ConsistencyProof(0, (), note)
        with self._opened() as connection:
            for path in self._paths(connection, consistency_ranges(old_size, signed.size)):
                for root in self._roots(connection, old_size):
                    if verify_consistency(old_size, signed.size, path, root, signed.root):
                        return ConsistencyProof(old_size, path, note)
            raise self._not_as_signed("the leaves do not lead to the signed checkpoint")

    def leads(self) -> bool:
        """Do all the leaves together lead to the newest checkpoint's root?"""
        with self._opened() as connection:
            _, signed = self._signed(connection, None)
            try:
                return _by_leaves(connection, 0, signed.size) == signed.root
            except ValueError:
                return False

    def _grown(
        self, connection: sqlite3.Connection, old: Checkpoint, note: bytes, signed: Checkpoint
    ) -> ConsistencyProof:
        if not 0 < old.size <= signed.size:
            raise self._not_as_signed(
                f"the kept checkpoint has {old.size} leaves, the log {signed.size}"
            )
        for path in self._paths(connection, consistency_ranges(old.size, signed.size)):
            if verify_consistency(old.size, signed.size, path, old.root, signed.root):
                return ConsistencyProof(old.size, path, note)
        raise self._not_as_signed("the kept checkpoint is not the beginning of this log")

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return snapshot(self._path)

    def _signed(
        self, connection: sqlite3.Connection, kept: Path | None
    ) -> tuple[bytes, Checkpoint]:
        """A checkpoint as bytes and as verified: `kept`, else the newest one that is stored."""
        [newest] = connection.execute(
            "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1"
        ).fetchone() or [b""]
        signer = signer_of([newest] if isinstance(newest, bytes) else [], self.keys)
        if isinstance(signer, str):
            raise UsageError(
                f"nothing can be proven: {signer or 'the newest checkpoint is no checkpoint'}",
                where=self._path,
                fix="give the key that the city enrolled for this camera",
            )
        if kept is not None:
            judged = judge(read_checkpoint_file(kept), signer)
            if judged.checkpoint is None:
                raise UsageError(judged.why, where=kept, fix="give one of this log")
            return judged.file.untrusted_note, judged.checkpoint
        checkpoint = verified_checkpoint(newest, signer.origin, signer.key)
        if checkpoint is None:
            raise self._not_as_signed("the newest checkpoint's signature is not good")
        return newest, checkpoint

    def _opening(
        self, connection: sqlite3.Connection, leaf: int, signed: Checkpoint
    ) -> tuple[bytes, bytes]:
        """Salt and details."""
        if not 0 <= leaf < signed.size:
            raise UsageError(
                f"there is no leaf {leaf} among the {signed.size} that this checkpoint signs",
                where=self._path,
                fix="leaves are counted from 0; an older checkpoint knows fewer",
            )
        row = connection.execute("SELECT salt, details FROM leaf WHERE n = ?", (leaf,)).fetchone()
        salt, details = row or (b"", b"")
        if row and salt is None and details is None:
            raise LogRefusedError(
                Reason.LEAF_WITHHELD,
                f"what leaf {leaf} says is withheld, so nobody can be shown it",
                where=self._path,
                fix="ask who deleted it",
            )
        if not isinstance(salt, bytes) or not isinstance(details, bytes):
            raise self._not_as_signed(f"leaf {leaf} is no leaf of ours")
        return salt, details

    def _roots(self, connection: sqlite3.Connection, size: int) -> Iterator[bytes]:
        """The root of the first `size` leaves, by its stored peaks, and then from the leaves."""
        row = connection.execute("SELECT peaks FROM checkpoint WHERE size = ?", (size,)).fetchone()
        with suppress(ValueError):
            if row and isinstance(row[0], bytes):
                yield Frontier.decode(size, row[0]).root()
        with suppress(ValueError):
            yield _by_leaves(connection, 0, size)

    def _paths(self, connection: sqlite3.Connection, ranges: Ranges) -> Iterator[tuple[bytes, ...]]:
        """The nodes, first by the stored peaks, and then from the leaves."""
        with suppress(ValueError):  # a checkpoint is gone or altered: `audit verify` says which
            yield tuple(node_of(_rows_of(connection), low, high) for low, high in ranges)
        try:
            yield tuple(_by_leaves(connection, low, high) for low, high in ranges)
        except ValueError:
            raise self._not_as_signed("leaves are missing") from None

    def _not_as_signed(self, what: str) -> LogRefusedError:
        return LogRefusedError(Reason.ROOT_MISMATCH, what, where=self._path, fix=_FIX)


def _rows_of(connection: sqlite3.Connection) -> Query:
    return lambda statement, values: connection.execute(statement, values).fetchall()


def _by_leaves(connection: sqlite3.Connection, low: int, high: int) -> bytes:
    """The same, from all of them. Raises ValueError."""
    hashes = [
        one
        for (one,) in connection.execute(
            "SELECT hash FROM leaf WHERE n >= ? AND n < ? ORDER BY n", (low, high)
        )
    ]
    if len(hashes) != high - low or not all(map(is_hash, hashes)):
        msg = "leaves are missing"
        raise ValueError(msg)
    return root_of(hashes)
