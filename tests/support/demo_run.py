"""One demo run, shared by all tests of a session: it takes most of a minute."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class DemoRun:
    """`root` holds `out` (what a user asked to keep) and `work` (the whole installation, kept for
    the tests).
    """

    root: Path
    summary: dict[str, Any]
    printed: str

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def work(self) -> Path:
        return self.root / "work"


def run_demo(root: Path) -> DemoRun:
    """`platewarden demo --json`, as a user would run it, with everything kept below `root`."""
    command = [
        sys.executable,
        "-m",
        "agent",
        "demo",
        "--json",
        "--out",
        str(root / "out"),
        "--keep-work",
        str(root / "work"),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    (root / "printed.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return DemoRun(root, json.loads(done.stdout.splitlines()[-1]), done.stdout)
