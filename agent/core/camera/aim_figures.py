"""What an installer must know of an aim, as numbers: how wide a plate has to be, how sharp, how
lit, and what its motion smears (docs/design/aim.md).
"""

import math
from enum import StrEnum

from agent.values import dataclass

LEAST_PX = 60.0
# From 60 px on width gains nothing more (models/recognizer.md); a third in hand for night, noise
# and motion.
GREEN_FROM_PX = 80.0
GREEN_TO_PX = 240.0  # nothing is gained beyond: the recogniser sees 128 px; what is lost is road
# Plates narrower than this share of the frame's width were in no measure (models/detector.md).
LEAST_SHARE = 1 / 32
# Limits of `detail`, measured on drawn plates, blurred and smeared (docs/design/aim.md).
SHARP, SOFT = 55.0, 42.0
# Limits of the light: a mean grey level, a share of clipped pixels, the grey levels between strokes
# and ground.
DARK, GLARE_SHARE, FLAT = 40.0, 0.25, 35.0
# Motion on the plate during an exposure, measured in the same place. A stroke of its characters is
# 8 to 10 mm wide.
FINE_MM, MOST_MM = 9.0, 14.0
PLATE_MM = {"us": 305.0, "eu": 520.0, "br": 400.0}
TEST_PLATE_MM = 480.0  # docs/design/rehearsal.md
KMH_PER_M_S = 3.6


class Verdict(StrEnum):
    """What a meter says. `GOOD` is green, the rest is not."""

    GOOD = "good"
    LOW = "low"
    BAD = "bad"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Band:
    """Plate widths in px of the frame: below `least` nothing may be expected; `green_from` to
    `green_to` is what the models need.
    """

    least: float
    green_from: float
    green_to: float

    def verdict(self, width_px: float) -> Verdict:
        """BAD below `least`, LOW below green, HIGH above it."""
        if width_px < self.least:
            return Verdict.BAD
        if width_px < self.green_from:
            return Verdict.LOW
        return Verdict.GOOD if width_px <= self.green_to else Verdict.HIGH


def band_for(frame_width_px: int) -> Band:
    """The band in a frame of this width: the networks see the frame shrunk, so a wide frame needs
    wider plates.
    """
    least = max(LEAST_PX, frame_width_px * LEAST_SHARE)
    green = max(GREEN_FROM_PX, least)
    return Band(least, green, max(GREEN_TO_PX, 3 * green))


@dataclass(frozen=True, slots=True)
class Light:
    """A plate's light.

    `mean`: grey, 0–255; `contrast`: grey levels between its dark and its bright tenth; `clipped`:
    share of pixels at the top, 0–1.
    """

    mean: float
    contrast: float
    clipped: float

    def verdict(self) -> Verdict:
        """HIGH: glare; BAD: strokes cannot be told from the ground; LOW: dark."""
        if self.clipped > GLARE_SHARE:
            return Verdict.HIGH
        if self.contrast < FLAT:
            return Verdict.BAD
        return Verdict.LOW if self.mean < DARK else Verdict.GOOD


def sharp_verdict(detail: float) -> Verdict:
    """Of a plate's detail: its width in px × the share of its contrast that is passed within two of
    them.

    A wide plate may be softer.
    """
    if detail < SOFT:
        return Verdict.BAD
    return Verdict.GOOD if detail >= SHARP else Verdict.LOW


def local_share(kind: str) -> float:
    """A plate of this kind, where the test plate is held, is so much as wide as the test plate."""
    return PLATE_MM[kind] / TEST_PLATE_MM


@dataclass(frozen=True, slots=True)
class Smear:
    """What motion does to a plate while the shutter is open.

    `mm` on the plate; `px` at the width asked for; `longest_s`: the shutter that is still fine.
    """

    mm: float
    px: float
    longest_s: float
    verdict: Verdict


def smear(
    speed_km_h: float, shutter_s: float, angle_deg: float, plate_px: float, plate_mm: float
) -> Smear:
    """Motion across the picture: speed × shutter × sine of the angle between the car's way and the
    camera's view.

    GOOD up to FINE_MM, about a stroke of the characters, LOW up to MOST_MM, BAD beyond. Motion
    towards the camera is left out: within one shutter it changes the plate's size by less than a
    hundredth. Speeds above 0; angle 0 (straight at the camera) to 90 degrees (past it).
    """
    across_m_s = speed_km_h / KMH_PER_M_S * math.sin(math.radians(angle_deg))
    moved_mm = across_m_s * shutter_s * 1000
    longest_s = FINE_MM / 1000 / across_m_s if across_m_s > 0 else math.inf
    verdict = (
        Verdict.GOOD if moved_mm <= FINE_MM else Verdict.LOW if moved_mm <= MOST_MM else Verdict.BAD
    )
    return Smear(moved_mm, moved_mm / plate_mm * plate_px, longest_s, verdict)
