"""The files in which cameras find their keys to the hot list: 128 of them, so that a camera fetches
one that is small, whatever the city's size.

A file has a line for each camera of the group: its age recipient, a space, and the list's key,
encrypted to that recipient, in base64. The metadata of role `hotlist` signs each file.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from typing import TYPE_CHECKING

from agent.bundles.layout import group_path

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = b"platewarden-hotlist-keys 1\n"


def format_groups(cameras: Mapping[str, str], sealed_keys: Mapping[str, bytes]) -> dict[str, bytes]:
    """The groups' files by target path.

    `cameras`: age recipients by camera id; `sealed_keys`: the encrypted key by recipient.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for camera, recipient in sorted(cameras.items()):
        sealed = base64.b64encode(sealed_keys[recipient]).decode("ascii")
        groups[group_path(camera)].append(f"{recipient} {sealed}\n")
    return {path: HEAD + "".join(lines).encode("ascii") for path, lines in sorted(groups.items())}


def key_for(group: bytes, recipient: str) -> bytes | None:
    """The encrypted key on that recipient's line; None where there is no such line.

    The line is searched for, not the file parsed: opening must not take longer in a large city.
    Raises ValueError for another version, or a line that is no base64.
    """
    if not group.startswith(HEAD):
        raise ValueError("another version")
    mark = f"\n{recipient} ".encode("ascii")
    at = group.find(mark)
    if at < 0:
        return None
    start = at + len(mark)
    end = group.find(b"\n", start)
    return base64.b64decode(group[start:end] if end >= 0 else b"*", validate=True)
