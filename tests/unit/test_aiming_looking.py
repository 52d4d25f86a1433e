"""What the phone gets to see: no plate but the test plate, in this frame and after it; and meters
that tell blur from sharpness.
"""

import cv2
import numpy as np
import pytest

from agent.aim.painted_frame import MARGIN, PICTURE_WIDTH_PX, REMEMBERED_FRAMES, Looker
from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.core.wire.test_plate import is_test_plate, plate_for
from agent.light_meter import edge_contrast, light_of
from agent.pipeline import plates_in
from tests.fakes.clock import START
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader

CAR = FakePlate("ABC123", box=(300, 200, 80, 30))
TEST = FakePlate(plate_for((1, 2, 3, 4)), box=(60, 60, 120, 30))
UNREAD = FakePlate("", box=(400, 40, 60, 20), confidence=0.0)


def frame(sequence=0):
    """Stripes two pixels wide: what is still legible shows as contrast."""
    image = np.zeros((360, 480, 3), np.uint8)
    image[:, ::4] = image[:, 1::4] = 255
    return Frame(image, Instant(START), sequence)


def looker(script, finds=()):
    detector = FakeDetector(script)
    reader = FakeReader(script if callable(script) else list(script))
    return Looker(
        lambda one: plates_in(detector, reader, one),
        lambda _one: list(finds),
        lambda text: is_test_plate(text.value),
    )


def legible(look, box):
    x, y, wide, high = box
    picture = cv2.imdecode(np.frombuffer(look.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return float(picture[y + 2 : y + high - 2, x + 2 : x + wide - 2].std()) > 40


def test_every_plate_is_painted_over_but_the_test_plate():
    look = looker([CAR, TEST, UNREAD]).look(frame())
    assert legible(look, TEST.box)
    assert not legible(look, CAR.box)
    assert not legible(look, UNREAD.box)
    assert [seen.test for seen in look.plates].count(True) == 1
    assert look.crop


def test_what_only_might_be_a_plate_is_painted_over_too():
    look = looker([TEST], finds=[(200, 250, 60, 20), TEST.box]).look(frame())
    assert not legible(look, (200, 250, 60, 20))
    assert legible(look, TEST.box)


def test_a_plate_that_is_missed_for_a_few_frames_stays_hidden():
    eyes = looker(lambda one: [CAR] if one.sequence == 0 else [])
    assert [legible(eyes.look(frame(n)), CAR.box) for n in range(REMEMBERED_FRAMES)] == [
        False
    ] * REMEMBERED_FRAMES
    assert legible(eyes.look(frame(99)), CAR.box), "nothing is remembered for ever"


def test_a_plate_beside_the_test_plate_stays_hidden():
    beside = FakePlate("XYZ987", box=(150, 60, 100, 30))
    look = looker([TEST, beside]).look(frame())
    assert not legible(look, (185, 60, 60, 30))
    assert not legible(look, (152, 60, 26, 30)), "where the two boxes overlap, the stranger wins"


@pytest.mark.parametrize(
    "beside",
    [(186, 60, 60, 30), (16, 60, 34, 30), (70, 92, 60, 20), (60, 40, 90, 22), (140, 80, 70, 34)],
)
def test_a_neighbours_plate_cannot_be_read_in_the_crop(beside):
    """The crop has a margin, and a plate may stand in it: at a side, above, below, overlapping."""
    neighbour = FakePlate("XYZ987", box=beside)
    look = looker([TEST, neighbour]).look(frame())
    whole = looker([TEST]).look(frame())
    assert look.crop
    x, y, wide, high = TEST.box
    left, top = max(0, int(x - wide * MARGIN)), max(0, int(y - high * MARGIN))
    crop, as_it_is = (
        cv2.imdecode(np.frombuffer(one.crop, np.uint8), cv2.IMREAD_GRAYSCALE)
        for one in (look, whole)
    )
    shown = slice(max(0, beside[1] - top) + 2, max(0, beside[1] - top + beside[3]) - 2)
    across = slice(max(0, beside[0] - left) + 2, max(0, beside[0] - left + beside[2]) - 2)
    assert as_it_is[shown, across].size, "the neighbour stands in the crop"
    assert as_it_is[shown, across].std() > 30, "and could be read there, were it not painted over"
    assert crop[shown, across].std() < 12


@pytest.mark.parametrize("text", ["TEST3479X", "TEST", "TESTABCD1", "TE5T34ACE"])
def test_nearly_a_test_plate_is_none(text):
    near = FakePlate(text, box=TEST.box)
    assert not is_test_plate(text)
    look = looker([near]).look(frame())
    assert not legible(look, TEST.box)
    assert not look.crop


def test_the_picture_is_small_and_the_frame_untouched():
    big = Frame(np.zeros((1080, 1920, 3), np.uint8) + 90, Instant(START), 0)
    before = big.image.copy()
    look = looker([CAR]).look(big)
    assert cv2.imdecode(np.frombuffer(look.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (
        270,
        PICTURE_WIDTH_PX,
        3,
    )
    assert (big.image == before).all()


def test_a_looks_repr_and_a_lookers_hold_no_text():
    eyes = looker([CAR, TEST])
    look = eyes.look(frame())
    assert CAR.text not in repr(look) + repr(vars(eyes))


def characters():
    drawn = np.full((60, 240), 230, np.uint8)
    cv2.putText(drawn, "3FPA826", (8, 46), cv2.FONT_HERSHEY_SIMPLEX, 1.7, 20, 5, cv2.LINE_AA)
    return drawn


def test_blur_lowers_the_edges_in_either_direction_and_dimming_does_not():
    sharp = edge_contrast(characters())
    assert sharp > 0.7
    assert edge_contrast(cv2.GaussianBlur(characters(), (0, 0), 3)) < 0.5 * sharp
    for kernel in (np.full((1, 11), 1 / 11), np.full((11, 1), 1 / 11)):
        assert edge_contrast(cv2.filter2D(characters(), -1, kernel)) < 0.6 * sharp
    assert abs(edge_contrast((characters() * 0.3).astype(np.uint8)) - sharp) < 0.1


def test_nothing_to_see_has_no_edges():
    assert edge_contrast(np.full((40, 100), 128, np.uint8)) == 0
    assert edge_contrast(np.zeros((2, 2), np.uint8)) == 0


def test_light():
    half = np.zeros((10, 10), np.uint8)
    half[:, 5:] = 255
    light = light_of(half)
    assert (light.mean, light.contrast, light.clipped) == (127.5, 255, 0.5)


def test_focus_is_told_against_the_best():
    eyes, rng = looker([]), np.random.default_rng(1)
    sharp = rng.integers(0, 255, (200, 300, 1), np.uint8).repeat(3, axis=2)
    soft = cv2.GaussianBlur(sharp, (0, 0), 2)
    seen = [
        eyes.look(Frame(image, Instant(START), n)).focus
        for n, image in enumerate((soft, sharp, soft, sharp))
    ]
    assert seen[0] == seen[1] == seen[3] == 1.0
    assert seen[2] < 0.5
