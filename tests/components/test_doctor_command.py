"""`platewarden doctor` as an installer runs it: real processes, real models, rendered pictures; and
what each process has loaded.
"""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from agent.camera.sources import open_source
from agent.commands.doctor_page import lines, total
from agent.core.camera.camera_event import Alarm
from agent.core.camera.camera_facts import CameraFacts, format_facts
from agent.core.camera.diagnosis_findings import fail, ok, skip
from agent.doctor import examination, eyes, parts
from agent.settings import Settings
from tests.support.camera_rig import PLATE, camera_rig
from tests.support.delivery_rig import Rig
from tests.support.drawn import drawn_car
from tests.support.mosquitto import Mosquitto

TIMEOUT_S = 120


def doctor(*arguments):
    environment = {**os.environ, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "agent", "doctor", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment
    )


def told(done):
    report = json.loads(done.stdout)
    return {finding["name"]: finding["health"] for finding in report["findings"]}


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    return camera_rig(tmp_path_factory.mktemp("rig"), frames=2)


def test_a_machine_on_which_nothing_is_set_up(tmp_path):
    done = doctor("--config", tmp_path / "platewarden.toml")
    assert done.returncode == 1
    text = done.stdout.splitlines()
    assert text[0].startswith("FAIL   settings: ")
    assert any(line.startswith("ok     models: ") for line in text)
    # A machine that tests has no picamera2.
    assert any(line.startswith("FAIL   camera: ") and " → " in line for line in text)
    assert re.search(r"copy the example, (/\S+)/config/platewarden\.example\.toml, and", text[0])
    assert text[-1].endswith("begin with the first FAIL")
    assert list(tmp_path.iterdir()) == []


def test_malformed_settings_are_usage(tmp_path):
    (tmp_path / "platewarden.toml").write_text('camera_id = "cam-01"\nsecret = "x"\n')
    done = doctor(
        "--config", tmp_path / "platewarden.toml", "--source", tmp_path / "nothing", "--json"
    )
    assert (done.returncode, told(done)["settings"]) == (2, "fail")


def test_a_rig_with_a_plate_in_view_and_never_its_text(rig):
    done = doctor(
        "--config", rig.installation.settings, "--source", rig.frames, "--json", "--allow-unsigned"
    )
    found = told(done)
    wanted = {
        "settings": "ok",
        "models": "ok",
        "camera": "ok",
        "exposure": "ok",
        "focus": "ok",
        "plate width": "ok",
        "plate focus": "ok",
        "keys": "ok",
        "policy": "ok",
    }
    assert found | wanted | {"broker city-hall": "fail", "enrolment": "warn"} == found
    assert done.returncode == 1  # no broker runs
    assert PLATE not in done.stdout + done.stderr
    assert not (rig.installation.work / "state").exists()


def test_the_broker_by_the_real_process_with_its_guard(tmp_path):
    delivery = Rig(tmp_path / "delivery")
    with Mosquitto(tmp_path / "broker", delivery.server) as broker:
        delivery.write_policy(delivery.policy(broker.port))
        done = doctor("--config", delivery.settings, "--part", "broker", "--allow-unsigned")
    (found,) = json.loads(done.stdout)["findings"]
    assert (found["health"], "no DNS" in found["what"]) == ("ok", True), found


def test_a_camera_that_may_not_look_is_not_opened(rig, tmp_path):
    roster = rig.installation.work / "city/roster.toml"
    before = roster.read_text()
    roster.write_text(before.replace('id = "cam-01"', 'id = "cam-09"'))
    try:
        done = doctor(
            "--config",
            rig.installation.settings,
            "--source",
            rig.frames,
            "--json",
            "--allow-unsigned",
        )
    finally:
        roster.write_text(before)
    assert (done.returncode, told(done)["camera"]) == (3, "skip")
    assert "exposure" not in told(done)


def test_where_trust_closes_the_sensor_the_eyes_are_never_started(monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(examination, "start", lambda part, _arguments: started.append(part) or part)
    monkeypatch.setattr(
        examination,
        "gather",
        lambda part, *_: parts.Report(
            (ok(part, ""),), "barred" if part is parts.Part.TRUST else None
        ),
    )
    found = examination.examine(tmp_path, "picamera", allow_unsigned=False, usable=True)
    assert started == [parts.Part.TRUST, parts.Part.BROKER, parts.Part.MACHINE]
    assert found[0] == skip("camera", "its sensor stays closed: barred")


def test_nothing_is_imported_from_the_folder_in_which_root_stands(tmp_path):
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent/__main__.py").write_text("print('caught')")
    environment = parts.environment()
    code = [sys.executable, "-m", "agent", "--version"]
    done = subprocess.run(
        code, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path, env=environment
    )
    assert done.stdout.startswith("platewarden ")


def test_an_unknown_part_is_usage(tmp_path):
    assert doctor("--config", tmp_path / "x.toml", "--part", "soul").returncode == 2


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "eyes",
            (
                "paho",
                "agent.mqtt",
                "agent.network",
                "agent.sealing",
                "agent.bundles",
                "agent.storage",
                "agent.sides.deliver",
            ),
        ),
        (
            "trust",
            (
                *("paho", "agent.mqtt", "agent.network", "agent.doctor.broker_dial"),
                *("cv2", "onnxruntime"),
            ),
        ),
        (
            "broker_dial",
            (
                "agent.core.reading.sighting",
                "agent.core.hotlist.index",
                "agent.sealing",
                "cv2",
                "onnxruntime",
            ),
        ),
    ],
)
def test_what_each_part_has_loaded(module, absent):
    code = (
        f"import sys, agent.doctor.{module}; "
        f"sys.exit(' '.join(name for name in {absent} if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


# --- eyes, in this process ---


def looked(tmp_path, image, runs=lambda _command: None):
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), image)
    return {
        finding.name: str(finding.health)
        for finding in eyes.look(Settings(camera_id="cam-01", root=tmp_path), str(path), runs)
    }


def test_a_lens_cap(tmp_path):
    found = looked(tmp_path, np.full((480, 640, 3), 3, np.uint8))
    assert found == {"models": "ok", "camera": "ok", "exposure": "fail"}


def test_a_blurred_picture(tmp_path):
    sharp = drawn_car(PLATE)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 6), np.uint8)
    assert looked(tmp_path, sharp)["focus"] == "ok"
    assert looked(tmp_path, blurred)["focus"] == "fail"


def test_no_plate_in_view(tmp_path):
    noise = np.random.default_rng(1).integers(60, 200, (480, 640, 3), np.uint8)
    assert looked(tmp_path, noise)["plate width"] == "skip"


def test_models_that_are_not_the_manifests(tmp_path):
    (tmp_path / "models").mkdir()
    settings = Settings(
        camera_id="cam-01", root=tmp_path, models={"directory": tmp_path / "models"}
    )
    found, networks = eyes.models(settings)
    assert ([str(finding.health) for finding in found], networks) == (["fail"], None)


def test_watch_keeps_its_camera(monkeypatch):
    opened = []
    monkeypatch.setattr(
        eyes, "open_source", lambda *arguments: opened.append(arguments) or open_source(*arguments)
    )
    found = eyes.look(
        Settings(camera_id="cam-01"),
        "picamera",
        lambda _command: "ActiveState=active\nStatusText=watches\n",
    )
    assert ([finding.name for finding in found if str(finding.health) == "skip"], opened) == (
        ["camera", "camera alarm"],
        [],
    )


def test_what_watch_says_about_its_camera_is_told(tmp_path):
    (tmp_path / "state/watch").mkdir(parents=True)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    (tmp_path / "state/watch/camera.json").write_bytes(
        format_facts(CameraFacts(at, {Alarm.MOVED: at}, "night", 0))
    )
    (finding,) = eyes.told_by_watch(Settings(camera_id="cam-01", root=tmp_path))
    assert (finding.name, str(finding.health), finding.what) == (
        "camera alarm",
        "warn",
        "moved since 2026-11-23 00:00 UTC",
    )


def test_masks_that_cannot_be_understood_close_the_eyes(tmp_path):
    (tmp_path / "state/watch").mkdir(parents=True)
    (tmp_path / "state/watch/view.json").write_text("{}")
    assert looked(tmp_path, drawn_car(PLATE)) == {"models": "ok", "camera": "fail"}


# --- the page ---


def test_a_line_fits_a_phone_and_is_one_line_when_piped():
    found = fail("disk", "3 MB free " * 8, "free some")
    assert all(len(line) <= 60 for line in lines(found, 60))
    assert len(list(lines(found, None))) == 1
    assert next(lines(ok("disk", "fine"), None)) == "ok     disk: fine"


def test_the_sum_does_not_call_unseen_things_ok():
    assert (
        total([ok("a", ""), skip("b", "")])
        == "1 ok, 0 to watch (warn), 0 failed, 1 not looked at (-)"
    )
