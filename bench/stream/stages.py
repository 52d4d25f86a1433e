"""Counts the instructions of each stage of the line with valgrind's callgrind: a figure that
repeats on one machine, however busy it is.
"""

import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

import numpy as np

from agent.core.hotlist.compiled_format import encode
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.errors import PlatewardenError
from bench.clips.catalogue import MOST_PLATES
from bench.clips.clip import Clip
from bench.clips.lens import WIDE
from bench.clips.scenes.several import several
from bench.stream.callgrind import FULLEST, words
from bench.systems import System

ROOT = Path(__file__).resolve().parents[2]
LISTED_ON = date(2027, 1, 15)
ENTRIES = (1_000, 10_000, 100_000)
PLATES = (1, 2, 4, MOST_PLATES)
WIDTHS_PX = (640, 1280, 1920)


@dataclass(frozen=True, slots=True)
class Count:
    """Of one run of a stage: the median of a few, and how far apart they lay as a share of it."""

    instructions: float
    spread: float


def available() -> bool:
    """Is there a valgrind?"""
    return shutil.which("valgrind") is not None


def pictures() -> dict[str, np.ndarray]:
    """The frames that are looked at; their names are stages, but for the fullest."""
    found = {FULLEST: fullest(several(1, MOST_PLATES, seconds=3.0))}
    for width in WIDTHS_PX:
        lens = replace(WIDE, width_px=width)
        found[f"a frame of {width} px"] = several(1, 1, seconds=0.2, lens=lens).paint(0)
    for count in PLATES:
        found[f"a frame with {count} plates"] = fullest(several(1, count, seconds=3.0))
    return found


def fullest(clip: Clip) -> np.ndarray:
    """The frame with the most readable plates."""
    return clip.paint(
        max(
            range(clip.length),
            key=lambda n: sum(n in one.seen and one.seen[n].readable for one in clip.plates),
        )
    )


def made_up_list(entries: int) -> bytes:
    """A compiled list of random texts of a common shape: nobody's."""
    chance = random.Random(entries)
    rows = [
        f"{chance.choice('123456789')}"
        + "".join(chance.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=3))
        + f"{chance.randrange(1000):03d},US-CA,stolen-vehicle,Made up PD,{number},"
        "2027-01-10,2027-02-01"
        for number in range(entries)
    ]
    head = "plate,state,category,agency,case,source_date,expires"
    text = "\n".join([head, *rows]).encode()
    made = datetime(2027, 1, 15, tzinfo=UTC)
    compiled = import_list(Source([text], "made up", made), None, LISTED_ON).compiled
    return encode(compiled.header, compiled.columns)


def counts(peers: System | None, told: Callable[[str], None]) -> dict[str, Count]:
    """By stage; `told` hears each as it is done. Minutes. Raises PlatewardenError."""
    theirs = [peers.detector, peers.recognizer, peers.config] if peers else []
    with tempfile.TemporaryDirectory(prefix="platewarden-callgrind-") as folder:
        given, dumps = Path(folder) / "given", Path(folder) / "dumps"
        dumps.mkdir()
        given.write_bytes(pickle.dumps((pictures(), [made_up_list(size) for size in ENTRIES])))
        process = subprocess.Popen(
            [
                *words(dumps),
                os.path.realpath(sys.executable),
                "-m",
                "bench.stream.stages_child",
                str(given),
                str(dumps),
                *map(str, theirs),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            text=True,
        )
        found = {}
        for line in process.stdout:
            for name, runs in json.loads(line).items():
                found[name] = Count(median(runs), (runs[-1] - runs[0]) / median(runs))
                told(name)
        if process.wait():
            raise PlatewardenError(
                "the counted process ended with an error, which stands above", where="valgrind"
            )
    return found
