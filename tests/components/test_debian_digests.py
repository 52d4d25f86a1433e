"""Two builds of the packages give the same bytes, whoever builds them, where and when.

The libraries here are empty wheels; `make deb TWICE=1` compares with the real ones.
"""

import json
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("cryptography", "onnxruntime", "opencv_python_headless", "psycopg", "starlette", "typer")


def a_copy(into):
    """The files that packages are made from, at another path and as if touched at another time."""
    build = runpy.run_path(str(ROOT / "debian/build.py"))
    build["copy_tree"](into)
    for file in into.rglob("*"):
        os.utime(file, (0, 1_700_000_000 + len(str(file))))
    return into


def built(tree, wheels, *, umask, zone):
    """{package: SHA-256}, by a process with habits of its own."""
    script = (
        "import json, os, runpy, sys; from pathlib import Path; os.umask(int(sys.argv[1], 8))\n"
        "build = runpy.run_path('debian/build.py')\n"
        "build['build']('trixie', 'amd64', Path(sys.argv[2]), Path('w/x').resolve(), Path('out'))\n"
        "print(json.dumps(build['digests'](Path('out'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, umask, wheels],
        cwd=tree,
        env={**os.environ, "TZ": zone, "COMPRESSION": "none"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_trees_give_the_same_packages(tmp_path):
    assert shutil.which("dpkg-buildpackage"), "make test installs it"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in NAMES:
        with zipfile.ZipFile(wheels / f"{name}-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}-1.dist-info/METADATA", f"Name: {name}\n")
    first = built(a_copy(tmp_path / "one"), wheels, umask="022", zone="UTC")
    second = built(a_copy(tmp_path / "another/place"), wheels, umask="077", zone="Asia/Tokyo")
    assert json.loads(first) == json.loads(second)
    for package in ("platewarden_", "platewarden-receiver_", "platewarden-city_"):
        assert f'"{package}0' in first
