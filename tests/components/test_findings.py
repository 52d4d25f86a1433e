"""`findings/` lists exactly its scripts, and each says, pins, bounds and removes what it uses; none
is run here.
"""

import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
PARTS = {
    "stops at the first error": r"^set -euo pipefail$",
    "says in one sentence what it shows": r"\A#!/usr/bin/env bash\n# \S.*\.$",
    "says what it needs and how long it takes": r"^# Needs .+\. About .+, \d+ s at most\.$",
    "bounds its time": r"\|\| BOUNDED=1 exec timeout --kill-after=10 \d+ bash \"\$0\"$",
    "works in a folder of its own": r"^work=\$\(mktemp -d\)$",
    "removes that folder": r"^trap '.*rm -rf \"\$work\"' EXIT$",
    "tells what is missing by 2": r"exit 2",
    "prints the usual guess": r"\bOne would guess: ",
    "prints what it saw": r"\bSeen\b",
    "says when that is gone": r"\"This has changed\.\"",
}
INSTALLED = re.compile(r"--only-binary :all:((?:[^&|}]|\\\n)+)")


def shown(path):
    return path.name


def test_the_index_lists_exactly_the_scripts_in_order():
    index = (FOLDER / "README.md").read_text()
    for part in re.split(r"^## ", index, flags=re.MULTILINE):
        listed = re.findall(r"^\| `([\w-]+\.sh)` \|", part, re.MULTILINE)
        assert listed == sorted(listed)
    listed = re.findall(r"^\| `([\w-]+\.sh)` \|", index, re.MULTILINE)
    assert sorted(listed) == [path.name for path in SCRIPTS]


def test_each_row_says_what_when_and_what_we_do():
    rows = re.findall(r"^\| `[\w-]+\.sh` \|.*", (FOLDER / "README.md").read_text(), re.MULTILINE)
    for row in rows:
        what, versions, seen, ours = [cell.strip() for cell in row.split(" | ")[1:]]
        assert what, row
        assert re.search(r"\d\.\d", versions), row
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", seen), row
        assert "](" in ours, f"{row}: no link to the file that works around it"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("script", SCRIPTS, ids=shown)
def test_a_script_has_all_its_parts(script, part):
    assert re.search(PARTS[part], script.read_text(), re.MULTILINE), f"{script.name}: {part}?"


@pytest.mark.parametrize("script", SCRIPTS, ids=shown)
def test_a_script_can_be_run_alone_and_without_our_code(script):
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert not re.search(r"\b(?:platewarden|from agent|import agent|\.\./)", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=shown)
def test_whatever_a_script_installs_is_pinned(script):
    text = script.read_text()
    pinned = re.findall(r"[\w-]+==\d[\w.]*|[\w-]+=\d[\w.+*-]+", text)
    assert pinned, f"{script.name} pins nothing"
    for words in INSTALLED.findall(text):
        for word in words.replace("\\\n", " ").split():
            assert "==" in word or word == '"$1"', f"{script.name}: {word} has no version"
    for line in re.findall(r"^.*\bapt-get download\b.*$", text, re.MULTILINE):
        assert re.search(r"\S+=\S+", line), f"{script.name}: {line}"
