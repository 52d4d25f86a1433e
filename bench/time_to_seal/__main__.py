"""From the first readable frame to the sealed read in the outbox, on one core:
`python -m bench.time_to_seal` (docs/ref/performance.md).

Each clip is drawn first. A `watch` with its real sealer, log and outbox then sees it at the clip's
own speed, in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.clips.catalogue import SCENES
from bench.clips.clip import Clip
from bench.clips.score import percentile
from bench.stream.reel import write_reel
from bench.stream.rounds import ONE_THREAD
from models.training import fonts
from models.training.render.syntax import font_names
from tests.support.camera_rig import camera_rig

PASSING = [name for name in SCENES if name.startswith("passing-")]
LONGEST_S = 600.0
SHARES = {"median": 50, "p95": 95}


def truth(clip: Clip) -> dict[str, int]:
    """The first readable frame of each plate that is to be told."""
    return {one.text: one.first_readable for one in clip.plates if one.readable}


def played(clip: Clip, folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """What the measured process found."""
    wanted = truth(clip)
    rig = camera_rig(folder, frames=0, plates=tuple(wanted))
    reel = write_reel(clip, folder / "reel", lambda: None)
    facts = {"settings": str(rig.installation.settings), "first_readable": wanted}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench.time_to_seal.child",
            str(reel),
            str(folder / "facts.json"),
            str(options.core),
            *(["--first"] if options.first else []),
        ],
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST_S,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measured(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Each clip, without any text."""
    with Console(stderr=True).status("drawing and playing") as status:
        for name in options.scene or PASSING:
            for seed in range(options.seed, options.seed + options.clips):
                status.update(f"{name}, {seed}")
                clip = SCENES[name](seed)
                with tempfile.TemporaryDirectory(prefix="platewarden-seal-") as folder:
                    yield {"scene": name, "seed": seed, **played(clip, Path(folder), options)}


def summed(clips: list[dict[str, object]]) -> dict[str, object]:
    """Over all clips."""
    waits = [ms for clip in clips for ms in clip["to_seal_ms"]]
    sealing = [ms for clip in clips for ms in clip["sealing_ms"]]
    return {
        "plates": sum(clip["plates"] for clip in clips),
        "sealed": len(waits),
        "dropped_frames": sum(clip["dropped"] for clip in clips),
        "frames": sum(clip["frames"] for clip in clips),
        **{f"to_seal_{word}_ms": percentile(waits, share) for word, share in SHARES.items()},
        **{f"sealing_{word}_ms": percentile(sealing, share) for word, share in SHARES.items()},
        "sealing_share": float(np.sum(sealing)) / sum(clip["wall_ms"] for clip in clips),
    }


def main() -> None:
    """Measure, then print as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.time_to_seal", description=__doc__)
    parser.add_argument("--scene", action="append", choices=SCENES, help="again for more")
    parser.add_argument("--seed", type=int, default=1, help="of the first clip (1)")
    parser.add_argument("--clips", type=int, default=1, metavar="N", help="of each scene (1)")
    parser.add_argument("--core", type=int, default=0, help="on which it runs (0)")
    parser.add_argument(
        "--first",
        action="store_true",
        help="before all other processes of that core, on a machine that is not quiet (as root)",
    )
    options = parser.parse_args()
    fonts.tell(font_names())
    clips = list(measured(options))
    print(json.dumps({"load": os.getloadavg()[0], "clips": clips, **summed(clips)}, indent=1))


if __name__ == "__main__":
    main()
