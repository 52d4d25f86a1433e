"""Cuts the two strips of a plate where its issuer's name stands: above the number and below it."""

import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image, PlateBox
from agent.vision.grey import standardised
from agent.vision.straight_plate import straightened

STRIP_WIDTH_PX, STRIP_HEIGHT_PX = 192, 48
# The whole plate at the strips' scale, and the margins around it, as shares of its sides. It is
# drawn out in height: so letters are as slim as the number's, which the network began with.
PLATE_HEIGHT_PX, MARGINS = 144, (0.02, 0.0417)

Strips = NDArray[np.float32]


def strips_of(image: Image, box: PlateBox) -> Strips:
    """2×1×48×192, grey, each standardised: the plate's upper third and its lower one."""
    plate = straightened(image, box, (STRIP_WIDTH_PX, PLATE_HEIGHT_PX), MARGINS)
    return np.stack(
        [standardised(strip)[None] for strip in (plate[:STRIP_HEIGHT_PX], plate[-STRIP_HEIGHT_PX:])]
    )
