"""docs/ref/faults.md lists the rounds' kinds, stages and ways out as they are."""

from pathlib import Path

import pytest

from tests.faults.rounds.__main__ import ALL_STAGES
from tests.faults.rounds.kinds import KINDS
from tests.faults.rounds.stages import BROKER, KNOWN, OF_ROLE, found
from tests.faults.walls.attempts import attempts

PAGE = (Path(__file__).parents[2] / "docs/ref/faults.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_has_its_row(kind) -> None:
    root = "root" if kind.needs_root else "–"
    assert f"| `{kind.name}` | {kind.does} | {root} |" in PAGE


@pytest.mark.parametrize(
    "stage", [stage for stages in OF_ROLE.values() for stage in stages], ids=lambda s: s.where
)
def test_a_stage_is_a_function_of_the_product(stage) -> None:
    place, name = found(stage)
    assert callable(getattr(place, name))


@pytest.mark.parametrize("role", OF_ROLE)
def test_the_stages_of_a_process_have_their_rows(role) -> None:
    rows = [f"| `{role}` | {stage.name} |" for stage in OF_ROLE[role]]
    assert [line for line in PAGE.splitlines() if line in rows] == rows


def test_the_numbers_are_told() -> None:
    assert f"These are {len(KNOWN)} stages" in PAGE
    assert f"the broker dies at {len(BROKER)} of them" in PAGE
    assert f"{ALL_STAGES} rounds come to each of them" in PAGE
    assert f"{len(attempts('203.0.113.1', 8883))} ways out" in PAGE
