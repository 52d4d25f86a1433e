"""Runs watch and deliver as two processes of this machine, and stops both together: for a laptop or
a rig.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Self

from agent.core.log.closing_words import (
    MAX_BYTES,
    DeliverTotals,
    WatchTotals,
    parse_deliver_totals,
    parse_watch_totals,
)
from agent.errors import PlatewardenError, UsageError
from agent.values import dataclass

STOP_WITHIN_S = 15.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Ended:
    """What the two processes said at their end: numbers and reason codes."""

    watch: WatchTotals
    deliver: DeliverTotals


def run_pair(
    config: Path,
    source: str,
    settle_s: float,
    closing: Callable[[Ended], None],
    *,
    stills: bool = False,
    quiet: bool,
) -> None:
    """Until the source ends or SIGTERM comes. `closing` is told once, if watch has summed up.

    Raises UsageError, ChildFailedError of whichever process ended by itself, or ReadsWaitError.
    """
    if not config.is_file():
        raise UsageError(
            "no settings file",
            where=config,
            fix="give --config FILE; see config/platewarden.example.toml",
        )
    common = ["--config", str(config), *(["--allow-unsigned"] if source != "picamera" else [])]
    common += ["--json", *(["--quiet"] if quiet else [])]
    with Children() as children:
        playing = ["--source", source, *(["--stills"] if stills else [])]
        watch = children.start("watch", *common, *playing, "--settle", str(settle_s))
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
    ended_with = summed_up(children.said(watch), children.said(deliver))
    if ended_with is not None:
        closing(ended_with)
    # who ended by itself comes first: the other was only stopped for it, perhaps before it was up
    for name, code in (*ended, *stopped):
        if code:
            raise ChildFailedError(name, code)
    if ended_with is not None and ended_with.watch.waiting:
        raise ReadsWaitError(ended_with)


def summed_up(watch: bytes, deliver: bytes) -> Ended | None:
    """From each one's JSON; None when watch ended before it had anything to sum up.

    Deliver may have been stopped before it was up: then there was no receipt, and reads wait.
    """
    if not watch:
        return None
    return Ended(
        parse_watch_totals(watch, "watch"),
        parse_deliver_totals(deliver, "deliver") if deliver else DeliverTotals(),
    )


class ReadsWaitError(PlatewardenError):
    """The end has come before every read's receipt."""

    def __init__(self, ended: Ended) -> None:
        why = ended.deliver.why or "no receipt has come in time"
        one = ended.watch.waiting == 1
        super().__init__(
            f"{ended.watch.waiting} {'read still waits' if one else 'reads still wait'}: {why}",
            where="outbox",
            fix=f"{'it stays' if one else 'they stay'} for the next start; --settle SECONDS waits "
            "longer",
        )


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
        self._said: dict[int, int] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        return self

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run `platewarden ARGUMENTS…` with this interpreter."""
        # in memory: a pipe that nobody reads could fill, and a file needs a disk
        said = os.memfd_create("said")
        child = subprocess.Popen(  # noqa: S603 - our own arguments, never a shell
            [sys.executable, "-m", "agent", *arguments], stdout=said
        )
        self._said[child.pid] = said
        self._children.append(child)
        return child

    def said(self, child: subprocess.Popen[bytes]) -> bytes:
        """The last line that an ended child has printed; nothing beyond MAX_BYTES is read."""
        return os.pread(self._said[child.pid], MAX_BYTES, 0).strip().rpartition(b"\n")[2]

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
