"""`platewarden run`: two processes started together, ended together, whoever ends first."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.camera_rig import CameraRig, camera_rig, edit_policy


@pytest.fixture
def rig(tmp_path: Path) -> CameraRig:
    return camera_rig(tmp_path, frames=4)


def run(rig: CameraRig, *more: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "agent",
        "run",
        "--config",
        str(rig.installation.settings),
        "--source",
        str(rig.frames),
        *more,
    ]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


def kinds(rig: CameraRig, side: str) -> list[str]:
    with closing(sqlite3.connect(rig.installation.state / side / "log.sqlite")) as connection:
        return [
            json.loads(details)["kind"]
            for (details,) in connection.execute("SELECT details FROM leaf ORDER BY n")
        ]


def children_of(process: subprocess.Popen[str]) -> list[int]:
    return [
        int(pid)
        for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children")
        .read_text(encoding="ascii")
        .split()
    ]


def test_sigterm_stops_both_cleanly(rig: CameraRig) -> None:
    """No broker is there: the read waits in the outbox, and both processes go on until they are
    asked to stop.
    """
    process = run(rig, "--settle", "100")
    deadline = time.monotonic() + 90
    while (
        not list((rig.installation.state / "outbox").glob("*.sealed"))
        and time.monotonic() < deadline
        and process.poll() is None
    ):
        time.sleep(0.1)
    children = children_of(process)
    assert len(children) == 2
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert kinds(rig, "watch")[-1] == kinds(rig, "deliver")[-1] == "stop"
    assert len(list((rig.installation.state / "outbox").glob("*.sealed"))) == 1, (
        "an undelivered read stays for the next start"
    )


def test_when_one_refuses_the_other_is_stopped_and_the_exit_code_is_its(rig: CameraRig) -> None:
    edit_policy(rig, 'retention = "21d"', 'retention = "90d"')
    process = run(rig)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 3, said
    assert "charter-retention" in said
    assert "Traceback" not in said
