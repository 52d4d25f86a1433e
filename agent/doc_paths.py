"""Says where a document lies that a message names: beside the installed program, or in the
repository.
"""

import re
from pathlib import Path

HERE = Path(__file__).parent
# as installed (agent/docs, agent/config), and in the repository (docs, config)
FOLDERS = (HERE, HERE.parent)
NAMED = re.compile(r"(?<![\w./-])(?:docs|config)(?:/[\w-]+)+(?:\.[\w-]+)*")
"""A document as messages name it: by its path in the repository, never one with `..` in it."""


def located(message: str) -> str:
    """The message, each document that it names as a path that exists on this machine."""
    return NAMED.sub(_path, message)


def _path(name: re.Match[str]) -> str:
    found = (folder / name[0] for folder in FOLDERS)
    return next((str(path) for path in found if path.exists()), name[0])
