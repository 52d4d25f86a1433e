"""Two ways to make the virtual camera fail, from outside the process that uses it.

A *silent* sensor: commands work, but no frame comes, as with a loose ribbon cable. `install()` puts
it between libcamera and picamera2; a file switches it on and says what ends it. A *hung* driver:
threads of the library are frozen by ptrace, and every command to the camera waits for ever.
"""

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Variable of the environment: where the file may appear. It holds RESTART, REOPEN or FOR_GOOD.
STALL_FILE = "PLATEWARDEN_TEST_STALL"
RESTART, REOPEN, FOR_GOOD = "until-restart", "until-reopen", "for-good"
_SEIZE, _INTERRUPT = 0x4206, 0x4207
_ALL = 0x40000000
_PPOLL = {"271", "73"}  # its number on x86-64 and on arm64


def install(file: Path) -> None:
    """While `file` exists, completed requests vanish between libcamera and picamera2, as if the
    sensor had never filled them.
    """
    from picamera2 import picamera2 as library

    manager, camera = library.CameraManager, library.Picamera2
    handle, start, opened = manager.handle_request, camera.start_, camera.__init__

    def swallow(self, flushid=None):
        if file.exists():
            with self._lock:
                self.cms.get_ready_requests()
        else:
            handle(self, flushid)

    def heal(word: str) -> None:
        if file.exists() and file.read_text() == word:
            file.unlink()

    def start_and_heal(self):
        if self.frames:  # of this opening: it ran before, so this is a restart
            heal(RESTART)
        return start(self)

    def open_and_heal(self, *arguments, **named):
        heal(REOPEN)
        return opened(self, *arguments, **named)

    manager.handle_request, camera.start_, camera.__init__ = swallow, start_and_heal, open_and_heal


def stall(file: Path, until: str) -> None:
    """Whole at once: the camera's process looks at any time."""
    new = file.with_suffix(".new")
    new.write_text(until)
    new.rename(file)


def libcameras_threads(process: int) -> set[int]:
    """libcamera waits by ppoll, Python's threads by epoll or a futex: to stop one of these could
    stop the interpreter, and prove nothing.
    """
    found = set[int]()
    for _ in range(100):
        for task in Path(f"/proc/{process}/task").iterdir():
            with suppress(OSError):  # it has ended
                if (
                    int(task.name) != process
                    and (task / "syscall").read_text().split()[0] in _PPOLL
                ):
                    found.add(int(task.name))
        time.sleep(0.02)
    return found


@contextmanager
def frozen(process: int) -> Iterator[set[int]]:
    """Stop libcamera's threads, and only these; they go on when the block ends. Gives their ids."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    chosen = libcameras_threads(process)
    child = os.fork()  # the tracer: when it dies, the kernel lets the threads go
    if child == 0:
        for thread in chosen:
            if libc.ptrace(_SEIZE, thread, None, None) or libc.ptrace(
                _INTERRUPT, thread, None, None
            ):
                os._exit(1)
        with suppress(ChildProcessError):  # none is left
            while True:
                # A traced thread that dies is its tracer's to bury: its process could not end
                # before.
                os.waitpid(-1, _ALL)
        os._exit(0)
    try:
        time.sleep(0.5)
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "ptrace was refused"
        yield chosen
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
