"""A machine's disk: a small ext4 file system of its own, that can be full, refuse to be written,
and lose its power.
"""

import filecmp
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

SIZE_BYTES = 64 << 20
_COARSE_BYTES, _BLOCK_BYTES = 512 << 10, 4 << 10


class Disk:
    """Mounted at `folder`. `real`: False where this user may not mount: a folder, nothing more."""

    def __init__(self, folder: Path, *, real: bool) -> None:
        self.folder, self.real = folder, real
        self._image = folder.with_suffix(".img")
        self._ballast = folder / "ballast"
        folder.mkdir(parents=True)
        if real:
            with self._image.open("wb") as image:
                image.truncate(SIZE_BYTES)
            _run("mkfs.ext4", "-q", "-m", "0", str(self._image))
            self._mount()

    def sync(self) -> None:
        """Whoever installs a machine unmounts its card afterwards: all of it stands on the disk."""
        _run("sync", "--file-system", str(self.folder))

    def fill(self, leave_kb: int = 0) -> None:
        """Until so much room is left: most of it at once, the last of it block by block."""
        free = os.statvfs(self.folder)
        with self._ballast.open("wb") as ballast:
            with suppress(OSError):
                os.posix_fallocate(
                    ballast.fileno(), 0, max(1, free.f_bavail * free.f_frsize - _COARSE_BYTES)
                )
            ballast.seek(0, os.SEEK_END)
            with suppress(OSError):
                while os.write(ballast.fileno(), bytes(_BLOCK_BYTES)):
                    os.fsync(ballast.fileno())
            ballast.truncate(os.fstat(ballast.fileno()).st_size - leave_kb * 1024)

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def lock(self, *folders: Path) -> None:
        """Nothing may be made or removed in these folders, not even by root."""
        _run("chattr", "+i", *map(str, folders))

    def unlock(self, *folders: Path) -> None:
        _run("chattr", "-i", *map(str, folders))

    def snapshot(self) -> Path:
        """What stands on the disk itself at this instant: what nobody has synced is not there.

        Its processes are stopped. Looked at twice: the kernel may just be writing something back.
        Without a disk of its own, the folders are copied: then what was not synced is there too.
        """
        if not self.real:
            copy = self.folder.with_suffix(".copy")
            shutil.copytree(self.folder, copy, symlinks=True)
            return copy
        first, second = (self._image.with_suffix(f".{name}") for name in ("first", "second"))
        while True:
            for copy in (first, second):
                _run("cp", "--sparse=always", str(self._image), str(copy))
            if filecmp.cmp(first, second, shallow=False):
                second.unlink()
                return first

    def cut_power(self, snapshot: Path) -> None:
        """Everything that the kernel held in memory is gone; its processes have been killed."""
        if not self.real:
            shutil.rmtree(self.folder)
            snapshot.rename(self.folder)
            return
        _run("umount", str(self.folder))
        snapshot.rename(self._image)
        self._mount()

    def close(self) -> None:
        """Also where a process that does not end still holds it."""
        if self.real:
            _run("umount", "--lazy", str(self.folder))

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.folder))


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
