"""Cosigns logs' checkpoints: each must be signed by the log's key, and the tree that was cosigned
last must be its beginning (`platewarden audit witness`).

One log that cannot be cosigned costs that one.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from agent.audit.found_logs import logs_at
from agent.audit.witnesses.cosigner import cosign
from agent.audit.witnesses.grown_log import Last, is_log, look
from agent.audit.witnesses.witness_folder import WitnessFolder
from agent.core.log.checkpoint import MAX_SIGNATURES, Checkpoint, note, parse_note
from agent.core.text.rfc3339 import from_posix_s
from agent.errors import PlatewardenError, StorageError, UsageError
from agent.storage.log_key import TrustedLogKeys
from agent.values import dataclass, replace

_WORST_FIRST = (3, 1, 2)


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of one path. `signed`: the checkpoint that it offers; `last`: what this witness
    had cosigned before; `file`: the new cosigned checkpoint; `error`: why there is none.
    """

    path: Path
    signed: Checkpoint | None = None
    last: Last | None = None
    at_s: int | None = None
    file: Path | None = None
    error: PlatewardenError | None = None


def witness_all(
    paths: Sequence[Path], folder: WitnessFolder, keys: TrustedLogKeys, now_s: Callable[[], int]
) -> tuple[Looked, ...]:
    """`paths`: logs, folders above, proofs that a log has grown (`audit prove --grown`), or
    checkpoints. Raises StorageError for more logs than any city has.
    """
    found, faults = offered(paths)
    looked = [Looked(Path(fault.where), error=fault) for fault in faults]
    looked += [_one(path, folder, keys, now_s) for path in found]
    return tuple(looked)


def offered(paths: Sequence[Path]) -> tuple[list[Path], list[StorageError]]:
    """The logs and files at or below the paths, and the folders without any. Raises StorageError
    for more logs than any city has.
    """
    files = [path for path in paths if path.is_file() and not is_log(path)]
    logs, faults = logs_at(path for path in paths if path not in files)
    return [*logs, *files], faults


def exit_code_of(looked: Sequence[Looked]) -> int:
    """The worst: 3 a refusal, 1 unreadable, 2 nothing verified, 0 all cosigned."""
    codes = {one.error.exit_code for one in looked if one.error}
    return next((code for code in _WORST_FIRST if code in codes), 0)


def _one(
    path: Path, folder: WitnessFolder, keys: TrustedLogKeys, now_s: Callable[[], int]
) -> Looked:
    found = look(path, keys, folder)
    looked = Looked(path, found.signed, found.last, error=found.error)
    if found.error is not None or found.signed is None:
        return looked
    at_s, last = now_s(), found.last
    try:
        if last is not None and at_s < last.at_s:
            raise UsageError(
                f"this machine's clock says {from_posix_s(at_s)}, and the last cosignature is of "
                f"{from_posix_s(last.at_s)}",
                where=last.file,
                fix="set the clock: a cosignature tells a time",
            )
        data = _cosigned(found.note, found.signed.origin, folder, at_s)
        file = folder.keep(found.signed.origin, data)
    except PlatewardenError as error:
        return replace(looked, error=error)
    return replace(looked, at_s=at_s, file=file)


def _cosigned(untrusted_note: bytes, origin: str, folder: WitnessFolder, at_s: int) -> bytes:
    """The note with our line at its end; an earlier one of ours is gone, lines of others stay."""
    taken = parse_note(untrusted_note)
    mine = (folder.public.name, folder.public.id)
    others = [one for one in taken.signatures if (one.name, one.key_id) != mine]
    line = cosign(taken, folder.public.name, folder.key, at_s)
    # the log's own lines stand first, and are never the ones that are cut
    others.sort(key=lambda one: one.name != origin)
    return note(taken.signed, [*others[: MAX_SIGNATURES - 1], line])
