"""Verifies a log with trusted public keys: reads it, checks every signature, and reports
(`platewarden audit verify`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.log.checkpoint import MAX_NOTE_BYTES, Checkpoint, parse_body, parse_note
from agent.core.log.merkle import Frontier
from agent.core.reasons import Reason
from agent.disk.atomic_file import read_bounded
from agent.errors import UsageError
from agent.storage.log_check import Fault, Mark, examine
from agent.storage.log_key import TrustedLogKeys, load_trusted_keys
from agent.storage.log_notes import verified_checkpoint
from agent.storage.log_reader import LeafRow, StoredCheckpoint, UntrustedLog, database_of, read_log
from agent.storage.log_schema import CHECKPOINT_FILE

PUBLIC_KEYS = "public.json"


@dataclass(frozen=True, slots=True)
class LogReport:
    """What verification found. `head`: the newest valid checkpoint. `warnings`: what could not be
    checked, and is no fault.
    """

    origin: str
    leaves: int
    pruned: int
    kinds: Mapping[str, int]
    first_at: str
    last_at: str
    head: Checkpoint | None
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]


def verify(path: Path, keys: TrustedLogKeys, kept_checkpoints: Sequence[Path] = ()) -> LogReport:
    """Verify the log at `path`, also against the file `checkpoint` beside it and checkpoints that
    the auditor kept from earlier.

    Raises StorageError when there is no log or it cannot be read. Limit: an end that was cut off
    together with every checkpoint that signs it can be seen only with a checkpoint kept elsewhere.
    """
    database = database_of(path)
    beside = database.with_name(CHECKPOINT_FILE)
    files = [*([beside] if beside.is_file() else []), *kept_checkpoints]
    # before the database: a live log only grows
    notes = {file: read_bounded(file, MAX_NOTE_BYTES) for file in files}
    log = read_log(database)
    warnings = (
        ()
        if beside in notes
        else (f"no file `{CHECKPOINT_FILE}` beside the log: a cut-off end could go unseen",)
    )
    origin = _origin([*notes.values(), *(row.untrusted_note for row in reversed(log.checkpoints))])
    key = keys.for_origin(origin)
    if key is None:
        names = ", ".join(sorted(keys.keys)) or "none"
        what = (
            f"the log says it is {origin!r}; {keys.source} holds keys for: {names}"
            if origin
            else "the log holds no readable checkpoint: nothing is signed"
        )
        return _report(
            log, origin, None, (Fault(Reason.CHECKPOINT_INVALID, None, None, "", what),), warnings
        )
    marks, faults = _stored_marks(log.checkpoints, origin, key)
    faults += _add_files(marks, notes, origin, key)
    if marks:
        faults += examine(log.rows, marks)
    elif log.rows or not faults:
        faults.append(
            Fault(
                Reason.CHECKPOINT_INVALID,
                None,
                None,
                "",
                "there is no valid checkpoint: nothing is signed",
            )
        )
    head = marks[max(marks)].checkpoint if marks else None
    return _report(log, origin, head, tuple(faults), warnings)


def keys_nearby(path: Path) -> TrustedLogKeys:
    """The device's public.json where a device, or `demo --out`, keeps it. It proves little if the
    log's owner wrote it: --key is for auditors. Raises UsageError, StorageError.
    """
    folder = database_of(path).resolve().parent
    for above in (folder, *list(folder.parents)[:2]):
        for candidate in (above / PUBLIC_KEYS, above / "device" / PUBLIC_KEYS):
            if candidate.is_file():
                return load_trusted_keys(candidate)
    raise UsageError(
        "no public key: nothing says who must have signed this log",
        where=path,
        fix="give --key FILE, the public.json from the city's records",
    )


def _origin(untrusted_notes: Iterable[bytes]) -> str:
    """The origin of the first readable checkpoint."""
    for untrusted_note in untrusted_notes:
        try:
            return parse_body(parse_note(untrusted_note).signed).origin
        except ValueError:
            continue
    return ""


def _stored_marks(
    rows: Sequence[StoredCheckpoint], origin: str, key: Ed25519PublicKey
) -> tuple[dict[int, Mark], list[Fault]]:
    marks: dict[int, Mark] = {}
    faults: list[Fault] = []
    for row in rows:
        checkpoint = verified_checkpoint(row.untrusted_note, origin, key)
        if checkpoint is None or checkpoint.size != row.size:
            leaf = row.size - 1 if row.size > 0 else None
            faults.append(
                Fault(
                    Reason.CHECKPOINT_INVALID,
                    leaf,
                    leaf,
                    "",
                    "the checkpoint stored after it is not the one that the log's key signed",
                )
            )
            continue
        frontier = _authentic(row, checkpoint)
        if frontier is None:
            faults.append(
                Fault(
                    Reason.CHECKPOINT_INVALID,
                    row.size - 1,
                    row.size - 1,
                    "",
                    "the peaks stored after it do not fit the signed root",
                )
            )
        marks[row.size] = Mark(checkpoint, frontier)
    return marks, faults


def _authentic(row: StoredCheckpoint, checkpoint: Checkpoint) -> Frontier | None:
    try:
        frontier = Frontier.decode(row.size, row.untrusted_peaks)
    except ValueError:
        return None
    return frontier if frontier.root() == checkpoint.root else None


def _add_files(
    marks: dict[int, Mark], notes: Mapping[Path, bytes], origin: str, key: Ed25519PublicKey
) -> list[Fault]:
    faults: list[Fault] = []
    for file, untrusted_note in notes.items():
        checkpoint = verified_checkpoint(untrusted_note, origin, key)
        if checkpoint is None:
            faults.append(
                Fault(
                    Reason.CHECKPOINT_INVALID,
                    None,
                    None,
                    "",
                    f"the file {file} is not signed by the log's key",
                )
            )
            continue
        stored = marks.setdefault(checkpoint.size, Mark(checkpoint)).checkpoint
        if stored.root != checkpoint.root:
            what = (
                f"the log's key signed two histories of {checkpoint.size} leaves: one is in the "
                f"database, another in {file}"
            )
            faults.append(Fault(Reason.ROOT_MISMATCH, None, None, "", what))
    return faults


def _report(
    log: UntrustedLog,
    origin: str,
    head: Checkpoint | None,
    faults: tuple[Fault, ...],
    warnings: tuple[str, ...],
) -> LogReport:
    times = [row.at for row in log.rows if row.at]
    pruned = sum(row.pruned for row in log.rows)
    if len(log.checkpoints) < len(log.rows):
        warnings = (
            *warnings,
            (
                f"{len(log.rows) - len(log.checkpoints)} stored checkpoints are missing: a fault "
                "cannot be told leaf by leaf there"
            ),
        )
    if pruned:
        warnings = (
            *warnings,
            (
                f"{pruned} leaves are pruned: the tree still proves that they were there, not what "
                "they said"
            ),
        )
    return LogReport(
        origin=origin,
        leaves=len(log.rows),
        pruned=pruned,
        kinds=dict(sorted(Counter(_kind(row) for row in log.rows).items())),
        first_at=min(times, default=""),
        last_at=max(times, default=""),
        head=head,
        faults=faults,
        warnings=warnings,
    )


def _kind(row: LeafRow) -> str:
    return row.kind or ("pruned" if row.pruned else "unreadable")
