"""A clerk's, an auditor's and a recipient's commands load none of the camera's libraries: a desk
needs no ONNX, OpenCV, FFmpeg or camera. Where no file can be locked, each says what to use instead.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from agent.commands import all_commands

ROOT = Path(__file__).parents[2]
CAMERA_LIBRARIES = ("av", "cv2", "onnxruntime", "picamera2")
NOT_ON_WINDOWS = ("fcntl", "grp", "pwd", "resource", "termios")
EACH = """\
import json, sys
from agent import cli
for typed in json.loads(sys.argv[1]):
    try:
        cli.main(typed)
    except SystemExit as stop:
        print(json.dumps([typed, stop.code]))
"""
BLOCKED = """\
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError("a desk has no " + name, name=name)

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture
def desk(tmp_path):
    """Runs a command where the camera's libraries cannot be imported."""
    (tmp_path / "blocked").mkdir()
    path = os.pathsep.join((str(tmp_path / "blocked"), str(ROOT)))

    def run(*arguments, program=("-m", "agent"), lacks=CAMERA_LIBRARIES):
        (tmp_path / "blocked/sitecustomize.py").write_text(BLOCKED.format(names=set(lacks)))
        return subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize("library", CAMERA_LIBRARIES)
def test_the_desk_really_lacks_them(desk, library):
    done = desk(program=("-c", f"import {library}"))
    assert "a desk has no" in done.stderr


def test_a_desk_founds_a_city_and_answers_for_it(desk):
    founded = desk("bundle", "init", "--rig", "--city", "city")
    assert founded.returncode == 0, founded.stderr
    for arguments in (
        ("bundle", "show", "--city", "city"),
        ("bundle", "history", "--city", "city"),
        ("policy", "check", "city/policy.toml"),
        ("policy", "explain", "--city", "city"),
        ("policy", "diff", "--city", "city"),
        ("bundle", "publish", "--city", "city", "--key", "city/rig-keys/online.pem", "--renew"),
    ):
        done = desk(*arguments)
        assert done.returncode in {0, 3}, (arguments, done.stderr)
        assert "a desk has no" not in done.stderr, arguments
        assert done.stdout, arguments


def test_a_recipient_makes_its_keys(desk):
    done = desk("receiver", "init", "receiver", "--recipient", "exampleville-pd")
    assert done.returncode == 0, done.stderr


def every(group, typed=()):
    """Every command as typed."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from every(command, (*typed, name))
        else:
            yield [*typed, name]


def test_every_command_says_what_to_use_where_files_cannot_be_locked(desk):
    commands = [["--version"], ["--help"], *every(get_command(all_commands.app))]
    done = desk(json.dumps(commands), program=("-c", EACH), lacks=NOT_ON_WINDOWS)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told == [[typed, 2] for typed in commands]
    assert len(told) > 40
    lines = done.stderr.splitlines()
    assert len(lines) == len(told)
    (line,) = set(lines)
    assert line == (
        "platewarden: Windows cannot lock and replace files as this needs "
        "(use it within the Windows Subsystem for Linux; the clerk's guide says how)"
    )
