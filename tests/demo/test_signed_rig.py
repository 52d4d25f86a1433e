"""A rig's city by the real commands, end to end: founded, camera enrolled, list published, brought
on a stick, verified by watch and walls, told by status.
"""

import functools
import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import pytest

from tests.support.camera_rig import PLATE
from tests.support.drawn import drawn_car

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
CAMERA = '\n[[camera]]\nid = "rig-1"\nstands = "on the bench"\nnear = []\nmount = "fixed"\n'


def run_in(folder, *arguments, code=0):
    """A command, with its exit code."""
    command = [sys.executable, "-m", "agent", *map(str, arguments)]
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env=environment,
    )
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    """A folder with a published city and an enrolled camera; and the way to run a command in it."""
    folder = tmp_path_factory.mktemp("rig")
    run = functools.partial(run_in, folder)
    run("bundle", "init", "--rig", "--city", "city")
    (folder / "cam").mkdir()
    (folder / "cam/platewarden.toml").write_text('camera_id = "rig-1"\nrig = true\n')
    anchor = ("--anchor", "city/repository/metadata/1.root.json")
    run("provision", "--config", "cam/platewarden.toml", *anchor)
    roster = folder / "city/roster.toml"
    roster.write_text(roster.read_text().split("[[camera]]")[0] + CAMERA)
    keys = folder / "city/rig-keys"
    enrol = ("--enrol", "cam/device/enrolment.json", "--roster-key", keys / "roster.pem")
    run("bundle", "sign", "--city", "city", "--key", keys / "rig-1.pem", *enrol, "--yes")
    run("bundle", "sign", "--city", "city", "--key", keys / "rig-2.pem", "--yes")
    run("bundle", "publish", "--city", "city", "--key", keys / "online.pem")
    today = datetime.now(UTC).date()
    dates = f"{today - timedelta(days=1)},{today + timedelta(days=9)}"
    (folder / "list.csv").write_text(
        "plate,state,category,agency,case,source_date,expires\n"
        f"{PLATE},US-CA,stolen-vehicle,Rig PD,2026-1,{dates}\n"
    )
    run("hotlist", "import", "list.csv", "--city", "city")
    owner = ("--key", keys / "hotlist.pem", "--online-key", keys / "online.pem")
    run("hotlist", "publish", "--city", "city", *owner)
    (folder / "frames").mkdir()
    cv2.imwrite(str(folder / "frames/000.png"), drawn_car(PLATE, 0.8))
    return folder, run


def test_what_two_people_signed_is_obeyed(rig):
    folder, run = rig
    run("update", "city/repository", "--config", "cam/platewarden.toml")
    run("watch", "--config", "cam/platewarden.toml", "--source", "frames")
    state = json.loads(run("status", "--config", "cam/platewarden.toml", "--json").stdout)
    roles = {
        role["role"]: role["signed_by"] for role in state["processes"]["watch"]["bundles"]["roles"]
    }
    assert roles["policy"] == ["Rig signer 1", "Rig signer 2"]
    assert state["hotlist"]["age_hours"] < 1, (
        "the list was decrypted in watch's memory, and its age told"
    )
    with sqlite3.connect(folder / "cam/state/watch/log.sqlite") as log:
        details = [json.loads(bytes(row)) for (row,) in log.execute("SELECT details FROM leaf")]
    assert (
        next(leaf for leaf in details if leaf["kind"] == "bundles")["signed_by"]["policy"]
        == roles["policy"]
    )
    # That is all: the recipient has published no keys yet.
    assert not [
        leaf for leaf in details if leaf["kind"] == "refusal" and leaf["reason"] != "bundle-lapsed"
    ]
    plain = [
        path
        for path in (folder / "cam").rglob("*")
        if path.is_file() and PLATE.encode() in path.read_bytes()
    ]
    assert plain == [], "no plate of the list lies on the camera in the clear"


def test_the_kernels_walls_come_from_the_same_policy(rig):
    folder, run = rig
    run("update", "city/repository", "--config", "cam/platewarden.toml")
    told = json.loads(
        run("walls", "--config", "cam/platewarden.toml", "--out", "walls", "--json").stdout
    )
    assert told["deliver"] == ["127.0.0.1:8883"]
    assert (
        "IPAddressAllow=127.0.0.1"
        in (folder / "walls/platewarden-deliver.service.d/20-walls.conf").read_text()
    )


def test_a_real_camera_refuses_a_rigs_city(rig):
    folder, run = rig
    real = folder / "real"
    real.mkdir()
    (real / "platewarden.toml").write_text('camera_id = "rig-1"\n')
    (real / "trust").mkdir()
    (real / "trust/root.json").write_bytes(
        (folder / "city/repository/metadata/1.root.json").read_bytes()
    )
    run("update", "city/repository", "--config", "real/platewarden.toml")
    assert (
        "rig-city"
        in run("walls", "--config", "real/platewarden.toml", "--out", "walls-real", code=3).stderr
    )
