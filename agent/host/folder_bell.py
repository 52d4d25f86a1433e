"""Rings when a file is given its name in a folder, so that nobody has to look again and again
(inotify(7)).
"""

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path

IN_MOVED_TO = 0x80  # <linux/inotify.h>
IN_IGNORED = 0x8000  # the folder is gone, and the watch with it
_HEAD = struct.Struct("iIII")  # watch, mask, cookie, bytes of name
_READ_BYTES = 1 << 16
_C = ctypes.CDLL(None, use_errno=True)


class FolderBell:
    """Implements ports.Bell: for files that are renamed into `folder`, as every mailbox's are.

    A folder that is not there yet is tried again at each `rang`. Where the kernel gives no watch
    (fs.inotify.max_user_watches), it never rings: whoever listens looks by the clock as well.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = os.fsencode(folder)
        self._descriptor = _C.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._watches = False
        self._watch()

    def fileno(self) -> int:
        """For select(2): readable once it has rung; -1 where there is no bell."""
        return int(self._descriptor)

    def rang(self) -> bool:
        """Has it rung since the last time?"""
        came = False
        with suppress(OSError):  # BlockingIOError: nothing more has come
            while data := os.read(self._descriptor, _READ_BYTES):
                came = True
                self._watches = self._watches and not _is_gone(data)
        self._watch()
        return came

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _watch(self) -> None:
        if not self._watches and self._descriptor >= 0:
            number = _C.inotify_add_watch(self._descriptor, self._folder, IN_MOVED_TO)
            self._watches = number >= 0


def _is_gone(events: bytes) -> bool:
    at = 0
    while at < len(events):
        _, mask, _, name_bytes = _HEAD.unpack_from(events, at)
        if mask & IN_IGNORED:
            return True
        at += _HEAD.size + name_bytes
    return False
