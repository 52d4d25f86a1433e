"""A camera installed by the demo's own means, with a few frames, for tests that run `watch` as a
process.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2

from agent.demo.installation import Installation, install
from tests.support.drawn import drawn_car

PLATE = "7XKD419"
TIMEOUT_S = 110


@dataclass(frozen=True, slots=True)
class CameraRig:
    """`frames`: a folder with a few pictures of one car that is on the hot list."""

    installation: Installation
    frames: Path

    def arguments(self, *more: str) -> list[str]:
        """`platewarden watch` over the frames; give `--allow-unsigned` to let it run."""
        return [
            sys.executable,
            "-m",
            "agent",
            "watch",
            "--config",
            str(self.installation.settings),
            "--source",
            str(self.frames),
            *more,
        ]

    def watch(self, *more: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        environment = {**os.environ, "NO_COLOR": "1"}
        return subprocess.run(
            [*before, *self.arguments(*more)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env=environment,
        )


def camera_rig(folder: Path, frames: int = 6, plates: tuple[str, ...] = (PLATE,)) -> CameraRig:
    """Keys, policy, hot list and frames below `folder`. No broker runs; watch needs none.

    `plates`: on the hot list; the frames show PLATE.
    """
    installation = install(folder / "work", datetime.now(UTC), plates)
    pictures = folder / "frames"
    pictures.mkdir()
    for number in range(frames):
        cv2.imwrite(str(pictures / f"{number:03d}.png"), drawn_car(PLATE, 0.8 - 0.02 * number))
    return CameraRig(installation, pictures)


def edit_policy(rig: CameraRig, old: str, new: str) -> None:
    """Change the policy's text; `old` must be there."""
    path = rig.installation.work / "city" / "policy.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def copy_of(rig: CameraRig, folder: Path) -> CameraRig:
    """The same camera, untouched, elsewhere: so that one installation serves many tests."""
    shutil.copytree(rig.installation.work, folder / "work")
    installation = Installation(
        folder / "work",
        rig.installation.city,
        rig.installation.server,
        rig.installation.port,
        rig.installation.policy_text,
    )
    return CameraRig(installation, rig.frames)
