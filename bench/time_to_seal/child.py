"""The measured process: a whole `watch` on one core, whose frames come at their own speed.

    python -m bench.time_to_seal.child REEL FACTS CORE [--first]

It prints one JSON line without any text of a plate.
"""

import json
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from agent.core.reading.sighting import Frame
from agent.core.time.instant import ClockTrust, Instant
from bench.played_watch import play


class Street:
    """A frame source that holds the newest frame, as a camera does; what nobody took in time is
    dropped, and told with the next one.
    """

    def __init__(self, folder):
        self.facts = json.loads((folder / "reel.json").read_text(encoding="utf-8"))
        self._file = folder / "frames.raw"
        self.rate = self.facts["frames_per_second"]
        self.begun_s, self.shown, self.dropped = 0.0, 0, 0

    def frames(self):
        shape = (self.facts["height"], self.facts["width"], 3)
        begun = datetime.now(UTC)
        self.begun_s, before = time.monotonic(), -1
        with self._file.open("rb", buffering=0) as file:
            while before + 1 < self.facts["length"]:
                newest = int((time.monotonic() - self.begun_s) * self.rate)
                number = min(max(newest, before + 1), self.facts["length"] - 1)
                time.sleep(max(0.0, self.begun_s + number / self.rate - time.monotonic()))
                image = np.empty(shape, np.uint8)
                file.seek(number * image.nbytes)
                file.readinto(memoryview(image).cast("B"))
                missed, before = number - before - 1, number
                self.shown, self.dropped = self.shown + 1, self.dropped + missed
                captured = Instant(begun + timedelta(seconds=number / self.rate), ClockTrust.OS)
                yield Frame(image, captured, number, missed=missed)

    def close(self):
        """As FrameSource.close."""


class Noted:
    """Stands where the line seals and puts, and notes how long each took, and when it was done."""

    def __init__(self, sealer, outbox):
        self._sealer, self._outbox = sealer, outbox
        self._text, self._begun_s = "", 0.0
        self.sealed_s, self.sealing_ms = {}, []

    def seal(self, sighting, release, sequence):
        """As Sealer.seal."""
        self._text, self._begun_s = sighting.text.value, time.monotonic()
        return self._sealer.seal(sighting, release, sequence)

    def put(self, sealed):
        """As Outbox.put."""
        self._outbox.put(sealed)
        now_s = time.monotonic()
        self.sealed_s.setdefault(self._text, now_s)
        self.sealing_ms.append(1000 * (now_s - self._begun_s))

    def __getattr__(self, name):
        return getattr(self._outbox, name)


def alone(core, *, first):
    """On one core; `first`: before whatever else wants it."""
    os.sched_setaffinity(0, {core})
    if first:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def watched(street, path):
    """A whole watch over the street; what was noted of its sealing."""
    noted = []

    def noting(line):
        noted.append(Noted(line.sealer, line.outbox))
        return replace(line, sealer=noted[0], outbox=noted[0])

    play(street, path, noting)
    return noted[0]


def main():
    """One clip."""
    reel, facts, core, *more = sys.argv[1:]
    alone(int(core), first="--first" in more)
    facts = json.loads(Path(facts).read_text(encoding="utf-8"))
    street = Street(Path(reel))
    noted = watched(street, Path(facts["settings"]))
    waits = [
        1000 * (noted.sealed_s[text] - street.begun_s - first / street.rate)
        for text, first in facts["first_readable"].items()
        if text in noted.sealed_s
    ]
    answer = {
        "plates": len(facts["first_readable"]),
        "to_seal_ms": waits,
        "sealing_ms": noted.sealing_ms,
        "frames": street.shown,
        "dropped": street.dropped,
        "wall_ms": 1000 * street.facts["length"] / street.rate,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
