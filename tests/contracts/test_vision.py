"""PlateDetector and PlateReader: the same promises from the fakes and from the real networks, on
one drawn car.
"""

from datetime import UTC, datetime

import numpy as np
import pytest

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.peers.peer_loader import load_detector, load_reader
from agent.vision.stream.gated_detector import GatedDetector
from tests.fakes.vision import FakeDetector, FakeGate, FakePlate, FakeReader
from tests.support import tiny_networks
from tests.support.drawn import drawn_car

NOW = Instant(datetime(2027, 1, 15, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
def frame() -> Frame:
    return Frame(drawn_car("TST4821"), NOW, 0)


@pytest.fixture(scope="module", params=["fake", "gated", "real", "peers"])
def vision(request, tmp_path_factory):
    if request.param in {"fake", "gated"}:
        plates = [
            FakePlate("TST4821", box=(236, 268, 168, 84)),
            FakePlate("TST9", box=(10, 10, 60, 20), found=0.5),
        ]
        detector = FakeDetector(plates)
        return (
            detector if request.param == "fake" else GatedDetector(detector, FakeGate())
        ), FakeReader(plates)
    if request.param == "peers":
        folder = tmp_path_factory.mktemp("peers")
        config = tiny_networks.write_config(folder / "r.yaml")
        return load_detector(tiny_networks.detector(folder / "d.onnx", "centres")), load_reader(
            tiny_networks.recognizer(folder / "r.onnx"), config
        )
    from agent.vision.model_loader import load_vision

    return load_vision()


def test_boxes_lie_in_the_frame_best_first(vision, frame):
    boxes = vision[0].find_plates(frame)
    height, width = frame.image.shape[:2]
    assert boxes
    assert [box.confidence for box in boxes] == sorted(
        (box.confidence for box in boxes), reverse=True
    )
    for found in boxes:
        x, y, w, h = found.box
        assert x >= 0
        assert y >= 0
        assert w > 0
        assert h > 0
        assert x + w <= width + 0.01
        assert y + h <= height + 0.01
        assert 0 <= found.confidence <= 1
        assert len(found.corners) == 4


def test_nothing_in_a_grey_frame_is_no_error(vision):
    reader_and_boxes = vision[0].find_plates(Frame(np.full((96, 160, 3), 127, np.uint8), NOW, 0))
    assert isinstance(reader_and_boxes, list | tuple)


def test_a_read_is_whole(vision, frame):
    detector, reader = vision
    read = reader.read(frame, detector.find_plates(frame)[0])
    assert len(read.char_confidence) == len(read.text)
    assert all(0 <= value <= 1 for value in (*read.char_confidence, read.confidence))
    probabilities = [alternative.probability for alternative in read.alternatives]
    assert probabilities == sorted(probabilities, reverse=True)
    assert read.text not in [alternative.text for alternative in read.alternatives]
    assert read.captured == frame.captured
    assert read.region in {"us", "eu", "uk", "br", "unknown"}


def test_the_crop_is_a_copy(vision, frame):
    """A view would keep the whole frame, and whoever else is in it, in memory."""
    detector, reader = vision
    crop = reader.read(frame, detector.find_plates(frame)[0]).crop
    assert crop.ndim == 3
    assert crop.size > 0
    assert not np.shares_memory(crop, frame.image)


def test_an_unreadable_box_gives_no_confident_text(vision, frame):
    detector, reader = vision
    box = detector.find_plates(frame)[0]
    read = reader.read(
        Frame(np.full_like(frame.image, 90), NOW, 1),
        type(box)((3.0, 3.0, 40.0, 12.0), ((3, 3), (43, 3), (43, 15), (3, 15)), 0.3),
    )
    assert read.confidence < 0.5
