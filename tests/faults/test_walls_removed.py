"""Every way out of a process that is confined as deliver is, under a capture: nothing gets out, and
each wall is missed when it is away (P4).
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.rounds import ability
from tests.faults.walls.confinement import FAMILIES, GUARD, NFTABLES, USER, WALLS

ROOT = Path(__file__).parents[2]
AT_LEAST = 30
# What tells that a wall is away.
MISSED = {
    GUARD: "by Python, TCP: ECONNREFUSED",
    USER: "packets to 198.51.100.9 from the camera",
    FAMILIES: "by another family, C: netlink: ok",
    NFTABLES: "packets to 198.51.100.9 from the camera",
}


@pytest.fixture(scope="module")
def seen() -> dict[str, dict]:
    """By the wall that was away."""
    if lacks := ability.missing():
        pytest.skip(f"a capture in a namespace {lacks}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.walls"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_attempt_gets_a_packet_out(seen) -> None:
    told = seen["none"]
    assert told["attempts"] >= AT_LEAST
    assert (told["strays"], told["complaints"]) == (0, [])


@pytest.mark.parametrize("wall", WALLS)
def test_a_wall_that_is_away_is_missed(seen, wall) -> None:
    told = seen[wall]
    assert any(MISSED[wall] in complaint for complaint in told["complaints"]), told["complaints"]
    # The others stand: what only our guard knows of is stopped by the kernel all the same.
    assert (told["strays"] > 0) == (wall in {USER, NFTABLES})
