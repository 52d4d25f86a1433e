"""Who can open a city's hot list, and what was encrypted of it last: values, and the file beside
the plain list that keeps them.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.bundles.hotlist_file import STATE, list_folder
from agent.bundles.layout import CHANGES_PATH, GROUP_PATHS, HOTLIST
from agent.city.hotlist_files import replace_private
from agent.core.text.rfc3339 import parse_rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.disk.input_file import read_input
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from tuf.api.metadata import Targets

WHOLE_AFTER = timedelta(days=7)
"""What changes took off the list lies in the sealed list before, and one key opens both, for no
longer than that.
"""
_MAX_STATE = 65_536
_MEMBERS, _LATER_MEMBERS = ("digest", "files"), ("imported", "list_key", "cameras", "since")


@dataclass(frozen=True, slots=True)
class Cameras:
    """Who can open a list. `age`: recipients by camera.

    `grouped`: whether the list gets a key of its own. A city whose `targets` does not hand out the
    paths of these keys yet encrypts the list itself to all cameras, as versions before did.
    `take_changes`: likewise, whether it hands out the path of changes.
    """

    age: Mapping[str, str]
    grouped: bool
    take_changes: bool = False

    def digest(self, files: Mapping[str, bytes]) -> str:
        """Over plain files and those who can open them."""
        digests = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
        who: object = dict(self.age) if self.grouped else sorted(set(self.age.values()))
        return hashlib.sha256(canonical({"files": digests, "recipients": who})).hexdigest()


@dataclass(frozen=True, slots=True)
class Kept:
    """What STATE says of a version. `digest`: of its plain files and recipients; `files`: hex
    SHA-256 of its ciphertexts; `imported`: as `digest`, of the imported list alone; `list_key`: its
    own key, an age identity, empty where there is none. `cameras`: as `digest`, of them alone;
    `since`: when the whole list was encrypted last.
    """

    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    imported: str = ""
    list_key: str = field(default="", repr=False)
    cameras: str = ""
    since: str = ""

    def is_of(self, digest: str, targets: Targets) -> bool:
        """Whether this list is what those targets are."""
        return self.digest == digest and dict(self.files) == hashes(targets)

    def young(self, now: datetime) -> bool:
        """May what was encrypted go on, with changes beside it?"""
        try:
            return timedelta() <= now - parse_rfc3339(self.since) < WHOLE_AFTER
        except ValueError:
            return False


def cameras_of(age: Mapping[str, str], targets: Targets) -> Cameras:
    """`age`: recipients by camera; `targets`: what is published."""
    role = (targets.delegations.roles or {}).get(HOTLIST) if targets.delegations else None
    paths = (role.paths or ()) if role is not None else ()
    return Cameras(age, GROUP_PATHS in paths, CHANGES_PATH in paths)


def hashes(targets: Targets) -> dict[str, str]:
    """Hex SHA-256 by path."""
    return {path: one.hashes["sha256"] for path, one in sorted(targets.targets.items())}


def read_kept(folder: Path) -> Kept:
    """What was encrypted last; empty where nothing, or nothing readable, says so: then it is
    encrypted again.
    """
    if not (list_folder(folder) / STATE).exists():
        return Kept()
    try:
        fields = Fields(
            parse_object(read_input(list_folder(folder) / STATE, _MAX_STATE, missing=""), STATE),
            STATE,
            required=_MEMBERS,
            optional=_LATER_MEMBERS,
        )
    except EnvelopeRefusedError:
        return Kept()
    files = fields.value("files")
    later = {name: str(fields.value(name)) for name in _LATER_MEMBERS if name in fields}
    return Kept(str(fields.value("digest")), files if isinstance(files, dict) else {}, **later)


def write_kept(folder: Path, kept: Kept) -> None:
    """Raises StorageError."""
    table = {"digest": kept.digest, "files": dict(kept.files)}
    later = {name: getattr(kept, name) for name in _LATER_MEMBERS} if kept.list_key else {}
    replace_private(list_folder(folder) / STATE, canonical(table | later))
