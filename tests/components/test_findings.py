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
    "bounds its time": r"\|\| BOUNDED=1 exec timeout --kill-after=60 \d+ bash \"\$0\"$",
    "works in a folder of its own": r"^work=\$\(mktemp -d\)$",
    "removes that folder": r"^trap 'trap \"\" TERM; .*rm -rf \"\$work\"' EXIT$",
    "removes it at its limit too": r"^trap 'exit 124' TERM\b",
    "tells what is missing by 2": r"exit 2",
    "prints the usual guess": r"\bOne would guess: ",
    "prints what it saw": r"\bSeen\b",
    "says when that is gone": r"\"This has changed\.\"",
}
# What pip, apt-get and mmdebstrap are asked for.
ASKED = re.compile(
    r"(?:--only-binary :all:|apt-get download -qq|^pip )(?:[^&|}\n\\]|\\\n)+|--include=\S+",
    re.MULTILINE,
)
TOOLS = {"apt-get", "download", "pip"}
UNPINNED = {"systemd-sysv"}  # of one version with systemd


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
def test_the_limit_that_a_script_states_is_its_limit(script):
    text = script.read_text()
    stated = re.findall(r"(\d+) s at most", text)
    assert stated == re.findall(r"--kill-after=60 (\d+) bash", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=shown)
def test_a_script_can_be_run_alone_and_without_our_code(script):
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert not re.search(r"\b(?:platewarden|from agent|import agent|\.\./)", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=shown)
def test_whatever_a_script_installs_is_pinned(script):
    words = " ".join(ASKED.findall(script.read_text())).replace("\\\n", " ").split()
    listed = [one for word in words for one in word.removeprefix("--include=").split(",")]
    packages = [one for one in listed if one[0].isalpha() and one not in TOOLS]
    assert packages, f"{script.name} installs nothing"
    for package in packages:
        assert re.search(r"=\d", package) or package in UNPINNED, f"{package} has no version"
