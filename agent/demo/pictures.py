"""The page's pictures: each car of the clip once, with the plate that the detector found in a
box.
"""

from pathlib import Path

import cv2
import numpy as np

from agent.core.reading.sighting import Frame, Image, PlateBox
from agent.demo.demo_page import SawCard
from agent.demo.scene import VEHICLES, Vehicle
from agent.host.clock import SystemClock
from agent.vision.model_loader import load_vision

CARD_PX, BOX_BGR, DROPPED_BGR, JPEG_QUALITY = (420, 280), (79, 150, 11), (90, 90, 230), 80
STORIES = {
    "hit": (
        "Reported stolen",
        "On the hot list. Sealed to the police department, and to nobody else.",
    ),
    "near-miss": ("A near miss", "One look-alike character away from a listed plate: dropped."),
    "recovered": (
        "Stolen, found, given back",
        "Its entry ended when the car was found: dropped, like any other.",
    ),
    "non-hit": ("Nobody suspected", "No hot list asks for it: dropped."),
    "parked": ("A parked car", "In view all the time, counted as one, on no hot list: dropped."),
}


def saw_cards(frames: Path) -> tuple[SawCard, ...]:
    """One card a vehicle, in order of appearance. Runs the real detector on one frame of each."""
    (detector, _reader), clock = load_vision(), SystemClock()
    cards = []
    for vehicle in VEHICLES:
        index = vehicle.first + (vehicle.last - vehicle.first) // 4
        image = cv2.imread(str(frames / f"{index:06d}.jpg"))
        boxes = detector.find_plates(Frame(np.asarray(image, np.uint8), clock.now(), index))
        title, outcome = STORIES[vehicle.role]
        cards.append(
            SawCard(
                _card(np.asarray(image, np.uint8), vehicle, index, boxes),
                title,
                outcome,
                vehicle.role == "hit",
            )
        )
    return tuple(cards)


def _card(image: Image, vehicle: Vehicle, index: int, boxes: tuple[PlateBox, ...]) -> bytes:
    """A cut-out around the vehicle, JPEG, with the detected plate nearest to it boxed."""
    x, y, scale = vehicle.path((index - vehicle.first) / (vehicle.last - vehicle.first))
    colour = BOX_BGR if vehicle.role == "hit" else DROPPED_BGR
    near = [
        b
        for b in boxes
        if abs(b.box[0] + b.box[2] / 2 - x) < 120 * scale
        and abs(b.box[1] + b.box[3] / 2 - y) < 80 * scale
    ]
    for box in near[:1]:
        cv2.polylines(
            image,
            [np.array(box.corners, np.int32)],
            isClosed=True,
            color=colour,
            thickness=3,
            lineType=cv2.LINE_AA,
        )
    width = 620 * scale
    height = width * CARD_PX[1] / CARD_PX[0]
    left = int(np.clip(x - width / 2, 0, image.shape[1] - width))
    top = int(np.clip(y - height * 0.68, 0, image.shape[0] - height))
    cut = cv2.resize(
        image[top : top + int(height), left : left + int(width)],
        CARD_PX,
        interpolation=cv2.INTER_AREA,
    )
    return cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
