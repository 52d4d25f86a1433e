"""Versions of the software side by side, whole or not there, and the two links that choose one.

    versions/<sha256>/usr/lib/platewarden/   slot.json        confirmed → versions/<sha256>
    /run/platewarden-software/trial → the folder of the version on trial

The launcher (debian/platewarden.launcher) follows `trial`, else `confirmed`, else what the
machine's package has. `trial` lies in memory: a power cut ends every trial by itself.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.core.software.installed import SLOT, format_slot, parse_slot
from agent.disk.atomic_file import private_folder, read_bounded, storage_error, sync_folder
from agent.disk.atomic_file import write_new as write_file
from agent.disk.deb_file import unpack
from agent.disk.private_file import open_private
from agent.errors import BundleRefusedError, EnvelopeRefusedError, StorageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from agent.core.software.installed import Installed

VERSIONS, CONFIRMED, TRIAL = "versions", "confirmed", "trial"
PRIVATE = "usr/lib/platewarden"
ENTRY = f"{PRIVATE}/agent/cli.py"
_PART, _LOCK = ".part", "lock"
_MAX_SLOT_BYTES = 4_096
_READABLE = 0o755  # every process runs from there


class VersionStore:
    """`folder`: state/software, root's alone to write; `run`: where the trial's link lies, in
    memory; `base`: the version that the machine's package has.

    Everything raises StorageError where the disk fails.
    """

    def __init__(self, folder: Path, run: Path, base: Installed) -> None:
        self.folder, self._run, self._base = folder, run, base
        self._versions = folder / VERSIONS

    def confirmed(self) -> Installed:
        """What every process runs outside a trial, as the launcher chooses."""
        return self._slot(_linked(self.folder / CONFIRMED)) or self._base

    def linked(self) -> str:
        """The digest of the version on trial; empty: there is no link."""
        return _linked(self._run / TRIAL)

    def whole(self) -> frozenset[str]:
        """The digests of all versions that lie here, whole."""
        if not self._versions.is_dir():
            return frozenset()
        return frozenset(
            path.name for path in self._versions.iterdir() if self._slot(path.name) is not None
        )

    def put(self, package: Path, installed: Installed) -> None:
        """Unpack a package that was checked: whole and on the disk when this returns, or not there.

        Raises ConfigError, BundleRefusedError(software-altered).
        """
        private_folder(self.folder, _READABLE)
        private_folder(self._versions, _READABLE)
        part = self._versions / f"{installed.sha256}{_PART}"
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(mode=_READABLE)
            unpack(package, PRIVATE, part)
            if not (part / ENTRY).is_file():
                raise BundleRefusedError(
                    Reason.SOFTWARE_ALTERED,
                    f"holds no {ENTRY}",
                    where=package,
                    fix="the city must release another package",
                )
            # Nothing that watches plates writes beside its own code, so it is compiled here.
            compileall.compile_dir(part / PRIVATE, quiet=2, stripdir=str(part))
            write_file(part / SLOT, format_slot(installed), 0o644)
            os.sync()  # thousands of files: one sync of all is quicker than one of each
            part.rename(self._versions / installed.sha256)
            sync_folder(self._versions)
        except OSError as error:
            raise storage_error(error, part, "cannot unpack") from None
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def begin(self, sha256: str) -> None:
        """From now on what is started runs this version, until the trial ends or the power is
        cut.
        """
        private_folder(self._run, _READABLE)
        _link(self._run / TRIAL, str((self._versions / sha256).absolute()))

    def end(self) -> None:
        """The trial's link goes."""
        try:
            (self._run / TRIAL).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, self._run / TRIAL, "cannot remove") from None

    def confirm(self, sha256: str) -> None:
        """For good: this one rename decides, and it is on the disk when this returns."""
        _link(self.folder / CONFIRMED, f"{VERSIONS}/{sha256}")
        sync_folder(self.folder)

    def tidy(self, kept: Collection[str]) -> None:
        """Remove all versions but these, and what a crash left."""
        for path in self._versions.iterdir() if self._versions.is_dir() else ():
            if path.name not in kept:
                with suppress(OSError):  # the next time
                    shutil.rmtree(path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One run at a time: two would end each other's trial. Raises StorageError."""
        private_folder(self.folder, _READABLE)
        descriptor = open_private(self.folder / _LOCK, "cannot open")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise StorageError(
                "another process tries a version here", where=self.folder, fix="wait for its end"
            ) from None
        finally:
            os.close(descriptor)

    def _slot(self, sha256: str) -> Installed | None:
        """A version that lies here whole; None for any other name."""
        folder = self._versions / sha256
        if not sha256 or not (folder / ENTRY).is_file():
            return None
        try:
            found = parse_slot(read_bounded(folder / SLOT, _MAX_SLOT_BYTES), str(folder / SLOT))
        except (EnvelopeRefusedError, StorageError):
            return None
        return found if found.sha256 == sha256 else None


def _linked(link: Path) -> str:
    """The last name in a link; empty where there is none."""
    try:
        return link.readlink().name
    except OSError:
        return ""


def _link(link: Path, to: str) -> None:
    part = link.with_name(f".{link.name}{_PART}")
    try:
        part.unlink(missing_ok=True)
        part.symlink_to(to)
        part.replace(link)
    except OSError as error:
        raise storage_error(error, link, "cannot link") from None
