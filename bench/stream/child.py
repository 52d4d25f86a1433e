"""The measured process: plays a reel to one system, and prints what that took and what was read, as
one JSON line. It runs as a file, in the checkout that is its working folder: nothing of this one
comes with it, and names that have moved since commit 920b943 are looked for in both places.

    python child.py REEL SECONDS SYSTEM          SYSTEM: {} for the line, or the peers' files
"""

import importlib
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

sys.path[0] = str(Path.cwd())  # not this file's folder

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMPTY_LIST = b"plate,state,category,agency,case,source_date,expires\n"
STATUS = Path("/proc/self/status")


def found(name, *modules):
    """`name` from the first of these modules that has it."""
    for module in modules:
        with suppress(ModuleNotFoundError, AttributeError):
            return getattr(importlib.import_module(module), name)
    message = f"no {name} in {modules}"
    raise ModuleNotFoundError(message)


class Reel:
    """The frames; `reading_s`: CPU that reading them took, which no camera would."""

    def __init__(self, folder, seconds):
        self.facts = json.loads((folder / "reel.json").read_text(encoding="utf-8"))
        self._file = folder / "frames.raw"
        self.rate = self.facts["frames_per_second"]
        self.length = min(self.facts["length"], round(seconds * self.rate))
        self.reading_s, self.at = 0.0, 0

    def frames(self):
        frame_of = found("Frame", "agent.core.reading.sighting", "agent.core.sighting")
        instant_of = found("Instant", "agent.core.time.instant", "agent.core.instant")
        shape = (self.facts["height"], self.facts["width"], 3)
        with self._file.open("rb", buffering=0) as file:
            for number in range(self.length):
                begun_s = time.thread_time()
                image = np.empty(shape, np.uint8)
                file.readinto(memoryview(image).cast("B"))
                self.reading_s += time.thread_time() - begun_s
                self.at = number
                captured = START + timedelta(seconds=number / self.rate)
                yield frame_of(image, instant_of(captured), number)

    def number(self, captured):
        return round((captured.utc - START).total_seconds() * self.rate)


class Listener:
    """Stands where the line tracks and decides, and writes down what passes."""

    def __init__(self, reel, tracker):
        self._reel, self._tracker, self._track = reel, tracker, None
        self._decision_of = found("Decision", "agent.core.policy.policy", "agent.core.policy")
        reasons = found("Reason", "agent.core.reasons")
        self._nothing = (reasons.NO_HOTLIST_MATCH,)
        self.told = []

    def add(self, *arguments):
        return self._noted(self._tracker.add(*arguments))

    def finish(self):
        return self._noted(self._tracker.finish())

    def __getattr__(self, name):
        return getattr(self._tracker, name)

    def _noted(self, tracks):
        for track in tracks:
            self._track = track
            yield track

    def decide(self, sighting, _match):
        reads = [(self._reel.number(read.captured), read.box.box) for read in self._track.reads]
        self.told.append([sighting.text.value, sighting.confidence, self._reel.at, reads])
        return self._decision_of((), self._nothing)


def eyes(tracker):
    """Detector and reader as `watch` of this checkout has them; 920b943 paid for every frame."""
    detector, reader = found("load_vision", "agent.vision.model_loader", "agent.vision.loading")(1)
    try:
        on_a_stream = found("on_a_stream", "agent.vision.stream.on_a_stream")
    except ModuleNotFoundError:
        return detector, reader
    return on_a_stream(detector, reader, tracker)


def our_line(reel):
    """The camera's line of this checkout; what it told."""
    pipeline = importlib.import_module("agent.pipeline")
    parse_hotlist = found(
        "parse_hotlist", "agent.core.hotlist.intake.list_import", "agent.core.hotlist_import"
    )
    listener = Listener(
        reel, found("Tracker", "agent.core.reading.tracking", "agent.core.tracking")()
    )
    detector, reader = eyes(listener)
    line = pipeline.Line(
        camera="bench",
        detector=detector,
        reader=reader,
        tracker=listener,
        hotlist=parse_hotlist(EMPTY_LIST, "empty", date(2026, 11, 22)),
        decider=listener,
        sealer=None,
        outbox=None,
        log=None,
        counts=found("Counts", "agent.core.policy.counts", "agent.core.counts")(),
    )
    pipeline.watch(line, reel.frames(), lambda: None)
    return listener.told


def peers(reel, system):
    """Their detector and their recogniser on every frame, as their own examples do; all reads."""
    loader = importlib.import_module("agent.peers.peer_loader")
    detector = loader.load_detector(Path(system["detector"]), 1)
    reader = loader.load_reader(Path(system["recognizer"]), Path(system["config"]), 1)
    read = []
    for frame in reel.frames():
        for box in detector.find_plates(frame):
            plate = reader.read(frame, box)
            read.append([plate.text.value, plate.confidence, reel.at, [(reel.at, box.box)]])
    return read


def peak_mb():
    """VmHWM: the most memory so far. getrusage would tell the parent's too."""
    with suppress(OSError):
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None


def main():
    """All CPU from the interpreter's start on counts: a run of a second is taken off later."""
    reel, system = Reel(Path(sys.argv[1]), float(sys.argv[2])), json.loads(sys.argv[3])
    begun_s = time.perf_counter()
    told = peers(reel, system) if system else our_line(reel)
    answer = {
        "cpu_s": time.process_time() - reel.reading_s,
        "wall_s": time.perf_counter() - begun_s,
        "seconds": reel.length / reel.rate,
        "peak_mb": peak_mb(),
        "told": told,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
