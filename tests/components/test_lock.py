"""requirements.lock: what `make` and the Debian packages install, each file by its SHA-256."""

import re
import runpy
from pathlib import Path

import pytest

from tests.support.desk_wheel import needed

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
STAGE = runpy.run_path(str(ROOT / "debian/stage.py"))
plain = STAGE["plain"]
LINE = re.compile(
    r"([\w.-]+)==(\S+)( ; [^#]+?)?((?: --hash=sha256:[0-9a-f]{64})+) #((?: [a-z-]+)+)"
)


@pytest.fixture(scope="module")
def lines():
    """Of each distribution, by its plain name: version and extras."""
    text = (ROOT / "requirements.lock").read_text().splitlines()
    found = [LINE.fullmatch(line) for line in text if not line.startswith("#")]
    assert None not in found
    return {plain(one[1]): (one[2], set(one[5].split())) for one in found}


@pytest.fixture(scope="module")
def given():
    return STAGE["setup_arguments"]()


def test_its_versions_are_those_of_constraints(lines):
    text = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in text if "==" in line and line[0] != "#")
    pinned = {plain(name): version for name, version in pinned.items()}
    assert len(lines) > 80
    for name, (version, _extras) in lines.items():
        assert pinned[name] == version, "make lock"


@pytest.mark.parametrize("extra", ["desk", "demo", "dev", "inbox", "camera"])
def test_all_that_an_extra_needs_is_in_its_lines(lines, given, extra):
    """As the installed distributions tell it: pip is told to look for nothing else."""
    asked = [*given["install_requires"], *given["extras_require"].get(extra, [])]
    wanted = {plain(name) for name in needed(asked)}
    marked = {name for name, (_version, extras) in lines.items() if extra in extras}
    assert wanted - marked == set(), "make lock"
    assert "setuptools" in marked, "it builds us"


def test_make_installs_by_hash_and_only_trainings_without():
    recipe = re.search(r"^define install\n(.*?)^endef", MAKEFILE, re.MULTILINE | re.DOTALL)[1]
    assert "--require-hashes --no-deps --requirement" in recipe
    assert "--no-deps --no-build-isolation --editable ." in recipe
    others = [
        line.strip()
        for line in MAKEFILE.replace(recipe, "").splitlines()
        if "$(PIP)" in line and not line.startswith("PIP :=")
    ]
    assert others == [
        "$(PIP) --constraint constraints.txt uv",
        "$(PIP) --constraint constraints.txt --editable '.[demo,dev,train]'",
    ]


@pytest.mark.parametrize("stamp", ["demo", "dev", "rig", "fuzz", "bench", "train"])
def test_each_target_takes_its_extras_lines(lines, stamp):
    (taken,) = re.findall(rf"/{stamp}\.stamp:.*\n\t\$\(call install,(.+)\)", MAKEFILE)
    known = set().union(*(extras for _version, extras in lines.values()))
    assert set(taken.split("|")) <= known
