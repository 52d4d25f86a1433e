"""Runs under valgrind's callgrind: each stage of the line some times, its instructions counted
alone; prints a JSON line of stage → instructions. bench/stream/stages.py starts it.
"""

import json
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from agent.core.hotlist.compiled_format import decode
from agent.core.hotlist.index import HotList, hotlist_of
from agent.core.hotlist.matching import match
from agent.core.reading.sighting import Frame, PlateRead, Track
from agent.core.reading.tracking import Tracker
from agent.core.reading.voting import vote
from agent.core.time.instant import Instant
from agent.peers.peer_loader import load_detector, load_reader
from agent.ports import PlateReader
from agent.vision.aligner import AligningDetector
from agent.vision.detector import OnnxPlateDetector
from agent.vision.model_loader import load_vision
from agent.vision.models import load_model
from agent.vision.stream.luma_gate import LumaGate
from bench.clips.clip import START
from bench.stream.callgrind import FULLEST, counted
from tests.support.sealed import Parties, release, sighting

RUNS, WARM = 2, 1
READS = 12  # that vote

Pictures = dict[str, np.ndarray]
Stage = tuple[str, Callable[[], object]]


def frame_of(image: np.ndarray, number: int = 0) -> Frame:
    return Frame(image, Instant(START + timedelta(seconds=number / 15)), number)


def vision_stages(
    pictures: Pictures, hotlists: Sequence[HotList], detector: AligningDetector, reader: PlateReader
) -> Iterator[Stage]:
    """Each network alone on a full frame, then the whole look by frame size and by plates."""
    frame = frame_of(pictures[FULLEST])
    grey = frame_of(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY))
    proposer = OnnxPlateDetector(load_model("detector", 1))
    proposals = proposer.find_plates(grey)
    yield from gate_stages(frame.image)
    yield "detector, a frame", lambda: proposer.find_plates(grey)
    yield "aligner, a plate", lambda: detector._align(grey.image, proposals[:1])  # noqa: SLF001 - the stage alone
    plates = detector.find_plates(frame)
    yield "reader, a plate", lambda: reader.read(frame, plates[0])
    yield from line_stages([reader.read(frame, plate) for plate in plates], hotlists)
    for name, picture in pictures.items():
        if name != FULLEST:
            seen = frame_of(picture)
            yield (
                name,
                lambda seen=seen: [
                    reader.read(seen, plate) for plate in detector.find_plates(seen)
                ],
            )


def gate_stages(image: np.ndarray) -> Iterator[Stage]:
    """A frame on which nothing moves but the noise."""
    gate, number = LumaGate(), iter(range(10**6))
    chance = np.random.default_rng(1)
    noisy = [
        cv2.add(image, np.round(chance.normal(0, 2.5, image.shape)), dtype=cv2.CV_8U)
        for _ in range(WARM + RUNS)
    ]

    def look() -> None:
        frame = frame_of(noisy[(at := next(number)) % len(noisy)], at)
        gate.changed(frame)
        if at == 0:
            gate.looked(frame.captured.utc, news=True)

    yield "gate, a frame at rest", look


def line_stages(reads: list[PlateRead], hotlists: Sequence[HotList]) -> Iterator[Stage]:
    """What follows the networks, with the reads of one frame."""
    tracker, number = Tracker(), iter(range(10**6))
    blank = np.zeros((8, 8, 3), np.uint8)

    def track() -> None:
        frame = frame_of(blank, next(number))
        seen = [replace(read, captured=frame.captured) for read in reads]
        list(tracker.add(frame, seen))

    yield f"tracking, a frame of {len(reads)}", track
    yield f"vote of {READS} reads", lambda: vote(Track(1, tuple(reads[:1] * READS)), "bench")
    for hotlist in hotlists:
        yield f"matching, list of {len(hotlist)}", lambda listed=hotlist: match(sighting(), listed)
    sealer = Parties.make().sealer()
    yield "sealing, a read", lambda: sealer.seal(sighting(), release(), 1)


def peer_stages(pictures: Pictures, detector: str, recognizer: str, config: str) -> Iterator[Stage]:
    """Theirs, on the same frame."""
    finds, reads = load_detector(Path(detector), 1), load_reader(Path(recognizer), Path(config), 1)
    frame = frame_of(pictures[FULLEST])
    plates = finds.find_plates(frame)
    yield "their detector, a frame", lambda: finds.find_plates(frame)
    yield "their reader, a plate", lambda: reads.read(frame, plates[0])


def main() -> None:
    """`GIVEN DUMPS [DETECTOR RECOGNISER CONFIG]`: what stages.py made, callgrind's folder, other
    people's models.
    """
    with Path(sys.argv[1]).open("rb") as file:  # made here: nothing from outside
        pictures, lists = pickle.load(file)
    hotlists = [hotlist_of(decode(one, "made up"), None) for one in lists]
    dumps, theirs = Path(sys.argv[2]), sys.argv[3:]
    cv2.setNumThreads(1)
    stages = chain(
        vision_stages(pictures, hotlists, *load_vision(1)),
        peer_stages(pictures, *theirs) if theirs else (),
    )
    for name, action in stages:
        for _ in range(WARM):
            action()
        print(json.dumps({name: sorted(counted(action, dumps) for _ in range(RUNS))}), flush=True)


if __name__ == "__main__":
    main()
