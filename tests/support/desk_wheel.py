"""The wheel as setup.py builds it, and a Python that has it with what it requires and nothing else:
the distributions are linked from the one that runs the tests, so that nothing is fetched.
"""

import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
# Files that the build needs beside the packages.
BESIDE = (
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "NOTICE",
    "MANIFEST.in",
    "CHANGELOG.md",
    "constraints.txt",
)
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def built(into: Path) -> Path:
    """The wheel, built in a copy, since setuptools leaves build/ where it builds."""
    source = into / "source"
    source.mkdir()
    for name in ("agent", "config", "docs", "models"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "runs")
        )
    for name in BESIDE:
        shutil.copy(ROOT / name, source)
    return wheel_of(source, into)


def wheel_of(source: Path, into: Path) -> Path:
    """The wheel that a folder with setup.py makes, by the tools that are installed."""
    pip = [*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(into)]
    subprocess.run([*pip, str(source)], check=True, timeout=120)
    (wheel,) = into.glob("platewarden-*.whl")
    return wheel


def installed(wheel: Path, venv: Path) -> Path:
    """The folder of commands of a new virtual environment with that wheel and no extra."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=120)
    pip = [*PIP, "--python", str(venv / "bin/python"), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True, timeout=120)
    (site,) = venv.glob("lib/python*/site-packages")
    (told,) = site.glob("platewarden-*.dist-info/METADATA")
    asked = [
        line.removeprefix("Requires-Dist: ")
        for line in told.read_text().splitlines()
        if line.startswith("Requires-Dist: ")
    ]
    for name in needed(asked):
        link(name, site)
    return venv / "bin"


def needed(asked: list[str]) -> set[str]:
    """Distributions that these requirements bring here, extras only where they are asked for."""
    waiting, found = [(Requirement(line), frozenset({""})) for line in asked], set()
    while waiting:
        one, extras = waiting.pop()
        if one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        inner = frozenset({"", *one.extras})
        if (one.name, inner) in found:
            continue
        found.add((one.name, inner))
        waiting += [(Requirement(line), inner) for line in distribution(one.name).requires or ()]
    return {name for name, _ in found}


def link(name: str, site: Path) -> None:
    """Everything of a distribution that stands in site-packages."""
    there = distribution(name)
    for top in {file.parts[0] for file in there.files or ()} - {"..", "__pycache__"}:
        if not (site / top).exists():
            (site / top).symlink_to(Path(str(there.locate_file(top))))
