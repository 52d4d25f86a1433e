"""The bench of the time to a sealed read: frames at their own speed, the newest for whoever is
late, and what was sealed when.
"""

import json
import time
from types import SimpleNamespace

import pytest

from agent.core.reading.plate_text import PlateText
from bench.time_to_seal.child import Noted, Street

WIDTH, HEIGHT, RATE, LENGTH = 6, 4, 50, 20


@pytest.fixture
def street(tmp_path):
    facts = {"width": WIDTH, "height": HEIGHT, "frames_per_second": RATE, "length": LENGTH}
    (tmp_path / "reel.json").write_text(json.dumps(facts))
    pixels = b"".join(bytes([number]) * (WIDTH * HEIGHT * 3) for number in range(LENGTH))
    (tmp_path / "frames.raw").write_bytes(pixels)
    return Street(tmp_path)


def test_who_is_late_gets_the_newest_and_hears_what_was_dropped(street):
    frames, seen = street.frames(), []
    for frame in frames:
        assert (frame.image == frame.sequence).all()
        seen.append((frame.sequence, frame.missed))
        if len(seen) == 3:
            time.sleep(5.5 / RATE)
    assert seen[0] == (0, 0)
    assert seen[3][1] >= 4
    assert seen[-1][0] == LENGTH - 1
    assert street.shown + street.dropped == LENGTH
    assert sum(missed for _, missed in seen) == street.dropped


def test_no_frame_comes_before_its_time(street):
    for frame in street.frames():
        assert time.monotonic() >= street.begun_s + frame.sequence / RATE


def test_what_was_sealed_first_counts_and_all_else_is_the_outbox_s():
    sealer = SimpleNamespace(seal=lambda *_: time.sleep(0.01))
    outbox = SimpleNamespace(put=lambda _sealed: None, pending=lambda: ["a"])
    noted = Noted(sealer, outbox)
    for _ in range(2):
        noted.put(noted.seal(SimpleNamespace(text=PlateText("TST0042")), None, 1))
    assert noted.pending() == ["a"]
    assert len(noted.sealing_ms) == 2
    assert min(noted.sealing_ms) >= 10
    assert list(noted.sealed_s) == ["TST0042"]
    assert noted.sealed_s["TST0042"] < time.monotonic() - 0.009
