"""Finds node and npm for the JavaScript opener; installs what is missing where it may, and says
what to type where it may not.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules" / ".package-lock.json"


@cache
def node() -> str:
    """Path of node, with `jose` installed beside open.mjs.

    Never skips: a missing interpreter fails the test.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        _install_node()
    if (
        not PACKAGES.exists()
        or PACKAGES.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime
    ):
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"npm ci failed in tests/interop:\n{done.stdout}{done.stderr}")
    return shutil.which("node") or "node"


def _install_node() -> None:
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        pytest.fail(
            "the JavaScript opener needs node and npm; type: sudo apt-get install nodejs npm"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "nodejs", "npm"]):
        done = subprocess.run(
            [apt, *arguments],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
            env=environment,
        )
        if done.returncode:
            pytest.fail(f"apt-get {arguments[0]} failed:\n{done.stdout}{done.stderr}")
