"""One demo run, shared by all tests of a session and all its workers: it takes most of a minute."""

import fcntl
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


def shared_demo(folder: Path) -> DemoRun:
    """The run in `folder`: made by the first worker that asks, awaited by the others."""
    root = folder / "demo"
    with (folder / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            root.mkdir()
            run_demo(root)
    assert (root / "exit.txt").exists(), "the demo did not end in time, here or in another worker"
    errors = (root / "errors.txt").read_text(encoding="utf-8")
    assert (root / "exit.txt").read_text(encoding="utf-8") == "0", errors
    printed = (root / "printed.txt").read_text(encoding="utf-8")
    return DemoRun(root, json.loads(printed.splitlines()[-1]), printed)


def run_demo(root: Path) -> None:
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
    said = {"printed": done.stdout, "errors": done.stderr, "exit": str(done.returncode)}
    for name, text in said.items():
        (root / f"{name}.txt").write_text(text, encoding="utf-8")
