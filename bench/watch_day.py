"""The memory of `watch` over a simulated day: `python -m bench.watch_day [--hours N]`
(docs/ref/bench.md).

Every ten minutes two cars pass, one after the other, five frames a second, and the second is on the
hot list; in between there is a frame every 20 seconds. A real `watch` with its networks, log and
outbox sees them at time-lapse speed, in a camera's usual size. Nobody takes the sealed reads away.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import cv2
from rich.progress import track as with_progress

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from bench.clips.clip import START, Clip
from bench.clips.light import DAY
from bench.clips.scenes.passing import passing
from bench.process_memory import memory_mb
from tests.support.camera_rig import camera_rig

EVERY, QUIET_S = timedelta(minutes=10), 20
MPH, CARS, TAKEN = 35, 2, 3  # of three frames one: five a second
WIDTH_PX, HEIGHT_PX = 1920, 1080  # what a camera gives where its settings say nothing
SETTLED = 0.1  # of the day: until then caches and the allocator fill up


def street(number: int) -> Clip:
    """Of one round: each is another clip."""
    return passing(number + 1, MPH, DAY, cars=CARS)


def one_round(number: int) -> Iterator[Frame]:
    """Two cars, then nobody for the rest of ten minutes."""
    clip, begins = street(number), number * EVERY
    for at in range(0, clip.length, TAKEN):
        yield Frame(clip.paint(at), Instant(clip.captured(at) + begins), at)
    empty, at_s = clip.paint(0), timedelta(seconds=QUIET_S * (1 + clip.seconds // QUIET_S))
    while at_s < EVERY:
        yield Frame(empty, Instant(START + begins + at_s), 0)
        at_s += timedelta(seconds=QUIET_S)


class Day:
    """What was sent of it, and the memory at the end of each ten minutes."""

    def __init__(
        self, rounds: int, send: Callable[[bytes], object], memory_mb: Callable[[], float]
    ):
        self._rounds, self._send, self._memory_mb = rounds, send, memory_mb
        self.frames = 0
        self.memory: list[float] = []

    def play(self) -> None:
        """All rounds, as `bench.watch_day_child` takes them."""
        for number in with_progress(range(self._rounds), description="ten minutes"):
            for frame in one_round(number):
                at_ms = round((frame.captured.utc - START) / timedelta(milliseconds=1))
                self._send(at_ms.to_bytes(8))
                self._send(cv2.resize(frame.image, (WIDTH_PX, HEIGHT_PX)).data)
                self.frames += 1
            self.memory.append(self._memory_mb())


def watched(rounds: int, folder: Path) -> tuple[Day, int]:
    """The day, and how many reads wait at its end."""
    rig = camera_rig(folder, 0, tuple(street(number).plates[-1].text for number in range(rounds)))
    config = rig.installation.settings
    child = (sys.executable, "-m", "bench.watch_day_child", config, WIDTH_PX, HEIGHT_PX)
    process = subprocess.Popen([*map(str, child)], stdin=subprocess.PIPE, env={**os.environ})
    assert process.stdin is not None
    day = Day(rounds, process.stdin.write, lambda: memory_mb("VmRSS", process.pid) or 0.0)
    day.play()
    process.stdin.close()
    if process.wait():
        sys.exit(process.returncode)
    return day, len(list((rig.installation.work / "state/outbox").glob("*.sealed")))


def main() -> None:
    """Run, then the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.watch_day", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, metavar="N", help="simulated (24)")
    parser.add_argument("--out", type=Path, default=Path("bench/out"), metavar="DIR")
    options = parser.parse_args()
    rounds = max(2, round(timedelta(hours=options.hours) / EVERY))
    with tempfile.TemporaryDirectory(prefix="platewarden-day-") as folder:
        day, sealed = watched(rounds, Path(folder))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "watch_day.json").write_text(json.dumps(day.memory))
    settled = day.memory[round(SETTLED * len(day.memory))]
    print(
        f"{rounds * EVERY / timedelta(hours=1):g} hours in {day.frames} frames, {sealed} of "
        f"{rounds} listed cars sealed; memory {day.memory[0]:.1f} MB after ten minutes, "
        f"{settled:.1f} after a tenth, {day.memory[-1]:.1f} at the end, {max(day.memory):.1f} at "
        "most (2^20 bytes)"
    )


if __name__ == "__main__":
    main()
