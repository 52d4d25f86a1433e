"""The seven networks as shipped, on whatever processor this runs (`make test-arm64`: a Pi 4): a
drawn plate is read to the letter.
"""

from datetime import UTC, datetime

import pytest

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.vision.model_loader import load_vision
from tests.support.drawn import drawn_car

NOW = Instant(datetime(2027, 1, 15, 12, tzinfo=UTC))
PLATE = "TST4821"  # fictitious


@pytest.fixture(scope="module", params=[False, True])
def vision(request):
    return load_vision(seldom_later=request.param)


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.2])
def test_a_drawn_plate_is_read_to_the_letter(vision, scale):
    detector, reader = vision
    frame = Frame(drawn_car(PLATE, scale), NOW, 0)
    reads = [reader.read(frame, box) for box in detector.find_plates(frame)]
    assert PLATE in [read.text.value for read in reads]
