"""Runs watch and deliver as two processes of this machine, and stops both together: for a laptop or
a rig.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Self

from agent.errors import PlatewardenError, UsageError

STOP_WITHIN_S = 15.0
POLL_S = 0.1


def run_pair(config: Path, source: str, settle_s: float) -> None:
    """Until the source ends or SIGTERM comes.

    Raises UsageError, or ChildFailedError of whichever process ended by itself.
    """
    if not config.is_file():
        raise UsageError(
            "no settings file",
            where=config,
            fix="give --config FILE; see config/platewarden.example.toml",
        )
    common = ["--config", str(config), *(["--allow-unsigned"] if source != "picamera" else [])]
    with Children() as children:
        watch = children.start("watch", *common, "--source", source, "--settle", str(settle_s))
        deliver = children.start("deliver", *common)
        while watch.poll() is None and deliver.poll() is None and not children.stopping:
            time.sleep(POLL_S)
        ended = [
            (name, child.returncode)
            for name, child in (("watch", watch), ("deliver", deliver))
            if child.poll() is not None
        ]
    stopped = [
        (name, child.returncode)
        for name, child in (("watch", watch), ("deliver", deliver))
        if child.returncode != -signal.SIGTERM
    ]
    # who ended by itself comes first: the other was only stopped for it, perhaps before it was up
    for name, code in (*ended, *stopped):
        if code:
            raise ChildFailedError(name, code)


class ChildFailedError(PlatewardenError):
    """A child ended by itself with an error, which it has printed; its exit code becomes ours."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} ended with exit code {code}; its own message stands above")
        self.exit_code = code if code in (1, 2, 3) else 1


class Children:
    """Child processes that end with the block: SIGTERM first, SIGKILL after a while."""

    def __init__(self) -> None:
        self.stopping = False
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        return self

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run `platewarden ARGUMENTS…` with this interpreter."""
        child = subprocess.Popen([sys.executable, "-m", "agent", *arguments])  # noqa: S603 - our own arguments, never a shell
        self._children.append(child)
        return child

    def __exit__(self, *_error: object) -> None:
        """End in the order of starting: watch first, so that deliver still sees what watch sealed
        last.
        """
        for child in self._children:
            end(child)


def end(child: subprocess.Popen[bytes], within_s: float = STOP_WITHIN_S) -> None:
    """Ask one process to stop, and make it."""
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(within_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
