"""The rounds of `make faults`: twenty, one of each kind, leave every number at 0; and a fault that
is put into the product on purpose is found.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.rounds import ability
from tests.faults.rounds.kinds import KINDS
from tests.faults.rounds.plants import PLANTS

ROOT = Path(__file__).parents[2]
NEEDS_ROOT = {kind.name for kind in KINDS if kind.needs_root} | {"capture", "attempts"}
AT_LEAST = 30  # ways out


def rounds(*options: str) -> tuple[int, dict, str]:
    """Exit code, the last line's JSON, and everything said beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.rounds", *options],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.timeout(420)
def test_twenty_rounds_lose_nothing_double_nothing_and_show_nothing() -> None:
    code, told, said = rounds("--rounds", "20")
    whole = not ability.missing()
    assert code == 0, said
    assert set(told["not_run"]) == (set() if whole else NEEDS_ROOT)
    assert told["rounds"] == 20
    assert len(told["mean_s"]) == (len(KINDS) if whole else len(KINDS) - len(NEEDS_ROOT) + 2)
    assert told["released"] == told["receipted"] + told["expired"] + told["withdrawn"]
    assert told["released"] > 4 * 20
    assert told["expired"] > 0
    assert told["power_cuts"] >= 2
    assert [told[name] for name in ("lost", "duplicates", "plaintext", "waiting", "faults")] == [
        0
    ] * 5
    assert told["unlisted"] == (0 if whole else None)
    assert told["attempts"] >= AT_LEAST if whole else told["attempts"] == 0


@pytest.mark.parametrize("number", PLANTS)
def test_a_planted_fault_is_found(number) -> None:
    if number == "unlisted" and (lacks := ability.missing()):
        pytest.skip(f"a capture {lacks}")
    code, told, said = rounds("--rounds", "1", "--kind", "broker-away", "--plant", number)
    assert code == 1, said
    assert told[number] > 0
