"""The camera's OpenCV works without FFmpeg, OpenSSL and OpenBLAS, to the last bit as with them."""

import ast
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support import opencv_calls

ROOT = Path(__file__).parents[2]
INSTALLED = Path(sysconfig.get_path("purelib"))


@pytest.fixture(scope="module")
def absent():
    return runpy.run_path(str(ROOT / "debian/absent.py"))


@pytest.fixture(scope="module")
def without(absent, tmp_path_factory):
    """A folder with OpenCV as the camera's package has it, and the names that went."""
    folder = tmp_path_factory.mktemp("opencv")
    for name in ("cv2", absent["LIBS"]):
        shutil.copytree(INSTALLED / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    return folder, absent["leave_out"](folder)


def run(*arguments, path=()):
    """With every function looked for at the start: none may be missing."""
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**given, "LD_BIND_NOW": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.slow
def test_ffmpeg_openssl_and_openblas_are_gone(without, absent):
    folder, gone = without
    stems = {name.partition("-")[0] for name in gone}
    assert {"libavcodec", "libcrypto", "libssl", "libvpx", "libopenblasp"} <= stems
    left = {file.name: file.stat().st_size for file in (folder / absent["LIBS"]).iterdir()}
    stand_ins = {name for name in left if absent["ABSENT"].match(name)}
    assert {name.partition("-")[0] for name in stand_ins} == {
        "libavcodec",
        "libavformat",
        "libavutil",
        "libopenblasp",
        "libswscale",
    }
    assert max(left[name] for name in stand_ins) < 100_000
    assert not [name for name in left if not name.startswith("lib") or ".so" not in name]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_camera_sees_the_same_to_the_last_bit(without):
    script = ROOT / "tests/support/opencv_calls.py"
    ordinary, ours = (run(script, path=path) for path in ((), without[:1]))
    assert ours.returncode == 0, ours.stderr
    assert json.loads(ours.stdout)["file"].startswith(str(without[0]))
    assert json.loads(ordinary.stdout)["file"].startswith(str(INSTALLED))
    assert json.loads(ours.stdout)["told"] == json.loads(ordinary.stdout)["told"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "function"),
    [
        ("cv2.VideoCapture('x.mp4', cv2.CAP_FFMPEG)", "av"),
        (
            "a = numpy.ones((200, 200)); cv2.eigen(a); cv2.gemm(a, a, 1, None, 0)",
            "",
        ),
    ],
)
def test_a_function_that_is_not_there_ends_the_process_and_is_named(without, call, function):
    done = run("-c", f"import cv2, numpy; {call}", path=without[:1])
    assert done.returncode == -signal.SIGABRT
    assert f"OpenCV wants {function}" in done.stderr
    assert "docs/design/packaging.md" in done.stderr


def test_all_that_a_camera_calls_of_opencv_is_tried(absent):
    """Which functions reach OpenBLAS cannot be seen from outside: each is called once above."""
    stage = runpy.run_path(str(ROOT / "debian/stage.py"))
    known = stage["own_modules"]()
    used = {
        node.attr
        for name in stage["camera_modules"](known, stage["city_commands"]())
        for node in ast.walk(ast.parse(known[name].read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "cv2"
    }
    functions = {name for name in used if not name.isupper() and "_" not in name} - {"error"}
    tried = {
        node.attr
        for node in ast.walk(ast.parse(Path(opencv_calls.__file__).read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert len(functions) > 15
    assert functions - tried == set(), "add it to tests/support/opencv_calls.py"


def test_each_machine_has_its_compiler(absent):
    build = runpy.run_path(str(ROOT / "debian/build.py"))
    assert set(absent["COMPILERS"].values()) == {
        f"{machine}-linux-gnu-gcc" for machine in build["MACHINES"].values()
    }


def test_readelf_is_asked_in_one_language(absent, tmp_path, monkeypatch):
    """On a desk of another language the build ended with a traceback: no line said "Machine"."""
    program = tmp_path / "readelf"
    program.write_text('#!/bin/sh\n[ "$LC_ALL" = C ] && echo Machine || echo Maschine\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert absent["readelf"](tmp_path / "any.so") == "Machine\n"
