"""bench/passes: rendered passes that look like a car coming closer, and figures that count what
they say.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PIL", reason="the renderer draws small print with Pillow")
pytest.importorskip("matplotlib", reason="the curves are plotted")

from bench import passes as bench_passes
from bench.pass_frames import FRAMES, NARROWEST_PX, WIDEST_PX, passes
from tests.support.judging import read


@pytest.fixture(autouse=True)
def stroke_glyphs_only(monkeypatch):
    """No font is needed, and none is looked for: what is tested must not depend on the machine."""
    monkeypatch.setattr("models.training.render.glyphs.faces_for", lambda names: [])
    monkeypatch.setattr("models.training.render.glyphs.find_fonts", list)


class StandIn:
    """Reads the wide ones right, and one character of the narrow ones wrong."""

    def __init__(self, text):
        self.text = text

    def read(self, frame, box):
        wide = box.box[2] > 90
        return replace(
            read(self.text if wide else "PWD8001", confidence=0.9 if wide else 0.3),
            box=box,
            captured=frame.captured,
        )


def test_a_pass_is_one_plate_coming_closer_the_same_for_the_same_seed():
    one, again, other = next(passes(1, 5)), next(passes(3, 5)), next(passes(1, 6))
    assert one.text == again.text != other.text
    for (frame, box), (frame_again, box_again) in zip(one.frames, again.frames, strict=True):
        assert np.array_equal(frame.image, frame_again.image)
        assert box == box_again
    assert len(one.frames) == FRAMES
    widths = [np.hypot(*np.subtract(box.corners[1], box.corners[0])) for _, box in one.frames]
    assert 0.8 * NARROWEST_PX < widths[0] < widths[5] < widths[11] < 1.2 * WIDEST_PX
    times = [frame.captured.utc for frame, _ in one.frames]
    assert times == sorted(set(times))


def test_boxes_and_corners_lie_in_the_frame_around_the_plate():
    for one in passes(6, 9):
        for frame, box in one.frames:
            height, width, channels = frame.image.shape
            x, y, w, h = box.box
            assert channels == 3
            assert 0 <= x < x + w <= width
            assert 0 <= y < y + h <= height
            middle = np.mean(box.corners, axis=0)
            assert x < middle[0] < x + w
            assert y < middle[1] < y + h


def done(count=8):
    """Passes of twelve reads: the first seven wrong and unsure, the others right."""
    wrong = read("PWD8001", confidence=0.3, width=50)
    right = read("PWD0001", confidence=0.9, width=110)
    return [bench_passes.ReadPass("PWD0001", (wrong,) * 7 + (right,) * 5)] * count


def test_the_curves_count_exact_texts():
    result = bench_passes.measure(done(), 1, "ab" * 32)
    last = {way: figures[-1].value for way, figures in result.curves["all over the pass"].items()}
    assert last == {"surest frame": 1.0, "majority": 0.0, "vote": 1.0}
    assert all(
        0 <= figure.low <= figure.value <= figure.high <= 1
        for way in result.curves["in a row"].values()
        for figure in way
    )
    closer = result.closer["all over the pass"]
    assert 0 < closer.single.value < 1
    assert 0.3 < closer.removed.low <= closer.removed.value <= closer.removed.high <= 1
    assert bench_passes.removed([0.5, 0.0, 1.0], [1.0, 0.0, 1.0]).value == pytest.approx(1 / 3)


def test_the_command_prints_figures_and_no_plate_and_plots(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        bench_passes, "load_vision", lambda threads, models: (None, StandIn("PWD0001"))
    )
    bench_passes.main(["--passes", "1", "--seed", "5", "--out", str(tmp_path), "--json"])
    printed = capsys.readouterr().out
    assert json.loads(printed)["passes"] == 1
    assert "PWD" not in printed + (tmp_path / "passes.json").read_text()
    assert (tmp_path / "passes.png").stat().st_size > 5000
    bench_passes.main(["--passes", "1", "--seed", "5", "--out", str(tmp_path)])
    assert "surest frame" in capsys.readouterr().out
