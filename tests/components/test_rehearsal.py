"""A printed test plate, held before the camera, travels the whole line: real models, real
processes, a real broker; TEST received.
"""

import json
import shutil
import subprocess
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from agent import cli
from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.core.wire.test_plate import is_test_plate, plate_for
from agent.demo.installation import install, platewarden
from agent.demo.processes import run_street
from agent.demo.story import leaves
from agent.provision.plate_pdf import PAPERS_MM, plate_pdf
from agent.vision.model_loader import load_vision
from tests.support.rehearsing import drawn_plate, street_with

PLATE = plate_for((2, 7, 13, 19))
RULE = """
[[release]]
rule = "rehearsal"
categories = ["test"]
match = ["text"]
min_confidence = 0.8
max_per_hour = 20
recipient = "exampleville-pd"
purpose = "rehearsal"
retention = "2d"
include = ["plate", "crop", "captured_at", "camera"]

[[recipient]]"""


def show(folder, plate):
    """Six pictures of somebody walking up with the sheet."""
    folder.mkdir()
    for number in range(6):
        picture = street_with(
            drawn_plate(plate), 150 + 12 * number, angle_deg=number - 3, seed=number
        )
        cv2.imwrite(str(folder / f"{number:03d}.png"), picture)
    return folder


def city(work, *, with_rule):
    installation = install(work, datetime.now(UTC), ("7XKD419",))
    if with_rule:
        charter = work / "city/charter.toml"
        charter.write_text(charter.read_text().replace('"amber-alert"]', '"amber-alert", "test"]'))
        policy = work / "city/policy.toml"
        policy.write_text(policy.read_text().replace("\n[[recipient]]", RULE, 1))
    return installation


@pytest.mark.slow
def test_it_comes_back_as_test_received(tmp_path):
    installation = city(tmp_path / "work", with_rule=True)
    relayed = run_street(installation, show(tmp_path / "frames", PLATE))
    opened = [
        json.loads(line)
        for line in platewarden(
            "receiver", "open", installation.recipient, "--json"
        ).stdout.splitlines()
    ]
    assert [(read["test"], read["category"], read["plate"], read["rule"]) for read in opened] == [
        (True, "test", PLATE, "rehearsal")
    ]
    assert "TEST" in opened[0]["lead"]
    shown = platewarden("receiver", "open", installation.recipient).stdout
    assert shown.splitlines()[1].startswith("TEST")
    assert "LEAD" not in shown
    assert PLATE.encode() not in relayed
    log = leaves(installation, "watch")
    assert sum(leaf["tests"] for leaf in log if leaf["kind"] == "counts") == 1
    assert [leaf["category"] for leaf in log if leaf["kind"] == "release"] == ["test"]
    assert '"test": true' in installation.log.read_text()
    status = platewarden("status", "--config", installation.settings, "--json").stdout
    told = json.loads(status)["rehearsal"]
    assert (told["sealed"], told["received"], told["last"][:2]) == (1, 1, "20")
    assert (
        "1 test plates sealed, 1 received"
        in platewarden("status", "--config", installation.settings).stdout
    )


@pytest.mark.slow
def test_without_a_rule_it_is_a_number(tmp_path):
    installation = city(tmp_path / "work", with_rule=False)
    done = platewarden(
        "watch",
        "--config",
        installation.settings,
        "--source",
        show(tmp_path / "frames", PLATE),
        "--settle",
        "0",
        "--allow-unsigned",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    log = leaves(installation, "watch")
    (counts,) = [leaf for leaf in log if leaf["kind"] == "counts"]
    assert (counts["tests"], counts["released"], counts["reasons"]) == (
        1,
        0,
        {"category-not-released": 1},
    )
    assert not list((installation.state / "outbox").glob("*.sealed"))


@pytest.fixture(scope="module")
def vision():
    return load_vision(1, None)


def read_in(vision, picture):
    detector, reader = vision
    seen = Frame(picture, Instant(datetime(2027, 1, 15, tzinfo=UTC)), 0)
    reads = [reader.read(seen, box) for box in detector.find_plates(seen)]
    return max(reads, key=lambda read: read.confidence).text.value if reads else ""


@pytest.mark.parametrize(
    "free",
    [
        (0, 1, 2, 3),
        (4, 5, 6, 7),
        (8, 9, 10, 11),
        (12, 13, 14, 15),
        (16, 17, 18, 19),
        (20, 20, 20, 20),
    ],
)
def test_our_recogniser_reads_every_character_of_it(vision, free):
    plate = plate_for(free)
    assert [
        read_in(vision, street_with(drawn_plate(plate), width, angle_deg=angle))
        for width, angle in ((130, 0), (190, 4), (250, -3))
    ] == [plate] * 3


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="needs poppler-utils")
@pytest.mark.parametrize("paper", PAPERS_MM)
def test_the_pdf_printed_cut_and_joined_is_true_to_scale_and_is_read(vision, tmp_path, paper):
    (tmp_path / "sheet.pdf").write_bytes(plate_pdf(PLATE, paper))
    # At 4 px to the mm.
    done = subprocess.run(
        ["pdftoppm", "-r", "101.6", "-png", "sheet.pdf", "page"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert not done.stderr
    parts = []
    for number, (width_mm, page) in enumerate(
        zip((215, 265), sorted(tmp_path.glob("page*.png")), strict=True)
    ):
        sheet = cv2.imread(str(page))
        assert abs(sheet.shape[1] / 4 - PAPERS_MM[paper][0]) < 0.5
        left = round((PAPERS_MM[paper][0] - width_mm) / 2 * 4)
        parts.append(sheet[80 : 80 + 440, left : left + width_mm * 4])
        ruler = (sheet[80 + 440 + 72 - 1 : 80 + 440 + 72 + 2] < 128).any(axis=(0, 2))
        assert abs(int(ruler.sum()) / 4 - 100) < 0.8, number
    joined = np.hstack(parts)
    assert abs(joined.shape[1] / 4 - 480) < 0.5
    ink = (joined[:, :, 0] < 128)[60:-60]
    rows = np.nonzero(ink[:, 100:-100].any(axis=1))[0]
    assert abs((rows[-1] - rows[0] + 1) / 4 - 75) < 0.8  # characters as high as on a European plate
    assert read_in(vision, street_with(joined, 200)) == PLATE


def test_the_command(tmp_path, capsys):
    path = tmp_path / "sheet.pdf"
    for arguments, code in (
        (["--test-plate", path, "--json"], 0),
        (["--test-plate", path], 1),
        (["--test-plate", tmp_path / "b.pdf", "--paper", "a5"], 2),
    ):
        try:
            cli.main(["provision", *map(str, arguments)])
            ended = 0
        except SystemExit as stop:
            ended = stop.code or 0
        assert ended == code
    told = json.loads(capsys.readouterr().out.splitlines()[0])
    assert is_test_plate(told["plate"])
    assert path.read_bytes() == plate_pdf(told["plate"], "a4")
