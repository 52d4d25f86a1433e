"""Verifies a log with trusted public keys: in one pass where it is as it was signed, else leaf by
leaf, and reports (`platewarden audit verify`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent.audit.checkpoint_files import (
    CheckpointFile,
    Judged,
    LogKey,
    judge,
    opened,
    read_checkpoint_file,
)
from agent.audit.log_check import WITHHELD, Mark, examine
from agent.audit.log_pass import Passed, one_pass
from agent.audit.log_report import (
    Described,
    Kept,
    LogReport,
    contradicted,
    described,
    described_pass,
)
from agent.audit.verdict import Fault
from agent.audit.witnesses.witnessed import witnessed
from agent.core.log.checkpoint import Checkpoint
from agent.core.log.merkle import Frontier
from agent.core.log.witness_policy import WitnessPolicy
from agent.core.reasons import Reason
from agent.storage.log_key import TrustedLogKeys
from agent.storage.log_notes import verified_checkpoint
from agent.storage.log_reader import (
    StoredCheckpoint,
    UntrustedLog,
    database_of,
    read_log,
    streamed,
)
from agent.storage.log_schema import CHECKPOINT_FILE, COSIGNED_FILE
from agent.values import dataclass, field

Tell = Callable[[int, int], None]  # leaves done, leaves


class LeafTaker(Protocol):
    """Whoever wants a log's leaves while it is verified, so that they are read once."""

    def begin(self, origin: str) -> None:
        """A log of this name, which says so itself: the leaves that follow are its first ones."""

    def take(self, number: int, at: str, kind: str, details: Mapping[str, object]) -> None:
        """One more leaf. `at`: its time, or ""; `kind`: also `withheld`, `unreadable`."""

    def void(self) -> None:
        """The log is not as it was signed: nothing that was given counts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How to verify. `among_many`: a kept checkpoint of another log is that log's affair.

    `every_signature`: of every stored checkpoint, also where the newest one vouches for it.
    `witnesses`: who must have cosigned.
    """

    kept: Sequence[Path] = ()
    among_many: bool = False
    every_signature: bool = False
    witnesses: WitnessPolicy | None = None


def verify(
    path: Path,
    keys: TrustedLogKeys,
    kept_checkpoints: Sequence[Path] = (),
    *,
    asked: Asked | None = None,
    tell: Tell = lambda _done, _all: None,
    taker: LeafTaker | None = None,
) -> LogReport:
    """Verify the log at `path`, also against the files `checkpoint` and `cosigned` beside it and
    checkpoints that the auditor kept from earlier. `taker` is given its leaves on the way.

    Raises StorageError when there is no log or it cannot be read. Limit: an end that was cut off
    together with every checkpoint that signs it can be seen only with a checkpoint kept elsewhere.
    """
    asked = asked or Asked(kept_checkpoints)
    database = database_of(path)
    beside = (database.with_name(name) for name in (CHECKPOINT_FILE, COSIGNED_FILE))
    # before the database: a live log only grows
    own = [read_checkpoint_file(file) for file in beside if file.is_file()]
    files = _Files(own, [read_checkpoint_file(file) for file in asked.kept], asked)
    report = _in_one_pass(path, database, keys, files, tell, taker)
    if report is None and taker is not None:
        taker.void()
    return report or _leaf_by_leaf(path, read_log(database), keys, files)


@dataclass(slots=True)
class _Files:
    """The checkpoints in files, and what they are found to be. `own`: those beside the log."""

    own: Sequence[CheckpointFile]
    kept: Sequence[CheckpointFile]
    asked: Asked
    good: list[Judged] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    strangers: list[Path] = field(default_factory=list)
    forged: list[Fault] = field(default_factory=list)

    def judge(self, signer: LogKey) -> None:
        """What is wrong with a checkpoint that the auditor brought is no fault of the log; the copy
        beside the log is in its owner's hand.
        """
        self.good, self.unusable, self.strangers, self.forged = [], [], [], []
        for file in (*self.kept, *self.own):
            one = judge(file, signer)
            told = f"{file.path} {one.why}"
            if one.checkpoint is not None:
                self.good.append(one)
            elif one.forged and file in self.own:
                self.forged.append(Fault(Reason.CHECKPOINT_INVALID, None, None, "", f"file {told}"))
            elif one.stranger and file not in self.own:
                self.strangers.append(file.path)
                self.unusable += [] if self.asked.among_many else [told]
            else:
                self.unusable.append(told)

    def report(
        self,
        path: Path,
        origin: str,
        log: Described,
        head: Checkpoint | None = None,
        faults: Sequence[Fault] = (),
        times: Callable[[int], str] = lambda _: "",
        unverified: str = "",
    ) -> LogReport:
        """All of it. `times`: when the last of so many leaves was logged."""
        fulfilled = [
            one for one in self.good if one.checkpoint and not contradicted(one.checkpoint, faults)
        ]
        kept = [
            Kept(one.file.path, one.checkpoint.size, times(one.checkpoint.size))
            for one in fulfilled
            if one.file not in self.own and one.checkpoint
        ]
        cosigned = None
        if self.asked.witnesses is not None:
            notes = [(one.file.path, one.file.untrusted_note) for one in fulfilled]
            cosigned = witnessed(notes, self.asked.witnesses)
        return LogReport(
            path=path,
            origin=origin,
            log=log,
            head=head,
            faults=tuple(faults),
            warnings=(*self._warnings(log), *self._contradicting(faults)),
            kept=tuple(kept),
            unverified=unverified,
            unusable=tuple(self.unusable),
            strangers=tuple(self.strangers),
            witnessed=cosigned,
            unwitnessed_since=times(cosigned.size) if cosigned and cosigned.size else "",
        )

    def _contradicting(self, faults: Sequence[Fault]) -> Iterable[str]:
        """Cosigned checkpoints that the log does not fulfil: the witnesses saw another history."""
        for one in self.good:
            if self.asked.witnesses is None or not one.checkpoint:
                continue
            if contradicted(one.checkpoint, faults):
                note = [(one.file.path, one.file.untrusted_note)]
                names = ", ".join(
                    each.witness for each in witnessed(note, self.asked.witnesses).seen
                )
                yield f"{one.file.path} says otherwise, and is cosigned by {names or 'nobody'}"

    def _warnings(self, log: Described) -> Iterable[str]:
        if all(file.path.name != CHECKPOINT_FILE for file in self.own):
            yield f"no file `{CHECKPOINT_FILE}` beside the log: a cut-off end could go unseen"
        if log.lacking:
            yield (
                f"{log.lacking} stored checkpoints are missing: a fault cannot be told leaf by "
                "leaf there"
            )
        for file in self.kept:
            if file.mended:
                yield (
                    f"{file.path}: its line ends had been changed (CRLF), and were put right to "
                    "check it"
                )


def _in_one_pass(
    path: Path,
    database: Path,
    keys: TrustedLogKeys,
    files: _Files,
    tell: Tell,
    taker: LeafTaker | None = None,
) -> LogReport | None:
    """None when anything at all is not as it was signed: then it is looked at leaf by leaf."""
    with streamed(database) as log:
        signer = signer_of([log.newest], keys)
        if not isinstance(signer, LogKey):
            return None
        files.judge(signer)
        signed = [one.checkpoint for one in files.good if one.checkpoint]
        if taker is not None:
            taker.begin(signer.origin)
        passed = one_pass(
            log.leaves,
            log.checkpoints,
            signer,
            frozenset(one.size for one in signed),
            every_signature=files.asked.every_signature,
            tell=lambda done: tell(done, log.rows),
            each=taker.take if taker else None,
        )
    if passed is None or files.forged:
        return None
    if any(passed.roots.get(one.size) != one.root for one in signed):
        return None
    faults = [
        Fault(Reason.LEAF_WITHHELD, first, last, "", WITHHELD) for first, last in passed.withheld
    ]
    return files.report(
        path, signer.origin, described_pass(passed), passed.head, faults, _times_of(passed)
    )


def _times_of(passed: Passed) -> Callable[[int], str]:
    return lambda size: passed.times.get(size, "")


def _leaf_by_leaf(path: Path, log: UntrustedLog, keys: TrustedLogKeys, files: _Files) -> LogReport:
    """Every signature, then every leaf, all in memory: names what is wrong, and where."""
    notes = [row.untrusted_note for row in reversed(log.checkpoints)]
    notes += [file.untrusted_note for file in (*files.own, *files.kept)]
    signer, found = signer_of(notes, keys), described(log)
    if not isinstance(signer, LogKey):
        origin = _origin(notes)
        if signer or not log.rows:
            why = signer or "the log is empty: nothing was signed in it yet"
            return files.report(path, origin, found, unverified=why)
        return files.report(path, origin, found, faults=[_unsigned_log()])
    marks, faults = _stored_marks(log.checkpoints, signer)
    files.judge(signer)
    faults += files.forged
    for one in files.good:
        if one.checkpoint:
            faults += _add(marks, one.checkpoint, one.file.path)
    if marks:
        faults += examine(log.rows, marks)
    elif log.rows or not faults:
        faults.append(_unsigned_log())
    head = marks[max(marks)].checkpoint if marks else None
    times = {row.place + 1: row.at for row in log.rows}
    return files.report(path, signer.origin, found, head, faults, lambda size: times.get(size, ""))


def signer_of(notes: Iterable[bytes], keys: TrustedLogKeys) -> LogKey | str:
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
