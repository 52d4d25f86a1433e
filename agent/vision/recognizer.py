"""Reads the plate in one box: straightens it along its corners, runs the recogniser network,
decodes text, confidences, alternatives, region, and why none of it may be sure.
"""

from collections.abc import Callable

import cv2

from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import (
    MOST_WHEN_LIMITED,
    Alternative,
    Frame,
    Image,
    PlateBox,
    PlateRead,
)
from agent.core.reasons import Limit
from agent.core.wire.test_plate import is_test_plate
from agent.light_meter import luminance
from agent.values import replace
from agent.vision.ctc import Reading
from agent.vision.plate_views import (
    CLOSE,
    STACKED_HEIGHT_PX,
    TOLD_AS_SURE,
    Session,
    View,
    Views,
    Worth,
    as_it_is,
    worth,
)
from agent.vision.syntax import REGIONS
from agent.vision.whole import limits
from agent.vision.whole.second_look import NOT_SURE, SecondLook, Whole

TWO_ROWS_SURE = 0.97  # what reads so surely as two rows is not tried as one
CROP_MARGIN = 0.15  # of the box's sides: what a person needs to see around the plate
ALTERNATIVES = 5
LEAST_ALTERNATIVE = 1e-3
SURE_REGION = 0.97  # below that the region is "unknown"
# What a text may lack where stacked characters were left out of it.
WITHOUT_A_STACK = frozenset({Limit.TOO_SHORT, Limit.NO_DIGIT})
IssuerOf = Callable[[Image, PlateBox], str | None]  # which state issued it, as `US-CA`?
WITH_STATES = "us"  # the region whose small print may name a state


class OnnxPlateReader:
    """Implements ports.PlateReader over the session of models/recognizer.onnx.

    `whole` is wholeness.Wholeness on a camera, `issuer` is issuer.Issuer, `stacked` the session of
    models/stacked.onnx; both sessions as plate_views.Views has them. `longest`: characters of the
    longest plates that are issued where the camera stands; `worth`: what a mean over several crops
    is worth. Limit: without `issuer`, and where it is silent, the issuing state is not named, so
    that a match is by text.
    """

    def __init__(
        self,
        session: Session,
        whole: Whole,
        issuer: IssuerOf | None = None,
        longest: int = limits.LONGEST,
        stacked: Session | None = None,
        worth: Worth = worth,
        reviewer: Session | None = None,
    ) -> None:
        again = Views(reviewer) if reviewer else None
        self._views = Views(session, worth, reviewer=again)
        self._issuer, self._longest = issuer, longest
        further = Views(stacked, as_it_is, STACKED_HEIGHT_PX) if stacked else None
        self._second_look = SecondLook(self._views, whole, further)

    def read(self, frame: Frame, box: PlateBox) -> PlateRead:
        """Text, confidences and alternatives of one box; an unreadable plate gives an empty text
        and confidence 0.
        """
        box, view, found = self._first_look(frame.image, box)
        unlike: frozenset[Limit] = frozenset()
        if not found and self._by_text(view) <= WITHOUT_A_STACK:
            view, unlike = self._second_look(frame.image, box, view)
        best, *others = view.ranked
        found = found | self._by_text(view) or unlike
        near = limits.seldom_cut(box, *frame.image.shape[1::-1])
        told = confidence(best, box, most_of(view, found, seldom_cut=near))
        crop = cut(frame.image, box, CROP_MARGIN).copy()
        return PlateRead(
            box=box,
            text=PlateText(best.text),
            confidence=told,
            char_confidence=best.char_confidence,
            alternatives=alternatives(others[:ALTERNATIVES]),
            region=region_of(view),
            state=self._state(frame.image, box, view, told),
            crop=crop,
            sharpness=sharpness(crop),
            captured=frame.captured,
            network_text=None if best.text == view.seen[0].text else PlateText(view.seen[0].text),
            limits=found,
            stacked=view.stacked,
        )

    def _first_look(self, image: Image, box: PlateBox) -> tuple[PlateBox, View, frozenset[Limit]]:
        """The box with the rows that it turned out to have, what is seen in it, and what its place
        has against it.
        """
        first, found = self._views.look(image, box, CLOSE), box.limits
        if box.rows == 2 and first.best.probability < TWO_ROWS_SURE:
            # A dealer's name above the plate looks like an upper row of text: whether it is one,
            # the text says better than the aligner. Only what reads better gets more crops.
            one_row = replace(box, rows=1)
            as_one = self._views.look(image, one_row, CLOSE)
            if as_one.best.probability > first.best.probability:
                box, first = one_row, as_one
                found |= limits.by_rows(box)
        view = self._views.view(image, box, first)
        return box, view, found | limits.by_place(box, *image.shape[1::-1])

    def _by_text(self, view: View) -> frozenset[Limit]:
        return limits.by_text(view.best.text, region_of(view), self._longest)

    def _state(self, image: Image, box: PlateBox, view: View, told: float) -> str | None:
        """Of a plate whose text is told as sure alone: of another, the state would help nobody."""
        if self._issuer is None or told < TOLD_AS_SURE or region_of(view) != WITH_STATES:
            return None
        return None if is_test_plate(view.best.text) else self._issuer(image, box)


def most_of(view: View, found: frozenset[Limit], *, seldom_cut: bool) -> float:
    """The confidence of what is seen at most, 0–1. How much of a plate something hides is measured,
    and how seldom one is cut so far from the edge; of other limits it is known only that they make
    a text doubtful.
    """
    if seldom_cut and found == {Limit.CUT_BY_EDGE}:
        return min(view.most, NOT_SURE)
    return view.most if found <= {Limit.HIDDEN} else min(view.most, MOST_WHEN_LIMITED)


def confidence(reading: Reading, box: PlateBox, most: float) -> float:
    """0–1, at most that, that the text is what stands on the plate.

    What is legible enough to be a plate at all stays so.
    """
    return min(reading.probability, max(most, box.least_text)) if reading.text else 0.0


def alternatives(readings: list[Reading]) -> tuple[Alternative, ...]:
    """Other texts worth telling, likeliest first."""
    return tuple(
        Alternative(PlateText(r.text), r.probability)
        for r in readings
        if r.text and r.probability >= LEAST_ALTERNATIVE
    )


def region_of(view: View) -> str:
    """The region of a text when one is sure, else "unknown"."""
    best = int(view.regions.argmax())
    sure = view.best.text and view.regions[best] >= SURE_REGION
    return REGIONS[best] if sure else "unknown"


def cut(image: Image, box: PlateBox, margin: float) -> Image:
    """The upright box with a margin (share of its sides), clipped to the image; at least 1×1.

    A view, not a copy.
    """
    x, y, width, height = box.box
    x0, y0 = int(max(0, x - width * margin)), int(max(0, y - height * margin))
    x1 = round(min(image.shape[1], x + width * (1 + margin)))
    y1 = round(min(image.shape[0], y + height * (1 + margin)))
    x0, y0 = min(x0, image.shape[1] - 1), min(y0, image.shape[0] - 1)
    return image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def sharpness(crop: Image) -> float:
    """Variance of the Laplacian of the grey crop: higher is sharper (Pech-Pacheco et al., 2000)."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(luminance(crop), cv2.CV_16S))
    return float(deviation[0, 0]) ** 2
