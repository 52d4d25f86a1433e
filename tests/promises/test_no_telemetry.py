"""P2, P9: the library that runs the models tells nobody (docs/design/telemetry.md)."""

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

OPEN_A_SESSION = """
import sys, time
from agent.vision.sessions import make_session
make_session(open(sys.argv[1], "rb").read(), 1)
time.sleep(2)
print(*sorted(name for name in __import__("os").listdir("/proc/self/task")))
"""


def environment(home):
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))
    }
    return {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def run(home, log, code=OPEN_A_SESSION):
    command = [
        "strace",
        "-f",
        "-e",
        "trace=network",
        "-o",
        str(log),
        sys.executable,
        "-c",
        code,
        str(ROOT / "models/detector.onnx"),
    ]
    return subprocess.run(
        command,
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_opening_a_session_leaves_no_file_and_opens_no_socket(tmp_path):
    home, log = tmp_path / "home", tmp_path / "strace.txt"
    home.mkdir()
    done = run(home, log)
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*"))
    assert not [line for line in log.read_text().splitlines() if "socket(" in line]


def test_the_trace_would_show_a_socket(tmp_path):
    home, log = tmp_path / "home", tmp_path / "strace.txt"
    home.mkdir()
    run(home, log, "import socket; socket.socket()")
    assert [line for line in log.read_text().splitlines() if "socket(" in line]


def test_nobody_imports_onnxruntime_around_the_switch():
    """Everything in agent/ that imports onnxruntime lies in agent/vision, whose __init__ sets the
    switch first.
    """
    for path in (ROOT / "agent").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            if any(name.split(".")[0] == "onnxruntime" for name in names):
                assert path.parent == ROOT / "agent/vision", path
    switch = (ROOT / "agent/vision/__init__.py").read_text()
    assert 'os.environ["ORT_DISABLE_TELEMETRY"] = "1"' in switch
    assert "import onnxruntime" not in switch


def test_the_unit_sets_the_switch_too():
    assert (
        "Environment=ORT_DISABLE_TELEMETRY=1"
        in (ROOT / "systemd/platewarden-watch.service").read_text()
    )
