"""Times the models, the sealing and the log on this machine, one thread: median and 95th percentile
in milliseconds.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.demo.scene import render
from agent.host.clock import SystemClock
from agent.storage.audit_log import AuditLog
from agent.vision.model_loader import load_vision
from tests.support.sealed import Parties, release, sighting

FRAME = 40  # of the demo's street: cars in view


@dataclass(frozen=True, slots=True)
class Part:
    """What one action takes."""

    name: str
    median_ms: float
    slow_ms: float  # 95th percentile


def measure(name: str, action: Callable[[], object], rounds: int) -> Part:
    """`rounds` runs, after three that do not count."""
    for _ in range(3):
        action()
    taken_ms = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        taken_ms.append((time.perf_counter() - started) * 1000)
    return Part(name, float(np.median(taken_ms)), float(np.percentile(taken_ms, 95)))


def street() -> Frame:
    """One frame of the demo's street: drawn cars with fictitious plates."""
    with tempfile.TemporaryDirectory() as folder:
        image = cv2.imread(str(render(Path(folder))[FRAME]))
    return Frame(np.asarray(image, np.uint8), Instant(datetime.now(UTC)), FRAME)


def measure_parts(rounds: int) -> Iterator[Part]:
    """Each part as soon as it is measured."""
    detector, reader = load_vision(threads=1)
    frame = street()
    plates = detector.find_plates(frame)
    height, width = frame.image.shape[:2]
    sealer = Parties.make().sealer()
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(
            Path(folder) / "log.sqlite",
            "bench/watch",
            Ed25519PrivateKey.generate(),
            SystemClock().now,
        )
        actions: dict[str, Callable[[], object]] = {
            f"find {len(plates)} plates in a {width}×{height} frame": lambda: detector.find_plates(
                frame
            ),
            "read one clear plate": lambda: reader.read(frame, plates[0]),
            "seal one read with its crop": lambda: sealer.seal(sighting(), release(), 1),
            "append one leaf, durably": lambda: log.append("counts", {"seen": 1}),
        }
        for name, action in actions.items():
            yield measure(name, action, rounds)
        log.close()
