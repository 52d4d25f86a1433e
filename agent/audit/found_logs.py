"""Which logs lie at or below the paths that an auditor names."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.errors import StorageError
from agent.storage.log_reader import LOG_FILE

MAX_DEPTH = 6  # audit/main-street-1/state/watch, and two to spare
MAX_LOGS = 10_000


def is_one_log(path: Path) -> bool:
    """A database, or the folder of one."""
    return not path.is_dir() or (path / LOG_FILE).is_file()


def logs_at(paths: Iterable[Path]) -> tuple[list[Path], list[StorageError]]:
    """The logs' folders or files, each once, in the order of the paths and by name below one; and
    the folders that cannot be listed or hold none.

    Raises StorageError for more than MAX_LOGS.
    """
    found: dict[Path, None] = {}
    faults: list[StorageError] = []
    for path in paths:
        below = [path] if is_one_log(path) else list(_below(path, MAX_DEPTH, faults))
        if not below:
            what = "no audit log here, nor in any folder below"
            fix = "give the folder that holds log.sqlite (state/watch, state/deliver), or one above"
            faults.append(StorageError(what, where=path, fix=fix))
        found |= dict.fromkeys(below)
        if len(found) > MAX_LOGS:
            raise StorageError(f"more than {MAX_LOGS} logs", where=path, fix="give fewer at once")
    return list(found), faults


def _below(folder: Path, depth: int, faults: list[StorageError]) -> Iterator[Path]:
    """Links are not followed: a stranger's folder must not lead elsewhere, or round in a circle."""
    try:
        inner = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        what = f"cannot be listed: {(error.strerror or 'unknown error').lower()}"
        faults.append(StorageError(what, where=folder, fix="check its permissions"))
        return
    if any(entry.name == LOG_FILE and entry.is_file(follow_symlinks=False) for entry in inner):
        yield folder
    if depth:
        for entry in inner:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path), depth - 1, faults)
