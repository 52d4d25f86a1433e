"""Measures a detector on photographs that nobody trained on; prints figures only, never a text or a file name.

python -m models.training.detector.evaluate [models/detector.onnx] [--data ../shared/plates]
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from agent.core.instant import Instant
from agent.core.sighting import Frame, PlateBox
from agent.vision.detector import OnnxPlateDetector
from agent.vision.sessions import make_session
from models.training.detector import banks, photographs
from models.training.detector.scenes import SceneMaker

THRESHOLDS = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8)
Box = tuple[float, float, float, float]  # x, y, w, h in px
NOW = Instant(datetime(2026, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Measured:
    """One image: its true boxes and what the detector found at the lowest threshold."""

    truth: tuple[Box, ...]
    found: tuple[PlateBox, ...]


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def truth_images(data: Path) -> dict[str, dict[Path, list[Box]]]:
    """Measure-only images with their boxes: benchmark_dev by region, and romania_night's valid split."""
    sets: dict[str, dict[Path, list[Box]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted((data / "benchmark_dev").glob("*/*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                name, x, y, w, h, _ = line.rstrip().split("\t")
                sets[path.parent.name][path.parent / name].append((float(x), float(y), float(w), float(h)))
    for line in (data / "train.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record.get("split") == "valid":
            sets["night"][data / record["file"]] = [tuple(plate["box"]) for plate in record["plates"]]
    return sets


def measure(detector: OnnxPlateDetector, images: dict[Path, list[Box]]) -> tuple[list[Measured], list[float]]:
    """The detector's output for every image, and milliseconds of CPU per image (letterbox to boxes, without decoding)."""
    measured, cpu_ms = [], []
    for path, boxes in images.items():
        image = cv2.imread(str(path))
        if image is None:
            message = f"an image of {path.parent.name} is not readable"
            raise OSError(message)
        start = time.process_time()
        found = detector.find_plates(Frame(image, NOW, 0))
        cpu_ms.append((time.process_time() - start) * 1e3)
        measured.append(Measured(tuple(boxes), found))
    return measured, cpu_ms


def score(measured: list[Measured], threshold: float) -> tuple[float, float, float]:
    """Recall at IoU 0.3 and 0.5, and boxes per image that belong to no true plate (paired as score.py pairs)."""
    plates = hits30 = hits50 = extra = 0
    for one in measured:
        boxes = [plate.box for plate in one.found if plate.confidence >= threshold]
        used = set()
        for truth in one.truth:
            plates += 1
            overlaps = [iou(truth, box) for box in boxes]
            best = max(range(len(boxes)), key=lambda i: overlaps[i], default=None)
            if best is not None and overlaps[best] >= 0.3:
                used.add(best)
                hits30 += 1
                hits50 += overlaps[best] >= 0.5
        extra += len(boxes) - len(used)
    return hits30 / plates, hits50 / plates, extra / len(measured)


def corner_errors(detector: OnnxPlateDetector, maker: SceneMaker, scenes: int, seed: int) -> list[tuple[float, float, float]]:
    """For plates in scenes newly composed (other seed, same photographs): slope in degrees, and the mean distance from the true
    corners, in plate heights, of the found corners and of the upright box's."""
    rng = np.random.default_rng([seed, 1])
    errors = []
    for _ in range(scenes):
        scene = maker.scene(rng, 640, 384)
        found = detector.find_plates(Frame(scene.image, NOW, 0))
        for hull, corners, _rows in scene.plates:
            truth = (float(hull[0]), float(hull[1]), float(hull[2] - hull[0]), float(hull[3] - hull[1]))
            best = max(found, key=lambda plate: iou(truth, plate.box), default=None)
            if best is None or iou(truth, best.box) < 0.5 or not np.isfinite(corners).all():
                continue
            x, y, w, h = best.box
            upright = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
            height = np.linalg.norm(corners[3] - corners[0])
            run = corners[1] - corners[0]
            slope = float(np.degrees(np.arctan2(run[1], run[0])))
            distances = [float(np.linalg.norm(c - corners, axis=1).mean() / height) for c in (np.array(best.corners), upright)]
            errors.append((slope, *distances))
    return errors


def print_corners(errors: list[tuple[float, float, float]]) -> None:
    """Median distances, for level and for tilted plates."""
    for name, chosen in (("within 4 degrees", [e for e in errors if abs(e[0]) < 4]), ("beyond 8 degrees", [e for e in errors if abs(e[0]) > 8])):
        if chosen:
            _, found, upright = np.median(np.array(chosen), axis=0)
            print(f"corners, {name}: off by {found:.3f} plate heights, upright box's by {upright:.3f} ({len(chosen)} plates)")


def main(arguments: list[str]) -> None:
    """Print one table per set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=Path(__file__).parents[2] / "detector.onnx")
    parser.add_argument("--data", type=Path, default=Path("../shared/plates"))
    parser.add_argument("--work", type=Path, help="the training's caches: measures corners on composed scenes")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    detector = OnnxPlateDetector(make_session(options.model.read_bytes(), 1), min(THRESHOLDS))
    if options.work:
        maker = SceneMaker(photographs.load(options.data, options.work), *banks.load(options.work))
        print_corners(corner_errors(detector, maker, 150, 999))
    results = {name: measure(detector, images) for name, images in truth_images(options.data).items()}
    print("threshold " + "".join(f"| {name:^24} " for name in results))
    print("          " + "|   @0.3   @0.5    extra    " * len(results))
    for threshold in THRESHOLDS:
        cells = [score(measured, threshold) for measured, _ in results.values()]
        print(f"{threshold:9.2f} " + "".join(f"|  {a:6.1%} {b:6.1%} {extra:8.3f}  " for a, b, extra in cells))
    for name, (measured, cpu_ms) in results.items():
        print(f"{name}: {len(measured)} images, median {np.median(cpu_ms):.1f} ms CPU, least {min(cpu_ms):.1f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
