"""Watch's memory over a simulated day: `python -m bench.watch_day [--hours N]` (docs/ref/bench.md).

The camera's own line with the real networks, at time-lapse speed. Every ten minutes two cars come
to a gate, one after the other, five frames a second; in between there is a frame every 20 seconds.
Nothing is sealed: what a released read leaves behind is `bench.endurance`'s to measure.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rich.progress import track as with_progress

from agent import pipeline
from agent.core.policy.counts import Counts
from agent.core.policy.policy import Decision, Match
from agent.core.reading.sighting import Frame, Sighting
from agent.core.reading.tracking import Tracker
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.vision.model_loader import load_vision
from agent.vision.stream.on_a_stream import on_a_stream
from bench.clips.clip import START
from bench.clips.scenes.next_car import next_car
from bench.clips.telling import unsealing_line
from bench.process_memory import memory_mb

EVERY, QUIET_S = timedelta(minutes=10), 20
SETTLED = 0.1  # of the day: until then caches and the allocator fill up


class Day:
    """Its frames, what was told of them, and the memory at the end of each ten minutes."""

    def __init__(self, hours: float, memory_mb: Callable[[], float]) -> None:
        self._rounds = max(2, round(timedelta(hours=hours) / EVERY))
        self._memory_mb = memory_mb
        self.frames_shown = self.told = 0
        self.memory: list[float] = []

    def frames(self) -> Iterator[Frame]:
        """In order of time; each round is another clip."""
        for number in with_progress(range(self._rounds), description="ten minutes"):
            for frame in one_round(number):
                self.frames_shown += 1
                yield replace(frame, sequence=self.frames_shown)
            self.memory.append(self._memory_mb())

    def decide(self, sighting: Sighting, match: Match | None) -> Decision:
        """As Decider.decide: releases nothing."""
        del sighting, match
        self.told += 1
        return Decision((), (Reason.NO_HOTLIST_MATCH,))


def one_round(number: int) -> Iterator[Frame]:
    """Two cars, then nobody for the rest of ten minutes."""
    clip, begins = next_car(number + 1), number * EVERY
    for frame in clip.frames():
        yield replace(frame, captured=Instant(frame.captured.utc + begins))
    empty, at = clip.paint(0), timedelta(seconds=QUIET_S * (1 + clip.seconds // QUIET_S))
    while at < EVERY:
        yield Frame(empty, Instant(START + begins + at), 0)
        at += timedelta(seconds=QUIET_S)


def resident_mb() -> float:
    """This process's memory, 2^20 bytes; no number where the system does not tell it."""
    return memory_mb("VmRSS") or math.nan


def played(day: Day) -> None:
    """The line over the whole day."""
    detector, reader = load_vision(1)
    tracker, counts = Tracker(), Counts()
    looking, reading = on_a_stream(detector, reader, tracker)
    line = unsealing_line(looking, reading, tracker, day, counts)
    seen = START

    def frames() -> Iterator[Frame]:
        nonlocal seen
        for frame in day.frames():
            seen = frame.captured.utc
            yield frame

    def between_frames() -> None:
        counts.flush(Instant(seen))

    pipeline.watch(line, frames(), between_frames)


def main() -> None:
    """Run, then the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.watch_day", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, metavar="N", help="simulated (24)")
    parser.add_argument("--out", type=Path, default=Path("bench/out"), metavar="DIR")
    options = parser.parse_args()
    day = Day(options.hours, resident_mb)
    played(day)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "watch_day.json").write_text(json.dumps(day.memory))
    settled = day.memory[round(SETTLED * len(day.memory))]
    print(
        f"{len(day.memory) * EVERY / timedelta(hours=1):g} hours in {day.frames_shown} frames, "
        f"{day.told} vehicles told; memory {day.memory[0]:.1f} MB after ten minutes, "
        f"{settled:.1f} after a tenth, {day.memory[-1]:.1f} at the end, {max(day.memory):.1f} at "
        "most (2^20 bytes)"
    )


if __name__ == "__main__":
    main()
