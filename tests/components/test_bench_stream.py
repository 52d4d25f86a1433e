"""bench.stream: start-up and reading are taken off, cars are counted by the truth, what is left out
is said, and no plate stands in what is printed.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="the renderer draws small print with Pillow")

from agent.errors import PlatewardenError, UsageError
from bench.clips.clip import Clip, PassingPlate, Seen
from bench.clips.lens import GATE
from bench.clips.scenes.next_car import next_car
from bench.stream import __main__ as command
from bench.stream import boards, builds, rounds
from bench.stream.callgrind import words
from bench.stream.exact import exact_by_frames, exact_by_line
from bench.stream.macs import macs
from bench.stream.reel import write_reel
from bench.stream.rounds import Cost, Streamed, cost, run
from bench.systems import System

ROOT = Path(__file__).parents[2]
PEERS = System("peers", detector="d.onnx", recognizer="r.onnx", config="c.yaml")


@pytest.fixture(autouse=True)
def stroke_glyphs_only(monkeypatch):
    """No font is needed, and none is looked for: what is tested must not depend on the machine."""
    monkeypatch.setattr("models.training.render.glyphs.faces_for", lambda names: [])
    monkeypatch.setattr("models.training.render.glyphs.find_fonts", list)


def two_cars() -> Clip:
    def seen(x):
        return {number: Seen((x, 200.0, 120.0, 40.0), 1.0, 0.0) for number in range(10)}

    plates = (PassingPlate("TST1001", seen(100.0)), PassingPlate("TST1002", seen(700.0)))
    return Clip("two", 0, 1280, 720, 10.0, 20, plates, lambda _number: None)


def read(text, number, x=100.0):
    return [text, 0.9, number, [[number, [x, 200.0, 120.0, 40.0]]]]


def answer(cpu_s, seconds, told=(), peak_mb=100.0):
    return {"cpu_s": cpu_s, "seconds": seconds, "told": list(told), "peak_mb": peak_mb}


def test_the_run_of_a_second_is_taken_off():
    told = [read("TST1001", 3)]
    runs = [
        (answer(2.0, 1.0), answer(5.0, 31.0, told, 120.0)),
        (answer(3.0, 1.0), answer(7.0, 31.0, told, 130.0)),
    ]
    found = cost(two_cars(), Streamed("ours", ROOT), runs)
    assert found == Cost(7.0, 2.5, 125.0, exact=1, passes=2)


def test_the_worst_round_says_how_many_cars_were_read():
    good, bad = [read("TST1001", 3), read("TST1002", 4, 700.0)], [read("TST1001", 3)]
    runs = [(answer(0, 1), answer(1, 2, told)) for told in (good, bad)]
    assert cost(two_cars(), Streamed("ours", ROOT), runs).exact == 1


def test_a_line_must_tell_a_car_once_and_models_must_mostly_read_it_right():
    clip = two_cars()
    frames = [read("TST1001", 1), read("TST100", 2), read("TST1001", 3), read("X1", 4, 700.0)]
    assert exact_by_frames(clip, frames) == 1
    assert exact_by_frames(clip, [read("TST100", 1), *frames, read("TST100", 5)]) == 0
    assert exact_by_line(clip, [frames[0]]) == 1
    assert exact_by_line(clip, [frames[0], frames[2]]) == 0, "told twice"
    alike = [read("TST1OO1", 1), read("TSTI001", 2), read("TST100", 3)]
    assert exact_by_frames(clip, alike) == exact_by_line(clip, alike[:1]) == 1
    assert exact_by_frames(clip, []) == exact_by_line(clip, []) == 0


def test_systems_take_turns_and_each_round_begins_with_a_run_of_a_second(monkeypatch):
    asked = []

    def answered(system, _reel, seconds):
        asked.append((system.name, seconds))
        return answer(seconds, seconds)

    monkeypatch.setattr(rounds, "run", answered)
    systems = [Streamed("ours", ROOT), Streamed("base", ROOT), Streamed("peers", ROOT, PEERS)]
    found = rounds.costs(two_cars(), Path("reel"), systems, 2, lambda: None)
    once = [(name, s) for name in ("ours", "base", "peers") for s in (1.0, 2.0)]
    assert asked == once * 2
    assert {one.cpu_s_a_minute for one in found.values()} == {60.0}


def test_a_reel_holds_the_frames_and_no_text(tmp_path):
    clip = replace(next_car(1), length=3)
    write_reel(clip, tmp_path, lambda: None)
    raw = np.fromfile(tmp_path / "frames.raw", np.uint8).reshape(
        3, clip.height_px, clip.width_px, 3
    )
    assert np.array_equal(raw[2], clip.paint(2))
    facts = json.loads((tmp_path / "reel.json").read_text())
    assert facts == {"width": 640, "height": 360, "frames_per_second": 5.0, "length": 3}


@pytest.mark.slow
def test_the_measured_process_reads_a_reel_with_our_line(tmp_path):
    clip = next_car(2)
    system = Streamed("ours", ROOT)
    short = run(system, write_reel(clip, tmp_path, lambda: None), 1.0)
    whole = run(system, tmp_path, clip.seconds)
    assert (short["seconds"], whole["seconds"]) == (1.0, clip.seconds)
    assert 0 < short["cpu_s"] < whole["cpu_s"]
    assert whole["peak_mb"] > 20
    assert all(reads for _text, _confidence, _at, reads in whole["told"])
    assert exact_by_line(clip, whole["told"]) >= 1


def test_a_measured_process_that_ends_is_told(tmp_path, capfd):
    with pytest.raises(PlatewardenError, match="ended with an error"):
        run(Streamed("ours", ROOT), tmp_path, 1.0)
    assert "reel.json" in capfd.readouterr().err


def test_an_older_checkout_is_used_where_one_is_named_and_must_be_one(tmp_path):
    with pytest.raises(UsageError, match="no checkout"), builds.older_build(tmp_path, "HEAD"):
        pass
    with builds.older_build(ROOT, "no such commit") as place:
        assert place == ROOT


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no git checkout here")
def test_a_worktree_is_made_for_the_run_and_goes():
    with builds.older_build(None, "HEAD") as place:
        assert (place / "agent" / "pipeline.py").is_file()
    assert not place.exists()
    listed = subprocess.run(
        ["git", "-C", ROOT, "worktree", "list"], capture_output=True, text=True, check=True
    )
    assert str(place) not in listed.stdout
    with (
        pytest.raises(UsageError, match="git: "),
        builds.older_build(None, "no-such-commit"),
    ):
        pass


def test_multiply_accumulates_are_those_of_the_graph():
    """The sums of docs: 90 a frame, 10.5 a look, 69 a crop."""
    found = {
        name: round(macs(ROOT / "models" / f"{name}.onnx", shape) / 1e6, 1)
        for name, shape in (
            ("detector", (1, 1, 384, 640)),
            ("aligner", (1, 1, 64, 96)),
            ("recognizer", (1, 1, 48, 128)),
        )
    }
    assert found == {"detector": 90.4, "aligner": 10.5, "recognizer": 68.8}
    half = macs(ROOT / "models" / "detector.onnx", (1, 1, 192, 640))
    assert half == pytest.approx(90.4e6 / 2, rel=0.01)


def test_a_board_takes_longer_by_its_cores_peak():
    (four, five) = boards.estimates(36.0)
    assert (four.quick, four.likely, four.slow) == pytest.approx(
        (36 / 7.2 / 0.65, 36 / 7.2 / 0.5, 36 / 7.2 / 0.35)
    )
    assert five.likely == pytest.approx(36 / 19.2 / 0.5)
    assert "Pi 4" in four.board
    assert "Pi 5" in five.board


@pytest.fixture
def measured_quickly(monkeypatch):
    made = {
        "ours": Cost(3.0, 0.5, 120.0, 5, 5),
        "base": Cost(12.0, 0.6, 121.0, 4, 5),
        "peers": Cost(60.0, 0.9, 150.0, 5, 5),
    }
    monkeypatch.setattr(
        command,
        "costs",
        lambda clip, reel, systems, *_: {one.name: made[one.name] for one in systems},
    )
    monkeypatch.setattr(command.boards, "detector_gmacs", lambda: 36.0)
    monkeypatch.setitem(command.SCENES, "light traffic", lambda seed, seconds: next_car(seed))
    monkeypatch.setenv("PLATEWARDEN_PEERS", "/nowhere")


def test_the_command_prints_ratios_and_boards_as_an_estimate(measured_quickly, capsys):
    wanted = ["--base", str(ROOT), "--scene", "light traffic", "--no-stages"]
    command.main([*wanted, "--json"])
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["ours_over"] == {"light traffic": {"base": 0.25}}
    assert found["costs"]["light traffic"]["ours"]["exact"] == 5
    assert "no models of other people" in err
    command.main(wanted)
    table = capsys.readouterr().out
    assert "estimate, not measured" in table
    assert "0.250" in table
    for plate in next_car(1).plates:
        assert plate.text not in out + table


def test_what_cannot_be_counted_is_said(measured_quickly, capsys, monkeypatch):
    monkeypatch.setattr(command.stages, "available", lambda: False)
    command.main(["--no-base", "--scene", "light traffic", "--json"])
    assert "valgrind" in capsys.readouterr().err


def test_a_folder_without_peers_is_refused_where_it_was_named(measured_quickly, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--peers", str(tmp_path), "--no-base", "--no-stages"])
    assert ended.value.code == 2
    assert "no detector and recogniser" in capsys.readouterr().err


def test_numbers_out_of_range_are_a_usage_error(capsys):
    for words_ in (["--rounds", "0"], ["--seconds", "1"]):
        with pytest.raises(SystemExit) as ended:
            command.parse(words_)
        assert ended.value.code == 2


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind")
def test_instructions_of_one_call_are_counted_alone(tmp_path):
    """Twice the work, twice the count; the same work, the same count."""
    code = (
        "import sys; from pathlib import Path; from bench.stream.callgrind import counted\n"
        "for n in (1000, 20000, 20000, 40000):\n"
        "    print(counted(lambda: sum(range(n)), Path(sys.argv[1])))"
    )
    python = Path(sys.executable).resolve()
    done = subprocess.run(
        [*words(tmp_path), python, "-c", code, tmp_path],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    _, once, again, double = map(int, done.stdout.split())
    assert again == pytest.approx(once, rel=0.01)
    assert double / once == pytest.approx(2, rel=0.05)


def test_the_scenes_are_those_of_the_table():
    assert list(command.SCENES) == ["empty street", "light traffic", "parked car", "dense"]
    clip = command.SCENES["empty street"](1, seconds=5.0, lens=GATE)
    assert (clip.seconds, clip.plates) == (5.0, ())
