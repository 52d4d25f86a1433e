"""Verifies a log with trusted public keys: reads it, checks every signature, and reports
(`platewarden audit verify`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.audit.checkpoint_files import (
    CheckpointFile,
    Judged,
    LogKey,
    judge,
    opened,
    read_checkpoint_file,
)
from agent.audit.log_check import Mark, examine
from agent.audit.verdict import Fault, Verdict, verdict_of
from agent.core.log.checkpoint import Checkpoint
from agent.core.log.merkle import Frontier
from agent.core.reasons import Reason
from agent.storage.log_key import TrustedLogKeys
from agent.storage.log_notes import verified_checkpoint
from agent.storage.log_reader import LeafRow, StoredCheckpoint, UntrustedLog, database_of, read_log
from agent.storage.log_schema import CHECKPOINT_FILE


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint kept elsewhere that the log still fulfils: its first `size` leaves are those of
    then. `until`: when the last of them was logged (RFC 3339), or "" when that is withheld.
    """

    file: Path
    size: int
    until: str


@dataclass(frozen=True, slots=True)
class LogReport:
    """What verification found. `head`: the newest valid checkpoint.

    `unverified`: why nothing was checked, or "". `unusable`: checkpoint files that prove nothing.
    `strangers`: kept checkpoints of other logs. `warnings`: what could not be checked, and is no
    fault.
    """

    path: Path
    origin: str
    leaves: int
    pruned: int
    kinds: Mapping[str, int]
    first_at: str
    last_at: str
    head: Checkpoint | None
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]
    kept: tuple[Kept, ...] = ()
    unverified: str = ""
    unusable: tuple[str, ...] = ()
    strangers: tuple[Path, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """All of it in one word."""
        return verdict_of(self.faults, self.unverified, self.unusable)


def verify(
    path: Path,
    keys: TrustedLogKeys,
    kept_checkpoints: Sequence[Path] = (),
    *,
    among_many: bool = False,
) -> LogReport:
    """Verify the log at `path`, also against the file `checkpoint` beside it and checkpoints that
    the auditor kept from earlier.

    `among_many`: a kept checkpoint of another log is that log's affair. Raises StorageError when
    there is no log or it cannot be read. Limit: an end that was cut off together with every
    checkpoint that signs it can be seen only with a checkpoint kept elsewhere.
    """
    database = database_of(path)
    beside = database.with_name(CHECKPOINT_FILE)
    # before the database: a live log only grows
    own = read_checkpoint_file(beside) if beside.is_file() else None
    kept = [read_checkpoint_file(file) for file in kept_checkpoints]
    log = read_log(database)
    found = _Findings(log, own)
    notes = [row.untrusted_note for row in reversed(log.checkpoints)]
    notes += [file.untrusted_note for file in (own, *kept) if file]
    signer = _signer(notes, keys)
    if isinstance(signer, LogKey):
        found.check(signer, kept, alone=not among_many)
        return found.report(path, signer.origin)
    if signer or not log.rows:
        found.unverified = signer or "the log is empty: nothing was signed in it yet"
    else:
        found.faults = [_unsigned_log()]
    return found.report(path, _origin(notes))


class _Findings:
    """What is found of one log, as it is found."""

    def __init__(self, log: UntrustedLog, own: CheckpointFile | None) -> None:
        self._log, self._own = log, own
        self.faults: list[Fault] = []
        self.kept: list[Kept] = []
        self.unusable: list[str] = []
        self.strangers: list[Path] = []
        self.mended: list[Path] = []
        self.unverified = ""
        self.head: Checkpoint | None = None

    def check(self, signer: LogKey, kept: Sequence[CheckpointFile], *, alone: bool) -> None:
        """Every signature, then every leaf."""
        marks, self.faults = _stored_marks(self._log.checkpoints, signer)
        judged = [judge(file, signer) for file in kept]
        for one in judged:
            self._take(one, marks, alone=alone)
        if self._own is not None:
            self._take_own(judge(self._own, signer), marks)
        if marks:
            self.faults += examine(self._log.rows, marks)
            self.head = marks[max(marks)].checkpoint
        elif self._log.rows or not self.faults:
            self.faults.append(_unsigned_log())
        times = {row.place: row.at for row in self._log.rows}
        for one in judged:
            if one.checkpoint and not _contradicted(one.checkpoint, self.faults):
                size = one.checkpoint.size
                self.kept.append(Kept(one.file.path, size, times.get(size - 1, "")))

    def _take(self, one: Judged, marks: dict[int, Mark], *, alone: bool) -> None:
        """A checkpoint that the auditor brought: what is wrong with it is no fault of the log."""
        if one.file.mended:
            self.mended.append(one.file.path)
        if one.checkpoint is not None:
            self.faults += _add(marks, one.checkpoint, one.file.path)
        elif one.stranger:
            self.strangers.append(one.file.path)
        if one.checkpoint is None and (alone or not one.stranger):
            self.unusable.append(f"{one.file.path} {one.why}")

    def _take_own(self, one: Judged, marks: dict[int, Mark]) -> None:
        """The copy beside the log, which the log's owner has in his hand."""
        if one.checkpoint is not None:
            self.faults += _add(marks, one.checkpoint, one.file.path)
        elif one.forged:
            what = f"the file {one.file.path} {one.why}"
            self.faults.append(Fault(Reason.CHECKPOINT_INVALID, None, None, "", what))
        else:
            self.unusable.append(f"{one.file.path} {one.why}")

    def report(self, path: Path, origin: str) -> LogReport:
        """All of it."""
        rows = self._log.rows
        times = [row.at for row in rows if row.at]
        return LogReport(
            path=path,
            origin=origin,
            leaves=len(rows),
            pruned=sum(row.pruned for row in rows),
            kinds=dict(sorted(Counter(_kind(row) for row in rows).items())),
            first_at=min(times, default=""),
            last_at=max(times, default=""),
            head=self.head,
            faults=tuple(self.faults),
            warnings=tuple(self._warnings()),
            kept=tuple(self.kept),
            unverified=self.unverified,
            unusable=tuple(self.unusable),
            strangers=tuple(self.strangers),
        )

    def _warnings(self) -> Iterable[str]:
        if self._own is None:
            yield f"no file `{CHECKPOINT_FILE}` beside the log: a cut-off end could go unseen"
        lacking = len(self._log.rows) - len(self._log.checkpoints)
        if lacking > 0:
            yield (
                f"{lacking} stored checkpoints are missing: a fault cannot be told leaf by leaf "
                "there"
            )
        for path in self.mended:
            yield f"{path}: its line ends had been changed (CRLF), and were put right to check it"


def _signer(notes: Iterable[bytes], keys: TrustedLogKeys) -> LogKey | str:
    """Whose log it is: the first checkpoint that claims to be signed by a key of ours. Else why
    there is none, or "" when nothing is a checkpoint.

    Mitigates against: calling it a forgery when the auditor holds another camera's key.
    """
    why = ""
    for untrusted_note in notes:
        found = opened(untrusted_note)
        if found is None:
            continue
        note, said = found
        key = keys.for_origin(said.origin)
        if key is None:
            names = ", ".join(sorted(keys.keys)) or "none"
            why = why or (
                f"the log says that it is {said.origin}; {keys.source} holds keys for: {names}"
            )
            continue
        signer = LogKey(said.origin, key)
        if signer.signs(note):
            return signer
        ids = ", ".join(one.key_id.hex() for one in note.signatures)
        why = why or (
            f"the log {said.origin} is signed by a key with the id {ids}, and the one of "
            f"{keys.source} has the id {signer.id.hex()}: it is another camera's or an earlier "
            "key, or somebody else signed this log"
        )
    return why


def _origin(notes: Iterable[bytes]) -> str:
    """The origin of the first readable checkpoint."""
    return next((found[1].origin for note in notes if (found := opened(note))), "")


def _unsigned_log() -> Fault:
    what = "there is no valid checkpoint: nothing is signed"
    return Fault(Reason.CHECKPOINT_INVALID, None, None, "", what)


def _contradicted(checkpoint: Checkpoint, faults: Sequence[Fault]) -> bool:
    """Does a fault touch what this checkpoint signs?"""
    return any(
        fault.reason != Reason.LEAF_WITHHELD
        and (fault.leaf is None or fault.leaf < checkpoint.size)
        for fault in faults
    )


def _stored_marks(
    rows: Sequence[StoredCheckpoint], signer: LogKey
) -> tuple[dict[int, Mark], list[Fault]]:
    marks: dict[int, Mark] = {}
    faults: list[Fault] = []
    for row in rows:
        checkpoint = verified_checkpoint(row.untrusted_note, signer.origin, signer.key)
        if checkpoint is None or checkpoint.size != row.size:
            leaf = row.size - 1 if row.size > 0 else None
            what = "the checkpoint stored after it is not the one that the log's key signed"
            faults.append(Fault(Reason.CHECKPOINT_INVALID, leaf, leaf, "", what))
            continue
        frontier = _authentic(row, checkpoint)
        if frontier is None:
            what = "the peaks stored after it do not fit the signed root"
            leaf = row.size - 1
            faults.append(Fault(Reason.CHECKPOINT_INVALID, leaf, leaf, "", what))
        marks[row.size] = Mark(checkpoint, frontier)
    return marks, faults


def _authentic(row: StoredCheckpoint, checkpoint: Checkpoint) -> Frontier | None:
    try:
        frontier = Frontier.decode(row.size, row.untrusted_peaks)
    except ValueError:
        return None
    return frontier if frontier.root() == checkpoint.root else None


def _add(marks: dict[int, Mark], checkpoint: Checkpoint, file: Path) -> list[Fault]:
    stored = marks.setdefault(checkpoint.size, Mark(checkpoint)).checkpoint
    if stored.root == checkpoint.root:
        return []
    what = (
        f"the log's key signed two histories of {checkpoint.size} leaves: one is in the database, "
        f"another in {file}"
    )
    return [Fault(Reason.ROOT_MISMATCH, None, None, "", what)]


def _kind(row: LeafRow) -> str:
    return row.kind or ("withheld" if row.pruned else "unreadable")
