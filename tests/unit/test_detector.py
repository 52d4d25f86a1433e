"""agent/vision/detector.py: from frame to network input and from score maps to boxes, with a
scripted network.
"""

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.vision.detector import (
    INPUT_HEIGHT_PX,
    INPUT_WIDTH_PX,
    MOST_PLATES,
    PAD_GREY,
    STRIDE_PX,
    WHOLE_PX,
    OnnxPlateDetector,
    fit,
)

ROWS, COLUMNS = INPUT_HEIGHT_PX // STRIDE_PX, INPUT_WIDTH_PX // STRIDE_PX


class ScriptedSession:
    """Draws plates (x0, y0, x1, y1 in px of the input, score) as the network would."""

    def __init__(self, *plates):
        self.score = np.full((1, 1, ROWS, COLUMNS), 0.01, np.float32)
        self.box = np.full((1, 4, ROWS, COLUMNS), 0.5, np.float32)
        self.fed = None
        for x0, y0, x1, y1, score in plates:
            column, row = int((x0 + x1) / 2 / STRIDE_PX), int((y0 + y1) / 2 / STRIDE_PX)
            x, y = column + 0.5, row + 0.5
            self.score[0, 0, row, column] = score
            self.box[0, :, row, column] = (
                x - x0 / STRIDE_PX,
                y - y0 / STRIDE_PX,
                x1 / STRIDE_PX - x,
                y1 / STRIDE_PX - y,
            )

    def run(self, output_names, input_feed):
        assert output_names == ["score", "box"]
        self.fed = input_feed["frame"]
        return [self.score, self.box]


def frame(width=INPUT_WIDTH_PX, height=INPUT_HEIGHT_PX):
    return Frame(
        np.full((height, width, 3), 200, np.uint8), Instant(datetime(2026, 1, 1, tzinfo=UTC)), 0
    )


def boxes(found):
    return [tuple(round(side) for side in plate.box) for plate in found]


def test_an_empty_street_has_no_plates():
    assert OnnxPlateDetector(ScriptedSession()).find_plates(frame()) == ()


def test_a_plate_is_boxed_where_it_is():
    found = OnnxPlateDetector(ScriptedSession((100, 200, 180, 220, 0.9))).find_plates(frame())
    assert boxes(found) == [(100, 200, 80, 20)]
    assert found[0].confidence == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1280, 768, (200, 400, 160, 40)),  # twice the input
        (320, 192, (50, 100, 40, 10)),  # half of it
        (640, 375, (100, 196, 80, 20)),  # wide: margins above and below
        (375, 384, (96, 200, 80, 20)),  # narrow: margins left and right
        (384, 384, (100, 200, 80, 20)),  # square: no margin is looked at
    ],
)
def test_boxes_are_in_px_of_the_frame_whatever_its_size(width, height, expected):
    found = OnnxPlateDetector(ScriptedSession((100, 200, 180, 220, 0.9))).find_plates(
        frame(width, height)
    )
    assert boxes(found) == [expected]


@pytest.mark.parametrize(
    ("width", "height"),
    [(1, 1), (1, 5000), (5000, 1), (640, 384), (1919, 1081), (641, 385), (13, 7)],
)
def test_any_frame_fits_the_network(width, height):
    picture, letterbox = fit(frame(width, height).image)
    rows, columns = picture.shape
    assert 0 < rows <= INPUT_HEIGHT_PX
    assert 0 < columns <= INPUT_WIDTH_PX
    assert rows % WHOLE_PX == columns % WHOLE_PX == 0
    assert rows == INPUT_HEIGHT_PX or columns == INPUT_WIDTH_PX  # as large as it can be
    # No more margin than that, either.
    assert all(np.count_nonzero((picture == PAD_GREY).all(axis=axis)) < WHOLE_PX for axis in (0, 1))
    assert picture.dtype == np.uint8
    assert set(np.unique(picture)) <= {PAD_GREY, 200}
    assert letterbox.left_px >= 0
    assert letterbox.top_px >= 0


def test_the_network_sees_the_luminance_of_the_frame_unchanged_when_sizes_agree():
    session = ScriptedSession()
    street = frame()
    street.image[:] = np.random.default_rng(0).integers(0, 256, street.image.shape)
    OnnxPlateDetector(session).find_plates(street)
    assert np.array_equal(session.fed[0, 0], cv2.cvtColor(street.image, cv2.COLOR_BGR2GRAY))


def test_best_first():
    session = ScriptedSession(
        (10, 10, 90, 30, 0.5), (300, 100, 380, 120, 0.9), (500, 300, 580, 320, 0.7)
    )
    assert [
        round(plate.confidence, 1) for plate in OnnxPlateDetector(session).find_plates(frame())
    ] == [0.9, 0.7, 0.5]


def test_below_the_threshold_is_no_plate():
    session = ScriptedSession((10, 10, 90, 30, 0.5), (300, 100, 380, 120, 0.7))
    assert len(OnnxPlateDetector(session, threshold=0.6).find_plates(frame())) == 1
    assert len(OnnxPlateDetector(session, threshold=0.5).find_plates(frame())) == 2


@pytest.mark.parametrize(
    "second",
    [
        (116, 200, 196, 220, 0.8),  # shifted by a fifth
        (130, 202, 160, 218, 0.8),  # inside
        (70, 180, 230, 232, 0.8),  # around
    ],
)
def test_of_two_boxes_on_one_plate_the_better_stays(second):
    found = OnnxPlateDetector(ScriptedSession((100, 200, 180, 220, 0.9), second)).find_plates(
        frame()
    )
    assert boxes(found) == [(100, 200, 80, 20)]


def test_plates_side_by_side_both_stay():
    found = OnnxPlateDetector(
        ScriptedSession((100, 200, 180, 220, 0.9), (184, 200, 264, 220, 0.8))
    ).find_plates(frame())
    assert len(found) == 2


def test_a_plate_beyond_the_edge_is_cut_at_it():
    found = OnnxPlateDetector(ScriptedSession((590, 366, 650, 390, 0.9))).find_plates(frame())
    assert boxes(found) == [(590, 366, 50, 18)]


def test_a_box_in_the_margin_is_no_plate():
    assert (
        OnnxPlateDetector(ScriptedSession((100, 0, 180, 3, 0.9))).find_plates(frame(640, 184)) == ()
    )


def test_a_proposals_corners_are_its_boxs():
    (plate,) = OnnxPlateDetector(ScriptedSession((100, 200, 180, 220, 0.9))).find_plates(frame())
    assert [tuple(round(v) for v in corner) for corner in plate.corners] == [
        (100, 200),
        (180, 200),
        (180, 220),
        (100, 220),
    ]


def test_a_frame_full_of_plates_gives_a_bounded_number():
    crowd = [(x, y, x + 20, y + 8, 0.9) for x in range(0, 600, 32) for y in range(0, 370, 24)]
    assert len(OnnxPlateDetector(ScriptedSession(*crowd)).find_plates(frame())) == MOST_PLATES
