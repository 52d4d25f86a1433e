"""The pole speaks: its label's code leads to a page that says in plain words who may be told what
by this camera, and how far strangers vouch for its log.
"""

import json
from dataclasses import replace
from hashlib import sha256

import cv2
import numpy as np
import pytest

from agent.audit.witnesses.cosigned_reach import WitnessReach
from agent.city import pole_pages
from agent.city.pages.pole_page import Behind, LogStand, _section, pole_page
from agent.commands import provision
from agent.core.judging.explain.answers import explain
from agent.core.judging.explain.false_leads import Inputs, estimate_all
from agent.errors import ConfigError, StorageError, UsageError
from agent.provision.pole_label import PoleLabel, code_of, draw, label_of
from agent.settings import load
from tests.support.camera_rig import copy_of
from tests.support.clerk_city import CAMERA
from tests.support.policy_texts import DAY, files
from tests.support.signed_camera import signed_camera
from tests.unit.test_explaining import BASE

pytestmark = pytest.mark.usefixtures("quick_disk")
AT = "https://exampleville.example/cameras/"
LABEL = PoleLabel("City of Exampleville", "main-street-2", 7, "ab" * 32, f"{AT}main-street-2.html")


def read_code(label):
    """What a phone reads. OpenCV's other finder misses one clean code in a hundred
    (findings/opencv-clean-codes.sh).
    """
    rows = np.array([[0 if dark else 255 for dark in row] for row in code_of(label).matrix], "u1")
    picture = np.pad(np.kron(rows, np.ones((6, 6), "u1")), 24, constant_values=255)
    return cv2.QRCodeDetectorAruco().detectAndDecode(picture)[0]


class TestLabel:
    def test_a_phone_reads_the_address_of_the_camera_s_page(self):
        assert read_code(LABEL) == f"{AT}main-street-2.html"

    def test_a_phone_reads_it_whatever_the_digest(self):
        for number in range(200):
            digest = sha256(b"%d" % number).hexdigest()
            label = replace(LABEL, digest=digest, url=f"{AT}cam-1.html#{digest[:16]}")
            assert read_code(label) == label.url

    def test_it_says_city_camera_and_policy(self):
        text = draw(LABEL).decode()
        for word in ("City of Exampleville", "Camera main-street-2", "version 7", "ab" * 8):
            assert word in text
        assert "<script" not in text

    def test_a_name_from_outside_is_only_text(self):
        spoilt = PoleLabel("<script>\u202e" + "W" * 120, "cam-1", 1, "ab" * 32, AT)
        text = draw(spoilt).decode()
        assert "<script" not in text
        assert "\u202e" not in text

    def test_of_a_camera_on_signed_bundles(self, installed, tmp_path, monkeypatch):
        camera = signed_camera(copy_of(installed, tmp_path))
        with pytest.raises(ConfigError, match="no bundles were verified yet"):
            label_of(camera.settings, AT)
        camera.watch(monkeypatch, cars=1)
        label = label_of(camera.settings, AT)
        assert (label.city, label.camera) == ("City of Exampleville", camera.settings.camera_id)
        assert label.version == 1
        assert label.url == f"{AT}{label.camera}.html#{label.digest[:16]}"
        assert read_code(label) == label.url

    @pytest.mark.parametrize(
        "at", ["", "http://x.example/", "https://x.example/a", "javascript:1/"]
    )
    def test_an_address_that_is_none(self, installed, at):
        settings = load(installed.installation.work / "platewarden.toml")
        with pytest.raises(UsageError, match="is no folder's address"):
            label_of(settings, at)

    def test_the_command_writes_it_once(self, installed, tmp_path, capsys):
        rig = copy_of(installed, tmp_path)
        out = tmp_path / "pole.svg"
        config = rig.installation.work / "platewarden.toml"
        provision.provision(config=config, pole_label=out, at=AT, as_json=True)
        told = json.loads(capsys.readouterr().out)
        assert told["page"].startswith(AT)
        assert out.read_text().startswith("<svg ")
        with pytest.raises(StorageError, match="exists already"):
            provision.provision(config=config, pole_label=out, at=AT)
        with pytest.raises(UsageError, match="different tasks"):
            provision.provision(config=config, pole_label=out, at=AT, decommission=True)


TOLD = explain(files(BASE), DAY)
LEADS = estimate_all(TOLD, Inputs(listed=0), None)
STANDS = (LogStand("platewarden/cam-1/watch", 67, "cd" * 32, "2026-11-22T12:00:00.000Z"),)


class TestPage:
    def section(self, reach, stands=STANDS):
        return _section(TOLD, Behind("report.html", reach, stands))

    def test_the_last_witnessed_checkpoint_is_told(self):
        reach = WitnessReach(90, 80, "2026-11-22T06:00:00.000Z", "2 of Herald, Library", "")
        text = self.section(reach)
        assert "2 of Herald, Library cosigned the city&#x27;s log of 80 leaves" in text
        assert "2026-11-22 06:00 UTC" in text
        assert "67 leaves" in text
        assert "cd" * 32 in text
        assert 'href="report.html"' in text

    @pytest.mark.parametrize(
        ("reach", "says"),
        [
            (WitnessReach(), "No stranger vouches"),
            (WitnessReach(9, since="2026-11-01T00:00:00.000Z"), "No stranger vouches"),
            (WitnessReach(problem="damaged"), "cannot be said: damaged"),
            (
                WitnessReach(
                    9, 5, "2026-11-01T00:00:00.000Z", "Herald", "2026-11-02T03:04:05.000Z"
                ),
                "What came since 2026-11-02 03:04 UTC is not witnessed.",
            ),
        ],
    )
    def test_what_nobody_vouches_for_is_told(self, reach, says):
        assert says in self.section(reach)

    def test_of_a_log_that_was_never_collected(self):
        assert "knows no log of this camera yet" in self.section(WitnessReach(), ())

    def test_it_stands_above_the_policy_s_lines_and_holds_no_script(self):
        page = pole_page(TOLD, LEADS, Behind("r", WitnessReach(), ()))
        assert page.count('id="pole"') == 1
        assert page.index('id="pole"') < page.index("Answered for")
        assert "<script" not in page


def test_a_page_for_each_camera_from_the_archive(open_desk):
    out = open_desk.folder / "poles"
    out.mkdir()
    words = ("policy", "pole", "--city", open_desk.city, "--out", out, "--report", "report.html")
    done = open_desk.run(*words)
    assert done.code == 0, done.err
    pages = {path.stem: path.read_text() for path in out.iterdir()}
    assert CAMERA in pages
    assert len(pages) > 1
    assert f"Who could receive what from {CAMERA}?" in pages[CAMERA]
    assert "No stranger vouches" in pages[CAMERA]
    assert "Exampleville Police Department" in pages[CAMERA]


@pytest.mark.parametrize("report", ["javascript:alert(1)", "http://x/", "../x", "a b", ""])
def test_a_report_that_lies_nowhere(open_desk, report):
    words = ("policy", "pole", "--city", open_desk.city, "--out", open_desk.folder)
    done = open_desk.run(*words, "--report", report)
    assert done.code == 2
    assert "is no address of a report" in done.err


def test_the_newest_checkpoints_of_a_camera_are_those_of_the_city_s_log(tmp_path):
    assert pole_pages._collected(tmp_path) == {}
