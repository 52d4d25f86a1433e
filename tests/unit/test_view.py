"""Zones and masks: strict to read, whole to write, obeyed before anything looks."""

import json

import numpy as np
import pytest

from agent.camera.masked_source import MaskedSource, ZonedDetector, load_view, masked
from agent.core.camera.view import EVERYTHING, MAX_BYTES, View, format_view, inside, parse_view
from agent.core.reading.sighting import Frame
from agent.core.reasons import Limit
from agent.core.time.instant import Instant
from agent.errors import EnvelopeRefusedError, StorageError
from tests.fakes.clock import START
from tests.fakes.vision import FakeDetector, FakePlate

SQUARE = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))
HOLLOW = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0))


def told(**changes):
    return json.dumps({"v": 1, "zones": [], "masks": []} | changes).encode()


def test_what_is_written_is_read():
    view = View((SQUARE,), (HOLLOW, SQUARE))
    assert parse_view(format_view(view), "view") == view
    assert view.digest() != EVERYTHING.digest()


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"[]",
        b'{"v": 1, "zones": []}',
        told(v=2),
        told(v=True),
        told(extra=1),
        told(zones="all"),
        told(zones=[[[0, 0], [1, 1]]]),
        told(zones=[[[0, 0], [1, 0], [1, 1.01]]]),
        told(zones=[[[0, 0], [1, 0], [1, -0.1]]]),
        told(zones=[[[0, 0], [1, 0], [1, True]]]),
        told(zones=[[[0, 0], [1, 0], [1]]]),
        told(zones=[[[0, 0], [1, 0], ["1", 1]]]),
        told(zones=[[[0, 0], [0.5, 0.5], [1, 1]]]),
        told(masks=[[[0, 0], [1, 0], [1, 1]]] * 9),
        told(masks=[[[n / 100, n % 2] for n in range(65)]]),
        told().replace(b"[]", b"[[[0,0],[1,0],[1,NaN]]]", 1),
        b" " * MAX_BYTES + told(),
    ],
)
def test_anything_odd_is_refused(odd):
    with pytest.raises(EnvelopeRefusedError):
        parse_view(odd, "view")


def test_inside_follows_the_shape():
    assert inside(0.3, 0.3, SQUARE)
    assert not inside(0.6, 0.3, SQUARE)
    assert inside(0.1, 0.5, HOLLOW)
    assert not inside(0.5, 0.8, HOLLOW), "between the legs"


def test_without_a_zone_every_plate_counts():
    assert EVERYTHING.counts(0.99, 0.01)
    assert not View((SQUARE,)).counts(0.99, 0.01)


def test_a_mask_is_black_and_the_rest_and_the_original_stay():
    image = np.full((100, 200, 3), 200, np.uint8)
    drawn = masked(image, [SQUARE])
    assert not drawn[12:48, 22:98].any()
    assert (drawn[60:] == 200).all()
    assert (image == 200).all()


class Two:
    """A source of two white frames."""

    closed = False

    def frames(self):
        for number in range(2):
            yield Frame(np.full((100, 200, 3), 255, np.uint8), Instant(START), number)

    def close(self):
        self.closed = True


def test_the_line_gets_masked_frames():
    source = Two()
    seen = MaskedSource(source, View((), (SQUARE,)))
    assert [bool(frame.image[30, 60].any()) for frame in seen.frames()] == [False, False]
    seen.close()
    assert source.closed


def test_plates_outside_the_zones_are_not_found():
    frame = Frame(np.zeros((100, 200, 3), np.uint8), Instant(START), 0)
    plates = [FakePlate("IN1", box=(50, 20, 20, 10)), FakePlate("OUT1", box=(150, 20, 20, 10))]
    found = ZonedDetector(FakeDetector(plates), View((SQUARE,))).find_plates(frame)
    assert [plate.box for plate in found] == [(50, 20, 20, 10)]


FAR, NEAR = (120.0, 60.0, 40.0, 20.0), (102.0, 20.0, 40.0, 20.0)


def limits_of(box, mask):
    frame = Frame(np.zeros((100, 200, 3), np.uint8), Instant(START), 0)
    detector = ZonedDetector(FakeDetector([FakePlate("IN1", box=box)]), View((), (mask,)))
    (found,) = detector.find_plates(frame)
    return found.limits


def test_a_plate_that_a_mask_may_cut_says_so():
    assert limits_of(FAR, SQUARE) == frozenset()
    assert limits_of(NEAR, SQUARE) == {Limit.CUT_BY_MASK}, "two px beside the mask"
    assert limits_of((80.0, 20.0, 40.0, 20.0), SQUARE) == {Limit.CUT_BY_MASK}, "half under it"
    assert limits_of((30.0, 15.0, 40.0, 20.0), SQUARE) == {Limit.CUT_BY_MASK}, "all under it"


def test_a_mask_narrower_than_a_plate_cuts_it_too():
    band = ((0.68, 0.0), (0.7, 0.0), (0.7, 1.0), (0.68, 1.0))
    assert limits_of(FAR, band) == {Limit.CUT_BY_MASK}
    spot = ((0.69, 0.68), (0.71, 0.68), (0.71, 0.72), (0.69, 0.72))
    assert limits_of(FAR, spot) == {Limit.CUT_BY_MASK}, "inside the plate"


def test_a_plate_between_the_legs_of_a_mask_is_whole():
    legs = ((0.1, 0.1), (0.95, 0.1), (0.95, 1.0), (0.9, 1.0), (0.9, 0.3), (0.2, 0.3), (0.2, 1.0))
    assert limits_of(FAR, legs) == frozenset()


def test_no_file_is_everything_and_a_damaged_one_refuses(tmp_path):
    path = tmp_path / "view.json"
    assert load_view(path) == EVERYTHING
    path.write_bytes(format_view(View((SQUARE,))))
    assert load_view(path).zones
    path.write_bytes(b"{")
    with pytest.raises(EnvelopeRefusedError):
        load_view(path)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        load_view(path)
