"""ARCHITECTURE.md names what is there: its paths, its code, the folders and layers; and its picture
is what the script draws.
"""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.architecture_picture import PICTURE, RENEW, made

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()
LAYERS_PAGE = (ROOT / "docs/design/layers.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
# Named because a change of them begins with a question; "To change X, open Y" must answer it.
ASKED = (
    "the tracker", "the vote", "the detector", "a jurisdiction", "a plate format", "a topic",
    "the pinned socket", "the wire version", "a command", "a leaf of the log",
    "a column of the hot list", "a policy's key", "a reason code", "a setting",
    "a systemd sandbox", "a document", "a promise",
)  # fmt: skip


def layers(container):
    """One contract's layers, as pyproject.toml has them."""
    return next(one["layers"] for one in CONTRACTS if one.get("containers") == [container])


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def paths(text):
    """What stands in backticks and begins as a path of this repository does."""
    tops = "|".join(re.escape(path.name) for path in ROOT.iterdir())
    return re.findall(rf"`((?:{tops})(?:/[\w./-]*)?)`", text)


@pytest.mark.parametrize("path", sorted(set(paths(PAGE))))
def test_a_path_is_there(path):
    assert (ROOT / path).exists()
    assert (ROOT / path).is_dir() == path.endswith("/"), f"{path}: a folder ends in /, a file not"


def test_paths_are_found():
    assert paths("`agent/cli.py`, `agent/sides/` and `outbox/`") == ["agent/cli.py", "agent/sides/"]
    assert len(set(paths(section("To change X, open Y")))) > 50


@pytest.mark.parametrize("what", ASKED)
def test_the_table_says_where_to_begin(what):
    row = next(
        line for line in section("To change X, open Y").splitlines() if line.startswith(f"| {what}")
    )
    assert paths(row.split(" | ")[1]), row


def plain(code):
    """Its lines without comments, indents and the formatter's breaks."""
    return [line.strip() for line in ast.unparse(ast.parse(code)).splitlines()]


def test_the_line_is_that_of_the_pipeline():
    there = plain((ROOT / "agent/pipeline.py").read_text())
    blocks = re.findall(r"```python\n(.*?)```", section("The straight line"), re.DOTALL)
    assert len(blocks) == 2
    for line in (line for block in blocks for line in plain(block)):
        assert line in there, f"agent/pipeline.py has no line: {line}"


def test_every_folder_of_agent_is_told():
    told = {name for name in paths(section("The folders of agent/")) if name.count("/") == 2}
    folders = {
        f"agent/{path.name}/" for path in (ROOT / "agent").iterdir() if list(path.glob("*.py"))
    }
    assert told == folders


def test_the_layers_of_the_core_are_those_that_the_linter_checks():
    rows = re.findall(r"^\| ((?:`[a-z]+` ?)+) \|", section("The folders of agent/"), re.MULTILINE)
    assert [" | ".join(row.replace("`", "").split()) for row in rows] == layers("agent.core")


def test_the_design_note_tells_the_layers_that_the_linter_checks():
    block = LAYERS_PAGE.split("```\n")[1]
    assert [re.split(r"  +", line)[0] for line in block.splitlines()] == layers("agent")


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["name"].split()[0])
def test_the_design_note_tells_of_each_contract(contract):
    number = contract["name"].split(".")[0]
    assert re.search(rf"^{number}\. \*\*", LAYERS_PAGE, re.MULTILINE)


def test_the_picture_is_what_the_script_draws():
    assert PICTURE.read_text(encoding="utf-8") == made(), f"type: {RENEW}"
