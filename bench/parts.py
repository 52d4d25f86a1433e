"""Times the models, the sealing and the log on this machine, one thread: median and 95th percentile in milliseconds."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.clock import SystemClock
from agent.core.instant import Instant
from agent.core.sighting import Frame, PlateBox
from agent.storage.audit_log import AuditLog
from agent.vision.loading import load_vision
from tests.support.sealed import Parties, release, sighting

WIDTH_PX, HEIGHT_PX = 1920, 1080
X, Y, W, H = 900.0, 500.0, 160.0, 48.0
BOX = PlateBox((X, Y, W, H), ((X, Y), (X + W, Y), (X + W, Y + H), (X, Y + H)), 1.0)


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


def measure_parts(rounds: int) -> Iterator[Part]:
    """Each part as soon as it is measured."""
    noise = np.random.default_rng(1).integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    frame = Frame(noise, Instant(datetime.now(UTC)), 1)
    detector, reader = load_vision(threads=1)
    sealer = Parties.make().sealer()
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / "log.sqlite", "bench/watch", Ed25519PrivateKey.generate(), SystemClock().now)
        actions: dict[str, Callable[[], object]] = {
            f"find plates in a {WIDTH_PX}×{HEIGHT_PX} frame": lambda: detector.find_plates(frame),
            "read one plate": lambda: reader.read(frame, BOX),
            "seal one read with its crop": lambda: sealer.seal(sighting(), release(), 1),
            "append one leaf, durably": lambda: log.append("counts", {"seen": 1}),
        }
        for name, action in actions.items():
            yield measure(name, action, rounds)
        log.close()
