"""A survey's numbers, hour by hour: width, sharpness, light and confidence of the plates that
passed, and no plate.

It shows what works at noon and fails at night.

Memory is bounded: 101 steps a quantity and hour, whatever passes; nothing in it belongs to one
vehicle, but for an hour in which only one came.
"""

from collections.abc import Mapping
from datetime import datetime

from agent.core.camera.aim_figures import SHARP, Band, Light, Verdict, sharp_verdict
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import Instant
from agent.values import dataclass, field

# The confidence from which a read counts as sure: policies ask for about that (docs/ref/policy.md).
SURE = 0.9
# Shares of an hour's reads that are sure. On the models' own measure 0.83 were
# (models/recognizer.md).
WORKS, FAILS = 0.6, 0.3
ENOUGH = 10  # reads in an hour; fewer judge nothing
MOST_HOURS = 24 * 7
STEPS = 100
PERCENTILES = (10, 50, 90)


@dataclass(frozen=True, slots=True)
class Sample:
    """One plate in one frame, without its text.

    `detail`: see core.camera.aim_figures.sharp_verdict; `confidence`: 0–1.
    """

    width_px: float
    detail: float
    light: Light
    confidence: float


class Histogram:
    """Counts between 0 and `top`, in STEPS equal steps and one for what lies beyond."""

    def __init__(self, top: float) -> None:
        self._top, self._counts = top, [0] * (STEPS + 1)

    def add(self, value: float) -> None:
        """Count one value; what lies outside counts at the nearer end."""
        self._counts[min(STEPS, max(0, int(value / self._top * STEPS)))] += 1

    def percentile(self, percent: float) -> float:
        """The middle of the step that holds it; 0 without any value."""
        wanted, seen = sum(self._counts) * percent / 100, 0
        for step, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min((step + 0.5) / STEPS, 1.0) * self._top
        return 0.0


@dataclass(slots=True)
class Hour:
    """One UTC hour.

    `frames` looked at, of these `lit` by picture light; the rest is of the plates in them.
    """

    width_px: Histogram
    frames: int = 0
    reads: int = 0
    sure: int = 0
    glare: int = 0
    detail: Histogram = field(default_factory=lambda: Histogram(4 * SHARP))
    light: Histogram = field(default_factory=lambda: Histogram(255.0))
    contrast: Histogram = field(default_factory=lambda: Histogram(255.0))
    picture: Histogram = field(default_factory=lambda: Histogram(255.0))
    confidence: Histogram = field(default_factory=lambda: Histogram(1.0))


class Survey:
    """Adds frames up. `band`: the green band, for judging widths."""

    def __init__(self, band: Band) -> None:
        self._band, self._hours = band, dict[datetime, Hour]()

    def add(self, at: Instant, picture_mean: float, samples: tuple[Sample, ...]) -> None:
        """One frame: its mean grey, and the plates in it.

        Beyond MOST_HOURS nothing more is counted.
        """
        start = at.utc.replace(minute=0, second=0, microsecond=0)
        if start not in self._hours and len(self._hours) >= MOST_HOURS:
            return
        hour = self._hours.setdefault(start, Hour(Histogram(4 * self._band.green_from)))
        hour.frames += 1
        hour.picture.add(picture_mean)
        for sample in samples:
            hour.reads += 1
            hour.sure += sample.confidence >= SURE
            hour.glare += sample.light.verdict() is Verdict.HIGH
            hour.width_px.add(sample.width_px)
            hour.detail.add(sample.detail)
            hour.light.add(sample.light.mean)
            hour.contrast.add(sample.light.contrast)
            hour.confidence.add(sample.confidence)

    def rows(self) -> tuple[Mapping[str, object], ...]:
        """One row an hour, in order: plain numbers and words, as docs/ref/aim.md tells."""
        return tuple(_row(start, hour, self._band) for start, hour in sorted(self._hours.items()))


def _row(start: datetime, hour: Hour, band: Band) -> Mapping[str, object]:
    share = hour.sure / hour.reads if hour.reads else 0.0
    return {
        "hour": rfc3339(start),
        "frames": hour.frames,
        "reads": hour.reads,
        "sure_share": round(share, 3),
        "width_px": _spread(hour.width_px, 0),
        "detail": _spread(hour.detail, 0),
        "light": _spread(hour.light, 0),
        "contrast": _spread(hour.contrast, 0),
        "glare_share": round(hour.glare / hour.reads, 3) if hour.reads else 0.0,
        "picture": _spread(hour.picture, 0),
        "confidence": _spread(hour.confidence, 2),
        "verdict": _verdict(hour.reads, share),
        "causes": _causes(hour, band) if hour.reads >= ENOUGH and share < WORKS else [],
    }


def _spread(values: Histogram, places: int) -> list[float]:
    """The tenth, the middle and the ninetieth percentile."""
    return [round(values.percentile(percent), places) for percent in PERCENTILES]


def _verdict(reads: int, share: float) -> str:
    if reads < ENOUGH:
        return "too few"
    return "works" if share >= WORKS else "fails" if share < FAILS else "poor"


def _causes(hour: Hour, band: Band) -> list[str]:
    """What the hour's middle plate lacks, the likeliest first; "unknown" where every meter is
    green.
    """
    light = Light(hour.light.percentile(50), hour.contrast.percentile(50), hour.glare / hour.reads)
    width = band.verdict(hour.width_px.percentile(50))
    found = {
        "too narrow": width in {Verdict.BAD, Verdict.LOW},
        "blurred": sharp_verdict(hour.detail.percentile(50)) is not Verdict.GOOD,
        "glare": light.verdict() is Verdict.HIGH,
        "too little contrast": light.verdict() is Verdict.BAD,
        "too dark": light.verdict() is Verdict.LOW,
    }
    return [cause for cause, so in found.items() if so] or ["unknown"]
