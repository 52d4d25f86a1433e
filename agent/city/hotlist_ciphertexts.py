"""Encrypts a hot list for publication: the list once, to a key of its own, and that key to each
enrolled camera; and remembers what was encrypted, so that only what changed is encrypted anew.

An addition by hand keeps the list's key. A new import, or a camera more or less, makes another
one: who was retired cannot open what is published afterwards.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyrage

from agent.bundles.hotlist_file import STATE, list_folder
from agent.bundles.hotlist_keys import format_groups
from agent.bundles.layout import GROUP_PATHS, HOTLIST, HOTLIST_PATH, MANUAL_PATH
from agent.city.hotlist_files import replace_private
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.disk.input_file import read_input
from agent.errors import ConfigError, EnvelopeRefusedError
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tuf.api.metadata import Targets

_MAX_STATE = 65_536
_MEMBERS, _LATER_MEMBERS = ("digest", "files"), ("imported", "list_key")


@dataclass(frozen=True, slots=True)
class Cameras:
    """Who can open a list. `age`: recipients by camera.

    `grouped`: whether the list gets a key of its own. A city whose `targets` does not hand out the
    paths of these keys yet encrypts the list itself to all cameras, as versions before did.
    """

    age: Mapping[str, str]
    grouped: bool

    def digest(self, files: Mapping[str, bytes]) -> str:
        """Over plain files and those who can open them."""
        digests = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
        who: object = dict(self.age) if self.grouped else sorted(set(self.age.values()))
        return hashlib.sha256(canonical({"files": digests, "recipients": who})).hexdigest()


@dataclass(frozen=True, slots=True)
class Kept:
    """What STATE says of a version. `digest`: of its plain files and recipients; `files`: hex
    SHA-256 of its ciphertexts; `imported`: as `digest`, of the imported list alone; `list_key`: its
    own key, an age identity, empty where there is none.
    """

    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    imported: str = ""
    list_key: str = field(default="", repr=False)

    def is_of(self, digest: str, targets: Targets) -> bool:
        """Whether this list is what those targets are."""
        return self.digest == digest and dict(self.files) == hashes(targets)


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertexts. `new`: by target path; `same`: paths that stay as they are published."""

    new: Mapping[str, bytes]
    same: frozenset[str]
    imported: str = ""
    list_key: str = field(default="", repr=False)


def cameras_of(age: Mapping[str, str], targets: Targets) -> Cameras:
    """`age`: recipients by camera; `targets`: what is published."""
    role = (targets.delegations.roles or {}).get(HOTLIST) if targets.delegations else None
    return Cameras(age, role is not None and GROUP_PATHS in (role.paths or ()))


def seal(
    files: Mapping[str, bytes], cameras: Cameras, kept: Kept, published: Targets | None
) -> Sealed:
    """Encrypt what is not published as it must be.

    `files`: the plain ones; `kept`: what was encrypted last. Raises ConfigError.
    """
    if not cameras.grouped:
        everybody = sorted(set(cameras.age.values()))
        return Sealed({path: _sealed(data, everybody) for path, data in files.items()}, frozenset())
    imported = cameras.digest({HOTLIST_PATH: files[HOTLIST_PATH]})
    by_hand = {path: data for path, data in files.items() if path == MANUAL_PATH}
    was = hashes(published) if published else {}
    key = _identity(kept.list_key)
    if key is not None and kept.imported == imported and kept.files == was:
        new, same = {}, frozenset(was) - {MANUAL_PATH}
    else:
        key, same = pyrage.x25519.Identity.generate(), frozenset()
        secret = str(key).encode("ascii")
        keys = {one: _sealed(secret, [one]) for one in set(cameras.age.values())}
        new = format_groups(cameras.age, keys)
        by_hand = dict(files)
    own = [str(key.to_public())]
    new |= {path: _sealed(data, own) for path, data in by_hand.items()}
    return Sealed(new, same, imported, str(key))


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
    later = {"imported": kept.imported, "list_key": kept.list_key} if kept.list_key else {}
    replace_private(list_folder(folder) / STATE, canonical(table | later))


def _identity(text: str) -> pyrage.x25519.Identity | None:
    try:
        return pyrage.x25519.Identity.from_str(text)
    except (ValueError, pyrage.IdentityError):
        return None


def _sealed(data: bytes, recipients: Sequence[str]) -> bytes:
    try:
        return bytes(
            pyrage.encrypt(
                data, [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
            )
        )
    except (pyrage.RecipientError, pyrage.EncryptError, ValueError):
        raise ConfigError(
            "an enrolled camera's age recipient is no key",
            where="roster.jws",
            fix="enrol that camera anew",
        ) from None
