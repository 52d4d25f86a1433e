"""Measures systems side by side: in each round a fresh process for each, which take turns picture
by picture.

A B, B A, A B, …

Whatever slows this machine down for a second then slows all of them, and what differs is the
systems. Nobody works while another is timed.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.errors import PlatewardenError
from bench.scoring import Guess, TrueImage
from bench.systems import System

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120.0  # for one picture, or for loading: anything longer hangs
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a system saw in one picture, and what that took.

    None in place of it: the picture could not be decoded.
    """

    guesses: tuple[Guess, ...]
    cpu_ms: float
    wall_ms: float


@dataclass(frozen=True, slots=True)
class Round:
    """One process's life: loading, every picture once, and the most memory it held.

    Megabytes of 2^20 bytes.
    """

    load_ms: float
    load_cpu_ms: float
    bare_mb: float | None  # before the models were loaded, everything imported
    peak_mb: float | None
    readings: tuple[Reading | None, ...]


class Measured:
    """A running child."""

    def __init__(self, system: System) -> None:
        command = [sys.executable, "-m", "bench.child", system.to_json()]
        environment = {**os.environ, **ONE_THREAD, "ORT_DISABLE_TELEMETRY": "1"}
        self._name = system.name
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._loaded: dict | None = None
        self.readings: list[Reading | None] = []

    def stop(self) -> None:
        """End it at once; harmless when it has ended."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # a request that nobody took any more
                pipe.close()

    def load(self) -> None:
        """Wait until its models are loaded."""
        self._loaded = self._hear()

    def read(self, path: Path) -> None:
        """Have it read one picture, and wait for that."""
        self._process.stdin.write(json.dumps(str(path)).encode() + b"\n")
        self._process.stdin.flush()
        told = self._hear()
        if "error" in told:
            self.readings.append(None)
            return
        guesses = tuple(
            Guess(tuple(plate["box"]), plate["text"], plate["confidence"])
            for plate in told["plates"]
        )
        self.readings.append(Reading(guesses, told["cpu_ms"], told["wall_ms"]))

    def finish(self) -> Round:
        """End it in order, and say what it took."""
        self._process.stdin.close()
        told = self._hear()
        self._process.wait(PATIENCE_S)
        return Round(**self._loaded, peak_mb=told["peak_mb"], readings=tuple(self.readings))

    def _hear(self) -> dict:
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self._process.kill()
            what = (
                f"its process ended with code {self._process.wait()}"
                if ready
                else f"no answer in {PATIENCE_S:.0f} s"
            )
            raise PlatewardenError(
                what,
                where=self._name,
                fix="its own words stand above; try the same models with `platewarden read`",
            )
        return json.loads(line)


def one_round(
    systems: Sequence[System], images: Sequence[TrueImage], done: Callable[[], None]
) -> list[Round]:
    """Every system over every picture once; `done` is called after each picture.

    Raises PlatewardenError.
    """
    running: list[Measured] = []
    try:
        for system in systems:
            running.append(Measured(system))
            running[-1].load()  # one after the other: loading is timed too
        for number, image in enumerate(images):
            first = number % len(running)
            for measured in running[first:] + running[:first]:
                measured.read(image.path)
            done()
        return [measured.finish() for measured in running]
    finally:
        for measured in running:
            measured.stop()
