"""Runs on the camera under test: takes frames, reads the chart, heats the processor, reads the log;
prints one JSON object.

It is copied there by the tests and needs nothing but the installed product. What it prints holds no
plate: the chart's fictitious texts come in with the question, and only yes or no goes out.
"""

import argparse
import json
import os
import sqlite3
import statistics
import sys
import time
from contextlib import closing, suppress
from itertools import islice, pairwise
from pathlib import Path

MOST_FRAMES_FOR_A_VIEW = 60
SPARSE = 8


def opened(options):
    """(source, detector, reader) of the camera's settings, or of the defaults."""
    from agent.camera.sources import open_source
    from agent.host.clock import SystemClock
    from agent.settings import Settings, load

    settings = load(Path(options.config)) if options.config else Settings(camera_id="hw-test")
    return open_source(options.source, settings, SystemClock()), settings


def vision(settings):
    from agent.vision.model_loader import load_vision

    models = settings.models
    return load_vision(models.threads, models.directory, models.longest_text)


def frames(options) -> dict:
    """Rate and times of `--frames` frames, and whether the picture lives."""
    source, _ = opened(options)
    try:
        stream = source.frames()
        first = next(stream)
        begun_s = time.monotonic()
        times = [first.captured.utc]
        means = []
        deviations = []
        same = True
        for frame in islice(stream, options.frames):
            times.append(frame.captured.utc)
            # Looking at every pixel would be the slowest thing here, and become the rate.
            sample = frame.image[::SPARSE, ::SPARSE]
            means.append(float(sample.mean()))
            deviations.append(float(sample.std()))
            same = same and bool((sample == first.image[::SPARSE, ::SPARSE]).all())
        took_s = time.monotonic() - begun_s
    finally:
        source.close()
    gaps_ms = sorted((later - earlier).total_seconds() * 1000 for earlier, later in pairwise(times))
    return {
        "frames": len(means),
        "fps": round(len(means) / took_s, 2) if took_s else 0.0,
        "backwards": sum(gap < 0 for gap in gaps_ms),
        "still": sum(gap == 0 for gap in gaps_ms),
        "median_gap_ms": round(statistics.median(gaps_ms), 2) if gaps_ms else 0.0,
        "longest_gap_ms": round(gaps_ms[-1], 2) if gaps_ms else 0.0,
        "mean": round(statistics.fmean(means), 1) if means else 0.0,
        "deviation": round(statistics.fmean(deviations), 1) if deviations else 0.0,
        "frozen": same,
        "size_px": [first.image.shape[1], first.image.shape[0]],
    }


def chart(options) -> dict:
    """How often each plate of a page is read, over the frames in which all four marks of that page
    are in view.

    Others are dropped unread.
    """
    from hw_tests.rig import fiducial

    page = json.loads(Path(options.page).read_text(encoding="utf-8"))
    source, settings = opened(options)
    detector, reader = vision(settings)
    seen, passed, read, widths_px = 0, 0, [0] * len(page["plates"]), [0.0] * len(page["plates"])
    try:
        for frame in islice(source.frames(), max(options.frames, MOST_FRAMES_FOR_A_VIEW)):
            view = fiducial.find(frame.image, page["page"], page["marks"])
            if view is None:
                passed += 1
                continue
            if options.keep and not seen:
                fiducial.keep(
                    frame.image,
                    page["page"],
                    page["marks"],
                    tuple(page["size_px"]),
                    Path(options.keep),
                )
            seen += 1
            texts = {reader.read(frame, box).text.value for box in detector.find_plates(frame)}
            for number, plate in enumerate(page["plates"]):
                read[number] += plate["text"] in texts
                corners = view.place(plate["corners"])
                widths_px[number] = float(((corners[1] - corners[0]) ** 2).sum() ** 0.5)
            if seen >= options.frames:
                break
    finally:
        source.close()
    plates = [
        {"drawn_px": plate["width_px"], "seen_px": round(width, 1), "read": count}
        for plate, width, count in zip(page["plates"], widths_px, read, strict=True)
    ]
    return {"in_view": seen, "without_marks": passed, "plates": plates}


def soak(options) -> dict:
    """Detects and reads without pause on every core for `--seconds`; rate and heat in five parts of
    it, throttling at the end.
    """
    from agent.doctor import machine

    source, settings = opened(options)
    frame = next(iter(source.frames()))
    source.close()
    helpers = [os.fork() for _ in range((os.cpu_count() or 1) - 1)]
    if 0 in helpers:
        with suppress(KeyboardInterrupt):
            _work(vision(settings), frame, options.seconds)
        os._exit(0)
    parts, eyes = [], vision(settings)
    for _ in range(5):
        count, took_s = _work(eyes, frame, options.seconds / 5)
        parts.append({"fps": round(count / took_s, 2), "celsius": machine.temperature()})
    for helper in helpers:
        os.waitpid(helper, 0)
    bits = machine.throttled()
    return {"parts": parts, "throttled": bits, "workers": len(helpers) + 1}


def _work(eyes, frame, seconds: float) -> tuple[int, float]:
    begun_s, count = time.monotonic(), 0
    while (took_s := time.monotonic() - begun_s) < seconds or not count:
        for box in eyes[0].find_plates(frame):
            eyes[1].read(frame, box)
        count += 1
    return count, took_s


def leaves(options) -> dict:
    """What a process's log says of releases, receipts and starts: numbers, times and read ids; a
    log holds no plate.
    """
    with closing(
        sqlite3.connect(f"file:{options.log}?mode=ro", uri=True, timeout=10)
    ) as connection:
        table = [
            json.loads(details)
            for (details,) in connection.execute("SELECT details FROM leaf ORDER BY n")
        ]
    releases = [
        {"read": one["read"], "sequence": one["sequence"], "at": one["at"]}
        for one in table
        if one["kind"] == "release"
    ]
    receipts = {one["read"]: one["at"] for one in table if one["kind"] == "receipt"}
    kinds: dict[str, int] = {}
    for one in table:
        name = f"refusal:{one['reason']}" if one["kind"] == "refusal" else one["kind"]
        kinds[name] = kinds.get(name, 0) + 1
    return {"releases": releases, "receipts": receipts, "kinds": kinds}


def about(_options) -> dict:
    """Which software and models would run, for the history."""
    import platform

    import agent
    from agent.vision.models import read_manifest

    model = ""
    with suppress(OSError):
        model = Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0 \n")
    hashes = {name: entry.sha256[:12] for name, entry in read_manifest().models.items()}
    return {
        "version": agent.__version__,
        "python": platform.python_version(),
        "machine": model or f"{platform.machine()}, {os.cpu_count()} cores",
        "models": hashes,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("frames", "chart", "soak", "leaves", "about"))
    parser.add_argument("--source", default="picamera")
    parser.add_argument("--config", default="")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--page", default="")
    parser.add_argument("--keep", default="")
    parser.add_argument("--log", default="")
    options = parser.parse_args()
    doing = {"frames": frames, "chart": chart, "soak": soak, "leaves": leaves, "about": about}[
        options.what
    ]
    try:
        found = doing(options)
    # Whatever goes wrong on the camera must reach the person at the rig, as one line; our errors
    # hold no plate.
    except Exception as error:  # noqa: BLE001
        found = {"error": f"{type(error).__name__}: {getattr(error, 'what', None) or error}"[:400]}
    print(json.dumps(found))
    return 1 if "error" in found else 0


if __name__ == "__main__":
    sys.exit(main())
