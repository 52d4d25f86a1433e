"""MotionGate: the same promises from the fake and from the real gate on luminance."""

from dataclasses import replace

import numpy as np
import pytest

from agent.vision.stream.luma_gate import LumaGate
from tests.fakes.vision import FakeGate
from tests.support.street import frame, plate, street

EMPTY, COME = frame(street(), 0), frame(plate(street(), 300, 200, 56, 28), 1)


@pytest.fixture(params=[FakeGate, LumaGate])
def gate(request):
    return request.param()


def looked(gate, seen):
    assert gate.changed(seen)
    gate.looked(seen.captured.utc, news=False)


def test_the_first_frame_has_changed(gate):
    assert gate.changed(EMPTY)


def test_what_was_looked_at_has_not_changed(gate):
    looked(gate, EMPTY)
    assert not gate.changed(replace(EMPTY, sequence=1))


def test_a_change_stays_one_until_it_was_looked_at(gate):
    looked(gate, EMPTY)
    assert gate.changed(COME)
    assert gate.changed(replace(COME, sequence=2))
    gate.looked(COME.captured.utc, news=True)
    assert not gate.changed(replace(COME, sequence=3))


def test_what_has_gone_is_a_change(gate):
    looked(gate, COME)
    assert gate.changed(EMPTY)


def test_another_size_is_a_change(gate):
    looked(gate, EMPTY)
    assert gate.changed(replace(EMPTY, image=np.ascontiguousarray(EMPTY.image[:300])))


def test_any_size_has_an_answer(gate):
    for height, width in ((1, 1), (1, 700), (700, 1), (3, 5), (2592, 4608)):
        looked(gate, replace(EMPTY, image=np.zeros((height, width, 3), np.uint8)))


def test_a_grey_picture_has_an_answer(gate):
    looked(gate, replace(EMPTY, image=EMPTY.image[:, :, 0]))
