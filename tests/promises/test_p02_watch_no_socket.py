"""P2, the camera side: a `watch` that sees, decides and seals makes no network system call at all;
strace looks.

Broken by hand once: with a `socket.socket()` added to camera_side, the first test fails.
"""

import re
import socket
import sys
from pathlib import Path

import pytest

from tests.support.camera_rig import CameraRig, camera_rig, copy_of
from tests.support.signed_camera import leaves, signed_camera

NETWORK_CALL = re.compile(r"\b(socket|connect|bind|sendto|sendmsg|socketpair|listen|accept4?)\(")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> CameraRig:
    return camera_rig(tmp_path_factory.mktemp("rig"))


def traced(trace: Path) -> tuple[str, ...]:
    return "strace", "-f", "-qq", "-e", "trace=network", "-o", str(trace)


def calls(trace: Path) -> list[str]:
    return [
        line
        for line in trace.read_text(encoding="utf-8", errors="replace").splitlines()
        if NETWORK_CALL.search(line)
    ]


def test_watch_opens_no_socket(rig: CameraRig, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    done = rig.watch("--allow-unsigned", before=traced(trace))
    assert done.returncode == 0, done.stderr
    assert list((rig.installation.state / "outbox").glob("*.sealed")), (
        "the run must have sealed a read, or it shows nothing"
    )
    assert calls(trace) == []


def test_an_enrolled_watch_that_verifies_bundles_opens_no_socket_either(
    rig: CameraRig, tmp_path: Path
) -> None:
    enrolled = copy_of(rig, tmp_path)
    camera = signed_camera(enrolled)
    done = enrolled.watch(before=traced(tmp_path / "trace"))
    assert done.returncode == 0, done.stderr
    assert leaves(camera.settings, "bundles"), (
        "the run must have verified bundles, or it shows nothing"
    )
    assert calls(tmp_path / "trace") == []


def test_under_systemd_watch_opens_the_notify_socket_only(
    rig: CameraRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        trace = tmp_path / "trace"
        done = rig.watch("--allow-unsigned", before=traced(trace))
        assert done.returncode == 0, done.stderr
        assert listener.recv(100) == b"READY=1"
    seen = calls(trace)
    assert seen
    assert [line for line in seen if "AF_UNIX" not in line and path not in line] == []


def test_the_trace_would_show_a_socket(tmp_path: Path) -> None:
    import subprocess

    trace = tmp_path / "trace"
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()"
    subprocess.run([*traced(trace), sys.executable, "-c", code], check=True, timeout=60)
    assert len(calls(trace)) == 1


def test_watch_has_no_network_code_loaded(rig: CameraRig) -> None:
    """What is not loaded cannot be called by mistake. A source is loaded when it is picked."""
    import subprocess

    code = (
        "import sys, agent.sides.watch, agent.camera.usb, agent.camera.video; "
        "print(*sorted(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=rig.frames,
    ).stdout.split()
    assert "agent.sides.watch" in loaded
    assert not {
        name
        for name in loaded
        if name.startswith(
            (
                *("paho", "urllib3", "requests", "agent.mqtt", "agent.network"),
                *("agent.delivery", "agent.receiver"),
            )
        )
    }
