"""Takes a camera out of service: a last leaf in its logs, then its keys, what waits, the hot list
and the city's root are destroyed.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from agent.bundles.hotlist_file import beside, files_in
from agent.core.log.checkpoint import origin_of
from agent.core.log.leaf import LeafKind
from agent.core.wire.device_public import FILE_NAME as PUBLIC
from agent.disk.atomic_file import storage_error
from agent.disk.destruction import destroy
from agent.errors import StorageError
from agent.host.clock import SystemClock
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import load_signing_key
from agent.storage.mailbox import SEALED_SUFFIX
from agent.verifying.device_public_file import load_device_public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.core.wire.device_public import DevicePublic
    from agent.settings import Settings

PROCESSES = ("watch", "deliver")
KEPT_OF_STATE = frozenset(
    {"log.sqlite", "log.sqlite-wal", "log.sqlite-shm", "log.sqlite.lock", "checkpoint"}
)


def end_camera(settings: Settings, require_assent: Callable[[str, int], None]) -> dict[str, object]:
    """Logs and public.json stay: they hold no plate and no secret, and an auditor can still read
    them.

    Can be run again where it was cut short.

    `require_assent(camera, reads that wait)`: raises where somebody does not want it.
    """
    public = load_device_public(settings.device)
    device = public.device
    waiting = sum(1 for path in _files(settings.outbox) if path.suffix == SEALED_SUFFIX)
    require_assent(device, waiting)
    # both are opened before anything is written: while a process runs, its log is locked
    with ExitStack() as logs:
        opened = [logs.enter_context(log) for log in _logs(settings, public)]
        for log in opened:
            log.append(LeafKind.DECOMMISSION, {"reads": waiting})
    wiped = 0
    for path in _doomed(settings):
        destroy(path)
        wiped += 1
    for folder in (settings.state, settings.device, settings.bundles, settings.anchor.parent):
        _remove_empty(folder)
    return {
        "camera": device,
        "wiped": f"{wiped} files, {waiting} reads unsent",
        "kept": f"{settings.device / PUBLIC} and the logs under {settings.state}",
    }


def _logs(settings: Settings, public: DevicePublic) -> Iterator[AuditLog]:
    """Every log that still has its key: where a first attempt was cut short, the leaf is there
    already.
    """
    for process in PROCESSES:
        key = settings.device / f"{process}-log.key"
        if key.exists():
            yield AuditLog(
                settings.state / process / "log.sqlite",
                origin_of(public.device, process, public.domain),
                load_signing_key(key),
                SystemClock().now,
            )


def _doomed(settings: Settings) -> Iterator[Path]:
    """Keys first: whatever is left after a power cut, nobody can speak as this camera."""
    device = [path for path in _files(settings.device) if path.name != PUBLIC]
    yield from sorted(device, key=lambda path: path.suffix not in {".key", ".cred"})
    for folder in (beside(settings.city), settings.city):
        yield from (folder / name for name in files_in(folder))
    yield from (
        path
        for path in _files(settings.state)
        if not (path.parent.parent == settings.state and path.name in KEPT_OF_STATE)
    )
    yield from _files(settings.bundles)
    yield from _files(settings.anchor.parent)


def _files(folder: Path) -> list[Path]:
    """All files below a folder. Links are removed, never followed."""
    try:
        found = sorted(folder.rglob("*")) if folder.is_dir() else []
        for path in [path for path in found if path.is_symlink()]:
            path.unlink()
        return [path for path in found if path.is_file() and not path.is_symlink()]
    except OSError as error:
        raise storage_error(error, folder, "cannot look into the folder") from None


def _remove_empty(folder: Path) -> None:
    """Folders that nothing is left in; the uppermost stays, since the system may have made it."""
    try:
        for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(path.iterdir()):
                path.rmdir()
    except OSError as error:
        raise StorageError(
            f"cannot remove an empty folder: {error.strerror}", where=folder
        ) from None
