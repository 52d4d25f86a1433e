"""What a web server called each metadata file when it last came, so that one which has not changed
costs a line and not a file (ETag, If-None-Match: RFC 9110, 8.8.3 and 13.1.2).

Kept in `update`'s own folder. A tag is used only for exactly the bytes with which it came: whoever
took them out of the inbox, or changed them, gets the file anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from agent.disk.atomic_file import read_bounded, write_whole
from agent.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "entity-tags.json"
MAX_TAGS, MAX_BYTES = 256, 1 << 17
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')
_DIGEST = re.compile(r"[0-9a-f]{64}")


class EntityTags:
    """By server and file. What is damaged counts as none: that costs bytes and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path, self._found = path, _read(path)
        self._kept: dict[str, tuple[str, str]] = {}

    def known(self, server: str, name: str, copy: bytes | None) -> str | None:
        """The tag under which this copy came from this server, if it did."""
        key = f"{server} {name}"
        tag, digest = self._kept.get(key) or self._found.get(key) or ("", "")
        same = copy is not None and hashlib.sha256(copy).hexdigest() == digest
        return tag if same else None

    def keep(self, server: str, name: str, untrusted_tag: str | None, digest: str) -> None:
        """`digest`: SHA-256 in hex, of what came with it. What is no tag is not kept."""
        if (
            untrusted_tag is not None
            and _TAG.fullmatch(untrusted_tag) is not None
            and len(self._kept) < MAX_TAGS
        ):
            self._kept[f"{server} {name}"] = untrusted_tag, digest

    def save(self) -> None:
        """Those of this run alone: what no metadata names any more is forgotten."""
        if self._kept != self._found:
            write_whole(self._path, json.dumps(self._kept).encode())


def _read(path: Path) -> dict[str, tuple[str, str]]:
    try:
        table = json.loads(read_bounded(path, MAX_BYTES))
    except (StorageError, ValueError, RecursionError):
        return {}
    if not isinstance(table, dict) or len(table) > MAX_TAGS:
        return {}
    return {
        key: (value[0], value[1])
        for key, value in table.items()
        if isinstance(value, list)
        and len(value) == 2
        and all(isinstance(one, str) for one in value)
        and _TAG.fullmatch(value[0])
        and _DIGEST.fullmatch(value[1])
    }
