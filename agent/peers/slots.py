"""Recognisers of fast-plate-ocr: the upright box in, one character a slot out."""

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.plate_text import CHARACTERS, PlateText
from agent.core.reading.sighting import Frame, Image, PlateBox, PlateRead
from agent.errors import ModelError
from agent.peers.network import Network, Tensor
from agent.peers.plate_config import PlateConfig

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos4": cv2.INTER_LANCZOS4,
}
SUM_SLACK = 0.02  # rounding of float32 and of half-precision weights


class SlotPlateReader:
    """Implements ports.PlateReader.

    The plate's confidence is the product over all slots, empty ones too: that every character is
    right.

    `alternatives` stays empty and `sharpness` 0: these reads are printed or scored, and never vote.
    """

    def __init__(self, network: Network, config: PlateConfig) -> None:
        """Raises ModelError when network and config do not go together."""
        self._network, self._config = network, config
        self._output = _checked(network, config)
        # Characters that are in no plate of ours (a hyphen, a lower-case letter of another
        # alphabet) are left out of the text.
        self._characters = tuple(
            c.upper() if c != config.pad_char and c.upper() in CHARACTERS else ""
            for c in config.alphabet
        )

    def read(self, frame: Frame, box: PlateBox) -> PlateRead:
        """Text and confidences of one box; all slots empty gives an empty text and confidence 0."""
        crop = upright(frame.image, box)
        given = self._network.run(self._output, network_input(crop, self._config)[None])
        slots = as_probabilities(
            given.reshape(self._config.max_plate_slots, len(self._config.alphabet))
        )
        best = slots.argmax(axis=1)
        surest = slots.max(axis=1)
        kept = [
            (self._characters[c], float(p))
            for c, p in zip(best, surest, strict=True)
            if self._characters[c]
        ]
        return PlateRead(
            box=box,
            text=PlateText("".join(character for character, _ in kept)),
            confidence=float(np.clip(surest.prod(), 0, 1)) if kept else 0.0,
            char_confidence=tuple(probability for _, probability in kept),
            alternatives=(),
            region="unknown",
            state=None,
            crop=crop.copy(),
            sharpness=0.0,
            captured=frame.captured,
        )


def upright(image: Image, box: PlateBox) -> Image:
    """The upright box in whole px, clipped to the image, at least 1×1: how these recognisers are
    fed by their own makers.

    A view.
    """
    height, width = image.shape[:2]
    x, y, w, h = box.box
    x0, y0 = min(max(0, int(x)), width - 1), min(max(0, int(y)), height - 1)
    return image[
        y0 : max(y0 + 1, min(height, int(y + h))), x0 : max(x0 + 1, min(width, int(x + w)))
    ]


def network_input(crop: Image, config: PlateConfig) -> NDArray[np.uint8]:
    """The crop (H×W×3, BGR) as the config wants it: height × width × 1 or 3, RGB, uint8; the
    network scales the values itself.
    """
    rgb = config.image_color_mode == "rgb"
    coloured = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB if rgb else cv2.COLOR_BGR2GRAY)
    height, width = config.img_height, config.img_width
    how = INTERPOLATIONS[config.interpolation]
    if not config.keep_aspect_ratio:
        sized = cv2.resize(coloured, (width, height), interpolation=how)
    else:
        scale = min(width / coloured.shape[1], height / coloured.shape[0])
        new_width = max(1, round(coloured.shape[1] * scale))
        new_height = max(1, round(coloured.shape[0] * scale))
        left, top = (width - new_width) // 2, (height - new_height) // 2
        small = cv2.resize(coloured, (new_width, new_height), interpolation=how)
        grey = config.padding_color if rgb else config.padding_color[:1]
        sized = cv2.copyMakeBorder(
            small,
            top,
            height - new_height - top,
            left,
            width - new_width - left,
            cv2.BORDER_CONSTANT,
            value=grey,
        )
    return np.asarray(sized, np.uint8).reshape(height, width, config.channels)


def as_probabilities(slots: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slots × alphabet, each slot adding up to 1.

    Most exports give that already; others end before their softmax.
    """
    if (slots >= 0).all() and (np.abs(slots.sum(axis=1) - 1) < SUM_SLACK).all():
        return slots
    powers = np.exp(slots - slots.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _checked(network: Network, config: PlateConfig) -> Tensor:
    """The output with the plate's slots, once the input is as the config says."""
    wanted = (config.img_height, config.img_width, config.channels)
    given = network.input
    fits = (
        len(given.shape) == 4
        and given.shape[0] in {1, None}
        and all(a in {b, None} for a, b in zip(given.shape[1:], wanted, strict=True))
    )
    if given.kind != "tensor(uint8)" or not fits:
        told = "×".join(map(str, wanted))
        fix = "img_height, img_width and image_color_mode must be those of this recogniser"
        raise ModelError(
            f"its input is {given}, but the plate config says tensor(uint8) 1×{told}",
            where=network.where,
            fix=fix,
        )
    slots, letters = config.max_plate_slots, len(config.alphabet)
    for output in network.outputs:
        if output.kind == "tensor(float)" and output.shape[1:] in {
            (slots, letters),
            (slots * letters,),
        }:
            return output
    told = ", ".join(map(str, network.outputs))
    fix = "max_plate_slots and alphabet must be those of this recogniser"
    raise ModelError(
        f"it gives {told}, but the plate config says ?×{slots}×{letters}",
        where=network.where,
        fix=fix,
    )
