"""Prints what setup.py asks for (runtime and the demo's broker) in the versions of constraints.txt,
for pip in the tree.

Needs no setuptools.

python3 requirements.py SETUP_PY CONSTRAINTS
"""

import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace


def requirements(setup_py: str, constraints: str) -> list[str]:
    """The project's own list, so that a test in the tree runs over what an installation has; and no
    more, so that no other change builds a new tree.
    """
    asked: dict[str, object] = {}
    sys.modules["setuptools"] = SimpleNamespace(
        setup=asked.update, find_packages=lambda **_kinds: []
    )
    runpy.run_path(setup_py)
    names = [
        re.split("[<>=]", requirement)[0]
        for requirement in (*asked["install_requires"], *asked["extras_require"]["demo"])
    ]
    pinned = dict(
        line.split("==")
        for line in Path(constraints).read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    return [f"{name}=={pinned[name]}" for name in names]


if __name__ == "__main__":
    print("\n".join(requirements(*sys.argv[1:])))
