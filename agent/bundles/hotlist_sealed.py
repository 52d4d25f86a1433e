"""Opens the encrypted hot list of a signed bundle, in memory only.

For watch alone: a process that imports this module can hold plates (P2).

`hotlist.age`, `changes.age` and `manual.age` are encrypted to the list's own key (age, X25519), and
that key to each camera. A city that has not handed the paths of these keys out yet encrypts both
files to all cameras: then a camera opens them with its own key.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pyrage

from agent import boundary
from agent.bundles.hotlist_hands import lawful, left_out, require_within
from agent.bundles.hotlist_keys import key_for
from agent.bundles.layout import (
    CHANGES_PATH,
    GROUP_PATHS,
    HOTLIST_PATH,
    MANUAL_PATH,
    MAX_GROUP_BYTES,
    MAX_TARGET_BYTES,
    city_file,
)
from agent.core.camera.hotlist_facts import NEVER
from agent.core.hotlist.builder import ListBuilder
from agent.core.hotlist.categories import AllowList
from agent.core.hotlist.changes import with_changes
from agent.core.hotlist.compiled_format import decode
from agent.core.hotlist.index import HotList, hotlist_of
from agent.core.hotlist.intake.compiled_rows import compile_rows
from agent.core.hotlist.intake.manual_acts import ManualList, parse_manual
from agent.core.reasons import Reason
from agent.disk.input_file import read_input
from agent.errors import BundleRefusedError
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime, timedelta
    from pathlib import Path

    from agent.core.policy.schema.hotlist_rules import HotlistRules

HEADER = b"plate,state,category,agency,case,source_date,expires\n"
_OWNER = "the list's owner must publish again, to all cameras that are enrolled now"


@boundary.document("hot list", error=BundleRefusedError)
def open_hotlist(
    folder: Path,
    identity: pyrage.x25519.Identity,
    today: date,
    categories: Iterable[str],
    max_age: timedelta,
    expires: datetime,
    rules: HotlistRules,
) -> HotList:
    """The list in force.

    `identity`: this camera's age identity; `expires`: of the bundle's role, after which the list
    raises nothing; `rules`: the charter's.

    Raises BundleRefusedError (not for this camera, damaged) and ConfigError (there is none, or
    inside is no such list), never naming a plate.
    """
    wanted = frozenset(categories)
    identity = _list_key(folder, identity)
    compiled = decode(bytearray(_list_bytes(folder, identity)), city_file(HOTLIST_PATH))
    manual = ManualList()
    if (folder / city_file(MANUAL_PATH)).exists():
        manual = parse_manual(_opened(folder, MANUAL_PATH, identity), city_file(MANUAL_PATH))
    missing, manual = left_out(manual, rules), lawful(manual, rules)
    require_within(compiled, manual, today, rules)
    digest = hashlib.sha256(manual.encoded()).hexdigest() if manual.acts else ""
    added = manual.compiled(today) if manual.acts else None
    found = hotlist_of(
        compiled,
        wanted,
        max_age=max_age,
        manual=added,
        withdrawn=manual.withdrawn,
        manual_digest=digest,
        left_out=missing,
    )
    return replace(found, stale_after=min(found.stale_after, expires))


def no_hotlist(today: date) -> HotList:
    """What a camera holds while it has no list that it may use: nothing, and stale at all times."""
    builder, digest = ListBuilder(today, AllowList(())), hashlib.sha256(HEADER).hexdigest()
    nothing = compile_rows(builder, city_file(HOTLIST_PATH), digest, NEVER, allowed=())
    return hotlist_of(nothing, ())


def _list_key(folder: Path, identity: pyrage.x25519.Identity) -> pyrage.x25519.Identity:
    """The list's own key, where there is one for this camera; else the camera's.

    Raises BundleRefusedError.
    """
    for file in sorted(folder.glob(city_file(GROUP_PATHS))):
        group = read_input(file, MAX_GROUP_BYTES, missing=_OWNER)
        try:
            sealed = key_for(group, str(identity.to_public()))
            if sealed is not None:
                text = decrypted(sealed, identity, file.name).decode("ascii")
                return pyrage.x25519.Identity.from_str(text)
        except (ValueError, pyrage.IdentityError):
            raise _not_for_us(file.name) from None
    return identity


def _list_bytes(folder: Path, identity: pyrage.x25519.Identity) -> bytes:
    """The imported list, whole: with its changes, where any are signed beside it. Without them
    the older list is nobody's: it may hold what was found since.
    """
    data = _opened(folder, HOTLIST_PATH, identity)
    if not (folder / city_file(CHANGES_PATH)).exists():
        return data
    return with_changes(data, _opened(folder, CHANGES_PATH, identity), city_file(CHANGES_PATH))


def _opened(folder: Path, path: str, identity: pyrage.x25519.Identity) -> bytes:
    file = folder / city_file(path)
    sealed = read_input(file, MAX_TARGET_BYTES[path], missing="the list's owner has published none")
    return decrypted(sealed, identity, file.name)


def decrypted(sealed: bytes, identity: pyrage.x25519.Identity, where: str) -> bytes:
    """Raises BundleRefusedError."""
    opened = io.BytesIO()
    try:
        # `decrypt` takes thirty times as long: it gives its bytes one by one
        pyrage.decrypt_io(io.BytesIO(sealed), opened, [identity])
    except (pyrage.DecryptError, OSError):  # OSError: a chunk cut off or altered, by `decrypt_io`
        raise _not_for_us(where) from None
    return opened.getvalue()


def _not_for_us(where: str) -> BundleRefusedError:
    return BundleRefusedError(
        Reason.DECRYPTION_FAILED,
        "is not encrypted to this camera, or damaged",
        where=where,
        fix=_OWNER,
    )
