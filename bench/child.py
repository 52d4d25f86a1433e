"""The measured process: loads one system, then reads the pictures that it is told to, one JSON line
in, one out; all in memory (plates!).

It goes the way of `platewarden read`, with its clock: process CPU time of finding and reading,
without decoding the file.
"""

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np

from agent.bulk import inputs, reader
from agent.core.reading.sighting import Frame
from agent.errors import PlatewardenError, SourceError
from agent.host.clock import SystemClock
from bench.process_memory import memory_mb
from bench.systems import System

WARM_UPS = 2


def answer(**members: object) -> None:
    """One line to the parent."""
    print(json.dumps(members), flush=True)


def load(system: System):
    """Detector and reader.

    What must be imported for it comes first: Python's start is not the model's.
    """
    importlib.import_module(
        "agent.peers.peer_loader" if system.all_theirs else "agent.vision.model_loader"
    )
    bare_mb = memory_mb("VmRSS")
    begun_s, begun_cpu_ns = time.perf_counter(), time.process_time_ns()
    models = Path(system.models) if system.models else None
    peers = reader.PeerFiles(
        *(
            Path(path) if path else None
            for path in (system.detector, system.recognizer, system.config)
        )
    )
    vision = reader.open_peers(1, models, peers) if peers.any() else reader.open_vision(1, models)
    load_ms = (time.perf_counter() - begun_s) * 1000
    load_cpu_ms = (time.process_time_ns() - begun_cpu_ns) / 1e6
    grey = Frame(np.full((480, 640, 3), 127, np.uint8), SystemClock().now(), 0)
    for _ in range(WARM_UPS):
        reader.read_frame(*vision, grey)
    answer(load_ms=load_ms, load_cpu_ms=load_cpu_ms, bare_mb=bare_mb)
    return vision


def read(vision, path: str) -> None:
    """Answer what is in one picture. Raises SourceError."""
    (frame,) = inputs.frames_of(inputs.Input(Path(path), ""))
    begun_s = time.perf_counter()
    picture = reader.read_frame(*vision, frame)
    wall_ms = (time.perf_counter() - begun_s) * 1000
    plates = [
        {"text": plate.text.value, "box": plate.box.box, "confidence": plate.confidence}
        for plate in picture.plates
    ]
    answer(plates=plates, cpu_ms=picture.cpu_ms, wall_ms=wall_ms)


def main() -> None:
    """Until standard input ends."""
    try:
        vision = load(System.from_json(sys.argv[1]))
        for line in sys.stdin:
            try:
                read(vision, json.loads(line))
            except SourceError as error:
                answer(error=str(error))
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    answer(peak_mb=memory_mb("VmHWM"))


if __name__ == "__main__":
    main()
