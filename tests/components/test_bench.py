"""`python -m bench` as a whole: a benchmark of drawn cars, our models beside tiny ones, and what it
says when something is not there.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from bench.legibility import Point, coverage_at, curve, illegible
from bench.limits import Told, drawn, photographed
from models.training.parts import PARTS, part_of_file
from tests.support import tiny_networks
from tests.support.drawn import drawn_car

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PLATES = {"eu": ("TST4821", "TST77X"), "us": ("FAKE345",)}
BOX = "236\t268\t168\t84"


def bench(*arguments):
    nowhere = {"PLATEWARDEN_PLATES": "/nowhere", "PLATEWARDEN_PEERS": "/nowhere", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "bench", "--part-rounds", "0", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    for region, texts in PLATES.items():
        (folder / region).mkdir()
        for number, text in enumerate(texts):
            cv2.imwrite(str(folder / region / f"{number}.png"), drawn_car(text))
            (folder / region / f"{number}.txt").write_text(f"{number}.png\t{BOX}\t{text}\n")
    return folder


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    tiny_networks.detector(
        folder / "finds.onnx",
        "centres",
        boxes=[(236 * 0.15, 268 * 0.15 - 4, 404 * 0.15, 352 * 0.15 - 4)],
        classes=[0],
    )
    tiny_networks.recognizer(folder / "reads.onnx")
    tiny_networks.write_config(folder / "reads_plate_config.yaml")
    return folder


def test_ours_beside_theirs(street, peers, tmp_path):
    (street / "eu" / "1.png").write_bytes(b"no picture")
    done = bench("--benchmark", street, "--peers", peers, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == told
    assert (tmp_path / "out" / "bench.png").read_bytes().startswith(b"\x89PNG")
    comparison = told["comparison"]
    assert (comparison["images"], comparison["plates"], comparison["rounds"]) == (3, 3, 2)
    ours, theirs = comparison["systems"]
    assert [ours["name"], theirs["name"]] == ["ours", "finds + reads"]
    assert ours["regions"]["us"][0]["recall"]["value"] == 1
    assert theirs["regions"]["all"][0]["exact"]["value"] == 0
    for system in (ours, theirs):
        assert (system["undecodable"], system["unsteady"]) == (1, 0)
        assert 0 < system["cost"]["cpu_ms"]["value"] < 10_000
        assert 20 < system["cost"]["peak_mb"] < 2_000
        assert system["cost"]["load_ms"] > 0
    assert len(comparison["ratios"][0]["by_round"]) == 2
    everything = done.stdout + done.stderr
    assert not any(text in everything for texts in PLATES.values() for text in texts), (
        "no plate is printed"
    )
    assert ".png" not in done.stdout


def test_the_tables_are_for_people(street, peers, tmp_path):
    options = ["--detector", peers / "finds.onnx", "--limit", 1, "--rounds", 1]
    done = bench("--benchmark", street, *options, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for words in (
        "by region",
        "by width",
        "finds + our recogniser",
        "does it mean what it says",
        "cost, one thread",
        "CPU of ours over finds",
    ):
        assert words in done.stdout
    assert "\x1b" not in done.stdout


def test_without_a_folder_it_says_what_to_do(tmp_path):
    done = bench("--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert "--benchmark DIR" in done.stderr
    assert json.loads(done.stdout)["comparison"] is None


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--benchmark", "nosuch"], 2, "--benchmark nosuch: no such folder"),
        (["--peers", "tests"], 2, "tests: no pair of detector and recogniser"),
        (["--detector", "nosuch.onnx"], 2, "nosuch.onnx: no such file"),
        (["--recognizer-config", "README.md"], 2, "--recognizer-config: there is no recogniser"),
        (["--rounds", "0"], 2, "start at 1"),
        (["--models", "docs"], 1, "manifest.json: cannot be read"),
        (["--detector", "README.md"], 1, "README.md: onnxruntime cannot open it"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(street, tmp_path, options, code, said):
    where = [] if "--benchmark" in options else ["--benchmark", street]
    done = bench(*where, *options, "--out", tmp_path / "out")
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_running_when_a_system_fails(street, peers, tmp_path):
    """The second child fails while the first waits: both must be gone."""
    broken = tmp_path / "broken.onnx"  # a name that no test beside this one uses
    broken.write_bytes(b"no network")
    done = bench("--benchmark", street, "--detector", broken, "--out", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    left = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, timeout=20, check=True
    ).stdout
    assert str(broken) not in left


def test_the_outbox_is_measured_beside_another_checkout():
    small = ("--rounds", 1, "--reads", 5, "--puts", 2, "--rows", 20, "--taken", 2)
    done = subprocess.run(
        [sys.executable, "-m", "bench.outbox", "--against", ROOT, "--json", *map(str, small)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    medians = json.loads(done.stdout)["medians"]
    assert medians.keys() == {"here", "there"}
    assert all(figure > 0 for of in medians.values() for figure in of.values())


def test_checking_a_log_is_measured_beside_another_checkout():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench.audit",
            *("--leaves", "1500", "--rounds", "1", "--base"),
            ROOT,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["leaves"] == 1500
    assert found["proof"]["wall_ms"] > 0
    assert found["ours"]["peak_mb_long"] > 0
    assert "ours_by_base" in found


def test_the_public_report_of_a_few_days_is_measured():
    small = ("--cameras", "3", "--days", "2", "--rounds", "1")
    done = subprocess.run(
        [sys.executable, "-m", "bench.public_report", *small],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["leaves"] == 3 * (2 + 2 * (48 + 15))
    (figures,) = found["rounds"]
    assert figures["wall_s"] > 0
    assert found["page_kb"] > 10


def test_a_fleet_is_measured_with_few_and_with_many_cameras(monkeypatch, capsys, tmp_path):
    from bench import fleet
    from bench.fleet_steps import step

    monkeypatch.setattr(fleet, "CITIES", (1, 3))
    monkeypatch.setattr(fleet, "STEPS", ("page",))
    fleet.main(["--rounds", "1", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["page"]["3"]["bytes"] > found["page"]["1"]["bytes"]
    [line] = fleet.lines(found)
    assert line.startswith("page      1: ")
    assert step(fleet.city(tmp_path / "four", 4), "messages") > 200 * 200


def test_the_memory_of_a_fleet_s_step_holds_no_network_for_plates():
    from bench.fleet import CHILD

    imports = [one for one in CHILD.splitlines() if one.startswith(("from ", "import "))]
    script = [*imports, "print({'onnxruntime', 'cv2'} & sys.modules.keys())"]
    words = [sys.executable, "-c", "\n".join(script)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_opening_a_hot_list_is_measured_beside_another_checkout(monkeypatch, capsys):
    from bench import hotlist_opening

    monkeypatch.setattr(hotlist_opening, "CITIES", (1, 3))
    monkeypatch.setattr(hotlist_opening, "OLD_CITY", 2)
    small = ("--entries", "3", "--rounds", "1", "--times", "1")
    hotlist_opening.main([*small, "--base", str(ROOT)])
    found = json.loads(capsys.readouterr().out)
    assert found["opening_cpu_ms"].keys() == {"1", "3"}
    assert found["fetched_bytes"]["3"] > 0
    assert found["base_by_most"] >= 0
    hotlist_opening.main([*small, "--no-base"])
    assert "base_by_most" not in json.loads(capsys.readouterr().out)


def test_a_changed_list_is_measured_beside_the_whole(capsys):
    from bench import hotlist_changes

    hotlist_changes.main(["--entries", "300", "--changed", "2", "--rounds", "1"])
    found = json.loads(capsys.readouterr().out)
    assert (found["entries"], found["gone"], found["come"]) == (300, 2, 2)
    assert 0 < found["changes_bytes"] < found["whole_bytes"] / 5


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.parametrize(
    ("module", "told"),
    [
        (("bench.delivery", "--rounds", "1", "--reads", "100"), "reads/s delivered and receipted"),
        (("bench.endurance", "--reads", "40"), "40 reads delivered and receipted"),
    ],
    ids=["speed", "memory"],
)
def test_a_real_delivery_is_measured(tmp_path, module, told):
    out = ("--out", tmp_path) if module[0] == "bench.endurance" else ()
    done = subprocess.run(
        [sys.executable, "-m", *module, "--folder", tmp_path, *out],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    assert told in done.stdout
    assert (tmp_path / "endurance.png").exists() == bool(out)


def test_what_is_no_checkout_is_one_clear_error(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bench.outbox", "--against", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"bench: {tmp_path}: no checkout of Platewarden (give its root folder)"
    ]


def test_what_limits_bring_is_counted_over_whole_and_spoilt_plates():
    done = subprocess.run(
        [sys.executable, "-m", "bench.limits", "--scenes", "2", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {row["how"]: row for row in json.loads(done.stdout)}
    assert {"whole", "edge", "mask", "hidden", "cut or hidden"} <= set(found)
    assert found["whole"]["sure_and_right"] > 0
    assert found["edge"]["sure"] == found["mask"]["sure"] == 0


def test_what_may_be_told_at_which_error_is_drawn_and_printed_without_a_text(tmp_path):
    picture = tmp_path / "curve.png"
    done = subprocess.run(
        [sys.executable, "-m", "bench.legibility", "--scenes", "2", "--json", "--out", picture],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert list(found) == ["ours"]
    assert found["ours"]["0.01"] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def of_whole(confidence, *, right):
    return Told("whole", confidence, right, ())


def test_coverage_counts_whole_plates_told_rightly_and_errors_all_that_is_told_wrongly():
    seen = [
        of_whole(0.99, right=True),
        Told("hidden", 0.98, False, ()),
        of_whole(0.97, right=True),
        Told("blurred", 0.97, True, ()),
        of_whole(0.5, right=False),
    ]
    points = curve(seen, whole=4)
    assert points == [
        Point(0.99, 0.25, 0.0),
        Point(0.98, 0.25, 0.5),
        Point(0.97, 0.5, 0.25),
        Point(0.5, 0.5, 0.4),
    ]
    assert [coverage_at(points, error) for error in (0.0, 0.2, 0.25)] == [0.25, 0.25, 0.5]
    assert coverage_at([], 1.0) == 0.0


def test_what_is_shown_out_of_focus_or_from_afar_is_the_same_plate_in_the_same_place():
    whole, _text = next(iter(drawn(1, 3)))
    blurred, far = illegible(whole, 0)
    assert (blurred.how, far.how, whole.how) == ("blurred", "far", "whole")
    for spoilt in (blurred, far):
        assert spoilt.image.shape == whole.image.shape
        assert (spoilt.corners == whole.corners).all()
        assert cv2.Laplacian(spoilt.image, cv2.CV_64F).var() < (
            cv2.Laplacian(whole.image, cv2.CV_64F).var() / 2
        )


def test_limits_are_tuned_on_the_part_on_which_networks_are_chosen(tmp_path):
    """Another split would choose thresholds on pictures that judge the networks, and back."""
    region = tmp_path / "eu"
    region.mkdir()
    of_parts = dict.fromkeys(PARTS, 0)
    for number, text in enumerate(("TST4821", "TST77X", "TST100", "TST200", "TST300", "TST400")):
        picture, box = drawn_car(text), BOX
        path = region / f"{number}.png"
        cv2.imwrite(str(path), picture)
        (region / f"{number}.txt").write_text(f"{path.name}\t{box}\t{text}\n")
        of_parts[part_of_file(path)] += 1
    whole = {
        part: {text for spoilt, text in photographed(tmp_path, part, 1) if spoilt.how == "whole"}
        for part in PARTS
    }
    assert {part: len(texts) for part, texts in whole.items()} == of_parts
    assert all(of_parts.values())
