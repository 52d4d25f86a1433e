"""Tries every way out of a process that is confined as deliver is: with all walls, then without
each of them; what was seen, as JSON by the wall that was away. Needs root.
"""

import json
import tempfile
from pathlib import Path

from tests.faults.rounds.network import Cables
from tests.faults.walls.confinement import WALLS
from tests.faults.walls.exercise import complaints, exercise

NONE = "none"


def main() -> None:
    net, told = Cables(seed=1), {}
    with tempfile.TemporaryDirectory(prefix="platewarden-walls-") as folder:
        Path(folder).chmod(0o711)
        for gone in (NONE, *WALLS):
            seen = exercise(net, Path(folder), [wall for wall in WALLS if wall != gone])
            told[gone] = {
                "attempts": len(seen.answers),
                "strays": sum(seen.strays.values()),
                "complaints": complaints(seen),
            }
    net.close()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
