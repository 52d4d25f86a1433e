"""Runs the demo's processes for real: broker, a listener on it, the recipient's receiver, the
camera (watch and deliver).
"""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from agent.demo.embedded_broker import LOOPBACK, running_broker
from agent.demo.installation import Installation, command, environment
from agent.demo.tap import Tap
from agent.demo.throwaway_city import HOST
from agent.errors import PlatewardenError

START_WITHIN_S, RUN_WITHIN_S, STOP_WITHIN_S = 30.0, 150.0, 15.0


def run_street(installation: Installation, frames: Path) -> bytes:
    """Play the frames through the camera; the released reads travel to the receiver.

    Returns all bytes that the broker handled.
    """
    tap = Tap(installation.work / "broker" / "relayed", installation.city.authority.pem(), HOST)
    with running_broker(installation.work / "broker", installation.server, installation.port):
        tap.start(LOOPBACK, installation.port)
        try:
            with background(
                installation,
                "receiver",
                "run",
                str(installation.recipient),
                "--json",
                ready="READY",
            ):
                run = [
                    "run",
                    "--config",
                    str(installation.settings),
                    "--source",
                    str(frames),
                    "--settle",
                    "30",
                ]
                _foreground(installation, *run)
        finally:
            tap.stop()
    return tap.heard()


@contextlib.contextmanager
def background(installation: Installation, *arguments: str, ready: str) -> Iterator[None]:
    """A process that runs until the block ends.

    Raises PlatewardenError when it does not print `ready` in time.
    """
    with installation.log.open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(command(*arguments), stdout=log, stderr=log, env=environment())
    try:
        _await_line(installation.log, start, ready, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _foreground(installation: Installation, *arguments: str) -> None:
    with installation.log.open("ab") as log:
        done = subprocess.run(
            command(*arguments),
            stdout=log,
            stderr=log,
            env=environment(),
            timeout=RUN_WITHIN_S,
            check=False,
        )
    if done.returncode != 0:
        raise PlatewardenError(
            f"`platewarden {arguments[0]}` ended with exit code {done.returncode}; "
            f"its output ends: {_tail(installation.log)}"
        )


def _await_line(log: Path, start: int, ready: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while ready.encode() not in log.read_bytes()[start:]:
        if process.poll() is not None or time.monotonic() > deadline:
            raise PlatewardenError(
                f"a process of the demo did not start; its output ends: {_tail(log)}"
            )
        time.sleep(0.05)


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-600:].strip().replace("\n", " | ")
