"""Reads who issues plates, and the words for "no plate", for a city's jurisdiction: at the desk,
and where a rig's camera reads a plain list.
"""

from __future__ import annotations

from pathlib import Path

import agent
from agent import boundary
from agent.core.hotlist.plausibility.of_rows.issuers import (
    Issuers,
    IssuersTable,
    issuers_of,
    parse_issuers,
)
from agent.core.text.toml_document import MAX_TEXT_BYTES
from agent.disk.input_file import read_input
from agent.errors import ConfigError

HERE = Path(agent.__file__).parent
# Where they lie as installed, and in the repository.
FOLDERS = (HERE / "issuers", HERE.parent / "config" / "issuers")


def issuers_for(jurisdiction: str) -> Issuers:
    """For a jurisdiction, ISO 3166; empty: what holds everywhere. Raises ConfigError."""
    files = {path.stem: _read(path) for folder in FOLDERS for path in folder.glob("*.toml")}
    return issuers_of(files, jurisdiction)


@boundary.document("issuers of plates", error=ConfigError)
def _read(path: Path) -> IssuersTable:
    return parse_issuers(
        read_input(path, MAX_TEXT_BYTES, missing="install Platewarden again"), path.name
    )
