"""The newest checkpoints on their way to the city, and its answers on theirs: watch puts its log's
growth into the outbox, deliver shows the collector's answer in receipts/, and each reads the
other's file as an outsider's.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent import boundary
from agent.core.log.checkpoint import parse_note
from agent.core.log.collected import (
    MAX_ANSWER_BYTES,
    MAX_MESSAGE_BYTES,
    Answer,
    format_answer,
    published_at,
)
from agent.core.log.tlog_proof import ConsistencyProof, format_proof, parse_proof
from agent.core.reasons import Reason
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import EnvelopeRefusedError, StorageError
from agent.storage.log_growth import answer_about, covered, growth, witnessed_at
from agent.storage.log_notes import verified_checkpoint
from agent.storage.mailbox import FILE_MODE
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from agent.core.policy.schema.witness_rules import WitnessRules
    from agent.storage.audit_log import AuditLog

WITNESSED = "witnessed"  # in watch's own folder: the answer that enough witnesses vouched for last
GROWTH_EVERY_S = 3_600.0
AHEAD_S = 3_600  # of a witness's clock: one that signs years ahead would keep a camera open


@dataclass(frozen=True, slots=True)
class Witnessed:
    """`size` leaves of this log, for which enough witnesses vouch since `at_s` (POSIX seconds)."""

    size: int
    at_s: int
    answer: Answer


class GrowthWriter:
    """Watch's part: the log's growth in the outbox, an hour old at the most while leaves come, and
    written anew when the city has answered. `now`: UTC; `monotonic_s`: seconds; `kept`: the answer
    that enough witnesses vouched for last, in watch's own folder.
    """

    def __init__(
        self,
        path: Path,
        shown: Path,
        log: AuditLog,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        kept: Path,
    ) -> None:
        self._path, self._shown, self._log = path, shown, log
        self._now, self._monotonic_s = now, monotonic_s
        self._size, self._written_s = -1, 0.0
        self._stamp: tuple[int, int] | None = None
        self.answer: Answer | None = None
        self._kept = kept
        self._best: tuple[WitnessRules, Witnessed | None] | None = None

    def write(self) -> None:
        """Bring it up to date, if it is due. Raises StorageError."""
        answered = self._look()
        now_s = self._monotonic_s()
        due = self._size < 0 or now_s - self._written_s >= GROWTH_EVERY_S
        if self._log.size == 0 or not (answered or (due and self._log.size != self._size)):
            return
        since = self.answer.collected if self.answer else None
        write_atomic(self._path, growth(self._log, since, self._now()), FILE_MODE)
        self._size, self._written_s = self._log.size, now_s

    def witnessed(self, rules: WitnessRules) -> Witnessed | None:
        """How far this log is witnessed, as far as the camera knows. Raises StorageError."""
        if self._best is None or self._best[0] != rules:
            self._best = rules, witnessed_in(self._kept, self._log, rules)
            self._keep_better(rules)
        best = self._best[1]
        return best if best is not None and self._believed(best) else None

    def _keep_better(self, rules: WitnessRules) -> None:
        """What the newest answer shows, if it shows more than what is kept."""
        best, found = self._best[1] if self._best else None, None
        if self.answer is not None:
            found = _witnessed_by(self.answer, self._log, rules)
        if found is None or not self._believed(found):
            return
        if best is not None and self._believed(best) and best.at_s >= found.at_s:
            return
        write_atomic(self._kept, format_answer(found.answer))
        self._best = rules, found

    def _believed(self, found: Witnessed) -> bool:
        """One that signs years ahead would stand before all that others sign until then."""
        return found.at_s <= self._now().timestamp() + AHEAD_S

    def _look(self) -> bool:
        """Has another answer come that is about this log?"""
        try:
            status = os.stat(self._shown)  # noqa: PTH116 - once a second
        except OSError:
            return False
        if (stamp := (status.st_ino, status.st_mtime_ns)) == self._stamp:
            return False
        self._stamp, before = stamp, self.answer
        self.answer = answer_in(self._shown, self._log) or before
        if self._best is not None and self.answer is not before:
            self._keep_better(self._best[0])
        return self.answer is not before


class OwnGrowth:
    """Deliver's own log. `kept`: where the city's last answer is kept."""

    def __init__(self, log: AuditLog, kept: Path, now: Callable[[], datetime]) -> None:
        self._log, self._kept, self._now = log, kept, now
        self.origin = log.origin
        self._answer = answer_in(kept, log)

    def message(self) -> bytes | None:
        """For the collector. Raises StorageError."""
        since = self._answer.collected if self._answer else None
        return growth(self._log, since, self._now()) if self._log.size else None

    def answered(self, untrusted_answer: bytes) -> bool:
        """Is it a new answer about this log? It is kept then. Raises StorageError."""
        found = answer_about(self._log, untrusted_answer)
        if found is None or found == self._answer:
            return False
        write_atomic(self._kept, untrusted_answer)
        self._answer = found
        return True


class WatchGrowth:
    """Watch's log, as deliver sees it: a file in the outbox, and one that watch is shown."""

    def __init__(self, source: Path, shown: Path, origin: str, public_key: bytes) -> None:
        self._source, self._shown, self.origin = source, shown, origin
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    def message(self) -> bytes | None:
        """What watch wrote, if it is what it should be, byte for byte; None where there is none.

        Mitigates against: a watch that would send anything else to the city by this way. Raises
        EnvelopeRefusedError.
        """
        try:
            untrusted = read_bounded(self._source, MAX_MESSAGE_BYTES)
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise EnvelopeRefusedError(Reason.MALFORMED, error.what) from None
        with boundary.document("watch's checkpoint"):
            if not _is_growth(untrusted, self.origin, self._key):
                what = "watch's checkpoint is not signed by its log's key, or says more than it may"
                raise EnvelopeRefusedError(Reason.CHECKPOINT_INVALID, what)
        return untrusted

    def answered(self, untrusted_answer: bytes) -> bool:
        """Show it to watch, which knows whether it is true. Raises StorageError."""
        with suppress(StorageError):
            if read_bounded(self._shown, MAX_ANSWER_BYTES) == untrusted_answer:
                return False
        write_atomic(self._shown, untrusted_answer, FILE_MODE)
        return True


def answer_in(file: Path, log: AuditLog) -> Answer | None:
    """The answer that lies there, if it is about this log and true. It may be an outsider's."""
    with suppress(StorageError, EnvelopeRefusedError):
        untrusted = read_bounded(file, MAX_ANSWER_BYTES)
        with boundary.document("answer of the city's collector"):
            return answer_about(log, untrusted)
    return None


def witnessed_in(file: Path, log: AuditLog, rules: WitnessRules) -> Witnessed | None:
    """What the answer in a file shows; None: nothing."""
    answer = answer_in(file, log)
    return _witnessed_by(answer, log, rules) if answer else None


def _witnessed_by(answer: Answer, log: AuditLog, rules: WitnessRules) -> Witnessed | None:
    with suppress(EnvelopeRefusedError), boundary.document("answer of the city's collector"):
        at_s, size = witnessed_at(answer, rules), covered(answer, log)
        return Witnessed(size, at_s, answer) if at_s is not None and size else None
    return None


def _is_growth(untrusted: bytes, origin: str, key: Ed25519PublicKey) -> bool:
    try:
        proof = parse_proof(untrusted) if untrusted.startswith(b"old ") else None
        note = proof.note if proof else untrusted
        checkpoint = verified_checkpoint(note, origin, key)
        if checkpoint is None or len(parse_note(note).signatures) != 1:
            return False
        published_at(checkpoint.extensions)
    except ValueError:
        return False
    return proof is None or (
        isinstance(proof, ConsistencyProof) and format_proof(proof) == untrusted
    )
