"""`platewarden run`: two processes started together, ended together, whoever ends first; what they
say meanwhile, and what they sum up.
"""

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

from agent.commands.status_output import _lines
from agent.demo.embedded_broker import running_broker
from agent.demo.processes import background
from agent.settings import load
from agent.sides.camera_state import collect
from tests.support.camera_rig import PLATE, CameraRig, camera_rig, edit_policy
from tests.support.plate_search import encodings, search


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
        stdout=subprocess.PIPE,
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


def leaves(rig: CameraRig, side: str) -> list[dict[str, object]]:
    with closing(sqlite3.connect(rig.installation.state / side / "log.sqlite")) as connection:
        return [
            json.loads(details)
            for (details,) in connection.execute("SELECT details FROM leaf ORDER BY n")
        ]


def ended(rig: CameraRig, *more: str) -> tuple[int, str, str]:
    """Run it to its own end: exit code, standard output, standard error. No plate is in either."""
    process = run(rig, *more)
    summed, said = process.communicate(timeout=120)
    (rig.installation.work / "printed").write_text(summed + said, encoding="utf-8")
    printed = (summed + said).encode()
    assert not [form for forms in encodings(PLATE).values() for form in forms if form in printed]
    return process.returncode, summed, said


@pytest.fixture
def broker(rig: CameraRig):
    street = rig.installation
    with running_broker(street.work / "broker", street.server, street.port):
        yield


@pytest.fixture
def receiver(rig: CameraRig, broker):
    street = rig.installation
    with background(street, "receiver", "run", str(street.recipient), "--json", ready="READY"):
        yield


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
    summed, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert summed == "1 vehicle, 1 on the list, 1 sealed, 0 receipts, 1 wait\n"
    assert "1 read still waits: broker 'city-hall' at 127.0.0.1" in said
    assert said.count("broker 'city-hall': at 127.0.0.1") == 1, "once, not at every pass"
    assert "it stays for the next start" in said
    assert PLATE not in (summed + said).upper()
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


def test_all_is_well_ends_with_0_and_the_summarys_numbers_are_the_logs(rig, receiver) -> None:
    code, summed, said = ended(rig, "--json", "--settle", "60")
    assert code == 0, said
    watch = leaves(rig, "watch")
    counts = [leaf for leaf in watch if leaf["kind"] == "counts"]
    assert json.loads(summed) == {
        "vehicles": sum(leaf["sightings"] for leaf in counts),
        "unreadable": sum(leaf["unreadable"] for leaf in counts),
        "on_the_list": 1,
        "sealed": [leaf["kind"] for leaf in watch].count("release"),
        "dropped": {},
        "receipts": kinds(rig, "deliver").count("receipt"),
        "rejected": 0,
        "refused": 0,
        "withdrawn": 0,
        "waiting": 0,
        "stills": 0,
        "why": "",
    }
    assert json.loads(summed)["vehicles"] == json.loads(summed)["receipts"] == 1
    assert "platewarden deliver: broker 'city-hall': connected" in said
    assert "wait" not in said
    state = collect(load(rig.installation.settings))
    assert (state["delivery"]["why"], state["delivery"]["links"][0]["why"]) == ("", "")
    assert (state["last_hours"]["vehicles"], state["last_hours"]["receipts"]) == (1, 1)


def test_a_receiver_that_is_down_leaves_reads_waiting_and_ends_with_1(rig, broker) -> None:
    code, summed, said = ended(rig, "--settle", "12")
    assert code == 1, said
    assert summed.endswith("0 receipts, 1 wait\n")
    assert "1 read still waits: sent, and no receipt has come yet" in said
    state = collect(load(rig.installation.settings))
    told = "\n".join(_lines(state))
    assert "sent, and no receipt has come yet" in state["delivery"]["why"]
    assert f"WAITS   since {state['delivery']['since']}: sent, and no receipt" in told
    assert "city-hall: connected since 20" in told
    assert not search(rig.installation.state / "deliver", [PLATE])


def test_quiet_says_nothing_but_the_error(rig) -> None:
    code, summed, said = ended(rig, "--quiet", "--settle", "1")
    assert (code, summed) == (1, "")
    (line,) = said.splitlines()
    assert line.startswith("platewarden: outbox: 1 read still waits: ")


def test_no_bundles_yet_is_said_by_both_and_is_no_failure(rig) -> None:
    trust = rig.installation.work / "trust"
    trust.mkdir()
    (trust / "root.json").write_text("{}")
    process = run(rig)
    logs = [rig.installation.state / side / "log.sqlite" for side in ("watch", "deliver")]
    deadline = time.monotonic() + 60
    while not (all(map(Path.exists, logs)) and (logs[1].parent / "links.json").exists()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    summed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert summed == "0 vehicles, 0 on the list, 0 sealed, 0 receipts, 0 wait\n"
    assert said.count("platewarden watch: bundles: waits for its city's: none have come to") == 1
    assert said.count("platewarden deliver: policy: nothing is published: no bundles") == 1


def test_a_wrong_camera_id_is_named_before_any_log_is_blamed(rig) -> None:
    assert rig.watch("--allow-unsigned", "--quiet").returncode == 0  # a log of the right camera
    settings = rig.installation.settings
    settings.write_text(settings.read_text().replace("cam-01", "cam-02"))
    code, _, said = ended(rig)
    assert code == 2, said
    assert f"{settings}: camera_id is 'cam-02', and " in said
    assert "public.json holds the keys of 'cam-01'" in said
    assert "checkpoint" not in said
    watch = rig.watch("--allow-unsigned")  # above, deliver may have been the first to say so
    assert (watch.returncode, "camera_id is 'cam-02', and " in watch.stderr) == (2, True)
