"""Encrypts a hot list for publication: the list once, to a key of its own, and that key to each
enrolled camera; and remembers what was encrypted, so that only what changed is encrypted anew.

An addition by hand and changes keep the list's key. A whole list, or a camera more or less, makes
another one: who was retired cannot open what is published afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyrage

from agent.bundles.hotlist_keys import format_groups
from agent.bundles.layout import CHANGES_PATH, HOTLIST_PATH, MANUAL_PATH
from agent.city.hotlist_kept import Cameras, Kept
from agent.core.text.rfc3339 import rfc3339
from agent.errors import ConfigError
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.city.hotlist_changes import Before


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertexts. `new`: by target path; `same`: paths that stay as they are published."""

    new: Mapping[str, bytes]
    same: frozenset[str]
    imported: str = ""
    list_key: str = field(default="", repr=False)

    @property
    def whole(self) -> bool:
        """Is the list itself among them?"""
        return HOTLIST_PATH in self.new

    def kept(self, digest: str, cameras: Cameras, before: Before) -> Kept:
        """What to keep of it, but the ciphertexts' hashes. `digest`: of the version."""
        since = rfc3339(before.now) if self.whole else before.kept.since
        return Kept(digest, {}, self.imported, self.list_key, cameras.digest({}), since)


def seal(files: Mapping[str, bytes], cameras: Cameras, before: Before | None = None) -> Sealed:
    """Encrypt what is not published as it must be.

    `files`: the plain ones; `before`: what cameras have; None: nothing. Raises ConfigError.
    """
    if not cameras.grouped:
        everybody = sorted(set(cameras.age.values()))
        return Sealed({path: _sealed(data, everybody) for path, data in files.items()}, frozenset())
    imported = cameras.digest({HOTLIST_PATH: files[HOTLIST_PATH]})
    rest = {path: data for path, data in files.items() if path == MANUAL_PATH}
    kept, was = (before.kept, before.hashes) if before else (Kept(), {})
    key, new = _identity(kept.list_key), dict[str, bytes]()
    if key is not None and kept.imported == imported and kept.files == was:
        same = frozenset(was) - {MANUAL_PATH}
    elif key and before and (told := before.changes(cameras, files[HOTLIST_PATH])):
        same = frozenset(was) - {MANUAL_PATH, CHANGES_PATH}
        rest |= {CHANGES_PATH: told}
    else:
        key, same = pyrage.x25519.Identity.generate(), frozenset()
        secret = str(key).encode("ascii")
        keys = {one: _sealed(secret, [one]) for one in set(cameras.age.values())}
        new = format_groups(cameras.age, keys)
        rest = dict(files)
    own = [str(key.to_public())]
    new |= {path: _sealed(data, own) for path, data in rest.items()}
    return Sealed(new, same, imported, str(key))


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
