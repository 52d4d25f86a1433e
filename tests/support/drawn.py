"""One drawn car with a fictitious plate, as a picture: what tests show to the real networks."""

import numpy as np

from agent.core.reading.sighting import Image
from agent.demo import scene


def drawn_car(plate: str, scale: float = 0.8) -> Image:
    """640×480 BGR: the rear of a car on grey, its plate in the middle."""
    vehicle = scene.Vehicle(
        plate, "non-hit", (150, 110, 60), 0, 1, lambda _t: (320.0, 300.0, scale)
    )
    big = np.full((scene.HEIGHT_PX, scene.WIDTH_PX, 3), 120, np.uint8)
    scene.paste(big, scene.car(vehicle), 320.0, 300.0, scale)
    return big[:480, :640].copy()
