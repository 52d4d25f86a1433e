"""Reads the hot list from disk. For watch alone: a process that imports this module can hold plates (P2)."""

from datetime import date
from pathlib import Path

from agent.bundles.input_file import read_input
from agent.core.hotlist import MAX_BYTES, HotList, parse_hotlist


def read_hotlist(path: Path, today: date) -> HotList:
    """The entries that have not expired by `today` (UTC). Raises ConfigError naming file, line and field, never a plate."""
    return parse_hotlist(read_input(path, MAX_BYTES, missing="a list of the header alone is a valid list: it matches nothing"), str(path), today)
