"""`platewarden aim` as a process, with the real networks over a drawn street: what it leaves on the
disk, whom it calls, how it ends, what a survey tells.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent import cli
from agent.commands import all_commands
from agent.commands.aim import app
from agent.commands.aim_options import seconds_of
from agent.core.camera.view import parse_view
from agent.errors import UsageError
from tests.support.aiming import (
    CAR_PLATE,
    ROOT,
    TEST_PLATE,
    Phone,
    Running,
    address,
    new_camera,
    street_folder,
)
from tests.support.mosquitto import free_port, wait_for_port
from tests.support.plate_search import search

WRITES = re.compile(
    r'\b(?:openat|open|creat)\((?:AT_FDCWD, )?"([^"]+)", [^)]*O_(?:WRONLY|RDWR|CREAT)'
)
ZONE = {
    "v": 1,
    "zones": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]],
    "masks": [[[0.6, 0.4], [1.0, 0.4], [1.0, 1.0], [0.6, 1.0]]],
}


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return street_folder(tmp_path_factory.mktemp("street") / "frames", 3)


@pytest.fixture
def camera(tmp_path):
    """A settings file with keys beside it."""
    return new_camera(tmp_path / "camera")


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def leaves(camera: Path) -> list[dict[str, object]]:
    import sqlite3

    with sqlite3.connect(camera / "state/watch/log.sqlite") as database:
        return [
            json.loads(row[0]) for row in database.execute("SELECT details FROM leaf ORDER BY n")
        ]


def require_quiet(trace: Path, camera: Path) -> None:
    """By strace: nothing written elsewhere, one socket bound, nobody called."""
    lines = trace.read_text(errors="replace").splitlines()
    written = {
        match[1] for line in lines if "ENOENT" not in line and (match := WRITES.search(line))
    }
    own = (str(camera / "state/watch"), "/dev/null", "/proc/self")
    assert {path for path in written if not path.startswith(own)} == set()
    assert sum(" bind(" in line or "bind(" in line.split(" ", 1)[-1][:8] for line in lines) == 1
    assert not [line for line in lines if re.search(r"\b(connect|sendto)\(.*AF_INET", line)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_it_leaves_its_log_and_its_shapes_and_nothing_else_and_calls_nobody(
    tmp_path, camera, frames
):
    trace = tmp_path / "trace"
    before = files(camera)
    calls = "trace=openat,open,creat,socket,bind,connect,sendto"
    watching = ("strace", "-f", "-qq", "-e", calls, "-o", str(trace))
    asked = ("--config", str(camera / "platewarden.toml"), "--source", str(frames))
    listen = ("--listen", "127.0.0.1:0")
    with Running(tmp_path / "place", *asked, *listen, before=watching) as aim:
        assert aim.phone.enter(aim.pin) == (200, {"can_save": True})
        told = aim.plates()
        assert aim.phone.ask("/view", ZONE)[0] == 200
        assert aim.phone.ask("/end", {})[0] == 200
        assert aim.ended() == 0
    assert {plate["test"] for plate in told["plates"]} == {True, False}, (
        "both plates were seen, or this shows nothing"
    )
    new = {name for name, data in files(camera).items() if before.get(name) != data}
    assert new == {
        f"state/watch/{name}"
        for name in ("log.sqlite", "log.sqlite.lock", "checkpoint", "view.json")
    }
    assert files(tmp_path / "place") == {}
    assert search(camera / "state", [CAR_PLATE, TEST_PLATE]) == []
    assert not any(b"\xff\xd8\xff" in data for data in files(camera / "state").values()), "no JPEG"
    require_quiet(trace, camera)
    assert CAR_PLATE not in aim.told
    assert TEST_PLATE not in aim.told
    kinds = [(leaf["kind"], leaf["what"]) for leaf in leaves(camera)]
    assert kinds == [("aim", "begins"), ("aim", "view"), ("aim", "ends")]
    assert [leaf.get("why") for leaf in leaves(camera)][-1] == "phone"
    assert parse_view((camera / "state/watch/view.json").read_bytes(), "view").masks
    key = ("--key", str(camera / "device/public.json"))
    verified = CliRunner().invoke(
        all_commands.app, ["audit", "verify", str(camera / "state/watch"), *key]
    )
    assert verified.exit_code == 0, verified.output


@pytest.mark.slow
def test_five_wrong_pins_end_the_process(tmp_path, frames):
    with Running(tmp_path / "place", "--source", str(frames), "--listen", "127.0.0.1:0") as aim:
        wrong = f"{(int(aim.pin) + 1) % 1_000_000:06d}"
        assert [aim.phone.enter(wrong)[0] for _ in range(5)] == [403] * 4 + [410]
        assert aim.ended() == 3
    assert "aim is over: wrong-pin" in aim.told
    assert files(tmp_path / "place") == {}, "without a settings file nothing at all is written"


@pytest.mark.slow
def test_sigterm_ends_it_in_order_and_watch_cannot_run_beside_it(tmp_path, camera, frames):
    config = str(camera / "platewarden.toml")
    with Running(
        tmp_path / "place", "--config", config, "--source", str(frames), "--listen", "127.0.0.1:0"
    ) as aim:
        beside = subprocess.run(
            [
                sys.executable,
                "-m",
                "agent",
                "aim",
                "--config",
                config,
                "--source",
                str(frames),
                "--survey",
                "1m",
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        assert beside.returncode == 1
        assert "another process is writing this log" in beside.stderr
        aim.process.terminate()
        assert aim.ended() == 0
    assert leaves(camera)[-1]["why"] == "stopped"


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-socket-activate") is None,
    reason="needs root and systemd-socket-activate",
)
def test_without_any_network_of_its_own_it_answers_by_the_socket_that_systemd_hands_over(
    tmp_path, frames
):
    """The unit's wall: in an empty network namespace a process serves who comes in, and can call
    nobody.
    """
    port = free_port()
    command = [
        "systemd-socket-activate",
        "-l",
        f"127.0.0.1:{port}",
        "-E",
        f"PYTHONPATH={ROOT}",
        "unshare",
        "-n",
        sys.executable,
        "-m",
        "agent",
        "aim",
    ]
    with subprocess.Popen(
        [*command, "--source", str(frames)], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        try:
            wait_for_port(port, process)  # the first caller makes it start
            told = ""
            while not (found := address(told)):
                line = process.stderr.readline()
                assert line, told
                told += line
            phone = Phone("127.0.0.1", port)
            assert phone.enter(found[2])[0] == 200
            namespaces = {Path(f"/proc/{name}/ns/net").readlink() for name in ("self", process.pid)}
            assert len(namespaces) == 2, (
                "it must live in another network namespace, or this shows nothing"
            )
            assert phone.ask("/end", {})[0] == 200
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.slow
def test_a_survey_gives_hours_without_plates(tmp_path, camera, frames):
    arguments = [
        "--config",
        str(camera / "platewarden.toml"),
        "--source",
        str(frames),
        "--survey",
        "24h",
        "--json",
        "--chart",
        str(tmp_path / "survey.html"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "agent", "aim", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["camera"] == "main-street-2"
    assert sum(hour["frames"] for hour in told["hours"]) == 3
    assert sum(hour["reads"] for hour in told["hours"]) >= 6
    assert "<rect" in (tmp_path / "survey.html").read_text()
    assert search(tmp_path, [CAR_PLATE, TEST_PLATE], skip=[frames]) == []
    assert [leaf["what"] for leaf in leaves(camera)] == ["survey begins", "survey ends"]


@pytest.mark.slow
def test_a_mask_hides_plates_from_a_survey(camera, frames):
    (camera / "state/watch").mkdir(parents=True)
    (camera / "state/watch/view.json").write_text(
        json.dumps({"v": 1, "zones": [], "masks": [[[0, 0], [1, 0], [1, 1], [0, 1]]]})
    )
    arguments = [
        "--config",
        str(camera / "platewarden.toml"),
        "--source",
        str(frames),
        "--survey",
        "1h",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "agent", "aim", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [
        (hour["frames"], hour["reads"], hour["picture"][1] < 3)
        for hour in json.loads(done.stdout)["hours"]
    ] == [(3, 0, True)]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="root holds the hotspot, and a /run of its own")
def test_the_hotspots_process_opens_and_closes_it_and_loads_no_networks(camera, tmp_path):
    programs, ran = tmp_path / "programs", tmp_path / "ran"
    programs.mkdir()
    for name in ("nmcli", "nft"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {ran}\ncat >> {ran}\n')
        (programs / name).chmod(0o755)
    config = str(camera / "platewarden.toml")
    assert (
        CliRunner()
        .invoke(app, ["--config", config, "--label", str(tmp_path / "label.svg")])
        .exit_code
        == 0
    )
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    own_run = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
    with subprocess.Popen(
        [*own_run, sys.executable, "-m", "agent", "aim", "--config", config, "--hotspot-only"],
        env=environment,
        cwd=ROOT,
    ) as process:
        try:
            # bounded by the test's own timeout
            while not ran.exists() or "connection up" not in ran.read_text():
                assert process.poll() is None
                time.sleep(0.05)
            loaded = Path(f"/proc/{process.pid}/maps").read_text()
            assert "python" in loaded
            profiles = Path(f"/proc/{process.pid}/root/run/NetworkManager/system-connections")
            assert [path.stat().st_mode & 0o777 for path in profiles.iterdir()] == [0o600]
            assert not re.search(r"onnxruntime|cv2|libav", loaded), (
                "root holds the hotspot: nothing that decodes or runs models is loaded"
            )
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
    words = [line.split()[:3] for line in ran.read_text().splitlines() if line.startswith("n")]
    assert words[2:4] == [["nft", "-f", "-"], ["nmcli", "connection", "load"]]
    assert words[-2:] == [["nmcli", "connection", "delete"], ["nft", "-f", "-"]]


def test_a_label_is_made_once_and_drawn_again(camera, tmp_path):
    config = str(camera / "platewarden.toml")
    done = [
        CliRunner().invoke(app, ["--config", config, "--label", str(tmp_path / name)])
        for name in ("one.svg", "two.svg")
    ]
    assert [result.exit_code for result in done] == [0, 0], done
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.svg").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--survey", "24h", "--hotspot-only"],
        ["--json"],
        ["--chart", "x.html"],
        ["--survey", "soon"],
        ["--survey", "0h"],
        ["--survey", "200h"],
        ["--minutes", "21"],
        ["--listen", "0.0.0.0:80"],
        ["--listen", "127.0.0.1"],
        ["--listen", "127.0.0.1:99999"],
        ["--hotspot-only"],
        ["--survey", "1h", "--chart", "nowhere/x.html"],
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_opened(
    camera, arguments, capsys, monkeypatch
):
    monkeypatch.setattr(
        "agent.camera.sources.open_source", lambda *_a, **_k: pytest.fail("the source was opened")
    )
    monkeypatch.setattr("agent.sides.aim.open_eyes", lambda *_a: None)
    monkeypatch.setattr("agent.sides.aim.Stop", lambda: lambda: False)
    with pytest.raises(SystemExit) as ended:
        cli.main(["aim", "--config", str(camera / "platewarden.toml"), "--source", "x", *arguments])
    assert ended.value.code == 2, capsys.readouterr().err


def test_a_camera_needs_its_settings(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["aim", "--config", "/nonexistent/platewarden.toml"])
    assert ended.value.code == 2
    assert "no settings file" in capsys.readouterr().err


def test_durations():
    assert (seconds_of("30m"), seconds_of("24h")) == (1800, 86_400)
    with pytest.raises(UsageError):
        seconds_of("1d")


@pytest.mark.slow
def test_a_camera_that_is_not_there_ends_it_and_the_log_says_so(camera):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "agent",
            "aim",
            "--config",
            str(camera / "platewarden.toml"),
            "--source",
            "usb:99",
            "--listen",
            "127.0.0.1:0",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert leaves(camera)[-1]["why"] == "camera"
