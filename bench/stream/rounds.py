"""Plays one reel to several systems in turn, A B A B, each time in a fresh process, twice: a run of
one second, and the whole. Their difference is what a stream costs, without start-up.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from agent.errors import PlatewardenError
from bench.clips.clip import Clip
from bench.stream.exact import exact_by_frames, exact_by_line
from bench.systems import System

CHILD = Path(__file__).with_name("child.py")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
START_S = 1.0  # of the run that is taken off


@dataclass(frozen=True, slots=True)
class Streamed:
    """A system: our line in a checkout, or other people's models in ours."""

    name: str
    checkout: Path
    peers: System | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one system over one clip, medians over the rounds.

    `cpu_s_a_minute`: CPU seconds for a minute of video. `start_cpu_s`: from nothing to the first
    second's end. `peak_mb`: most memory, 2^20 bytes. `exact`: of `passes`, read exactly (the worst
    round).
    """

    cpu_s_a_minute: float
    start_cpu_s: float
    peak_mb: float
    exact: int
    passes: int


def costs(
    clip: Clip, reel: Path, systems: Sequence[Streamed], rounds: int, done: Callable[[], None]
) -> dict[str, Cost]:
    """By system's name; `done` is called after each run of a process. Raises PlatewardenError."""
    runs: dict[str, list[tuple[dict, dict]]] = {one.name: [] for one in systems}
    for _ in range(rounds):
        for one in systems:
            short = run(one, reel, START_S)
            done()
            runs[one.name].append((short, run(one, reel, clip.seconds)))
            done()
    return {one.name: cost(clip, one, runs[one.name]) for one in systems}


def cost(clip: Clip, system: Streamed, runs: Sequence[tuple[dict, dict]]) -> Cost:
    """From the short and the whole runs."""
    counted = exact_by_frames if system.peers else exact_by_line
    return Cost(
        median(
            60 * (whole["cpu_s"] - short["cpu_s"]) / (whole["seconds"] - short["seconds"])
            for short, whole in runs
        ),
        median(short["cpu_s"] for short, _ in runs),
        median(whole["peak_mb"] or 0.0 for _, whole in runs),
        min(counted(clip, whole["told"]) for _, whole in runs),
        sum(plate.readable for plate in clip.plates),
    )


def run(system: Streamed, reel: Path, seconds: float) -> dict:
    """One process's answer; what it read stays in memory."""
    theirs = system.peers
    files = (
        {
            "detector": theirs.detector,
            "recognizer": theirs.recognizer,
            "config": theirs.config,
        }
        if theirs
        else {}
    )
    done = subprocess.run(
        [sys.executable, CHILD, reel, str(seconds), json.dumps(files)],
        cwd=system.checkout,
        env={**os.environ, **ONE_THREAD, "ORT_DISABLE_TELEMETRY": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PlatewardenError(
            "the measured process ended with an error, which stands above", where=system.name
        )
    return json.loads(done.stdout)
