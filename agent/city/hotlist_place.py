"""Says how a hot list that an older version left in the city's folder is moved out of it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from agent.bundles.hotlist_file import beside, files_in
from agent.city.city_log import FOLDER, KEY

if TYPE_CHECKING:
    from pathlib import Path


def how_to_move(city: Path) -> str | None:
    """One line for people; None where nothing is to be moved, or a person must look first."""
    left, key = files_in(city), city / FOLDER / KEY
    if not left or files_in(beside(city)):
        return None
    folder = shlex.quote(str(beside(city)))
    files = [city / name for name in left] + ([key] if key.exists() else [])
    named = " ".join(shlex.quote(str(path)) for path in files)
    return (
        "the hot list lies in the city's folder, so whoever copies that carries plates. "
        f"To move it: mkdir -p -m 700 {folder} && mv {named} {folder}"
    )
