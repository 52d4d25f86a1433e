"""Opens the encrypted hot list of a signed bundle, in memory only.

For watch alone: a process that imports this module can hold plates (P2).

`hotlist.age` and `manual.age` are encrypted once to all enrolled cameras (age, X25519); each camera
opens them with its own identity.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pyrage

from agent import boundary
from agent.bundles.hotlist_hands import lawful, left_out, require_within
from agent.bundles.layout import HOTLIST_PATH, MANUAL_PATH, MAX_TARGET_BYTES, city_file
from agent.core.camera.hotlist_facts import NEVER
from agent.core.hotlist.compiled_format import decode
from agent.core.hotlist.index import HotList, hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.intake.manual_acts import ManualList, parse_manual
from agent.core.reasons import Reason
from agent.disk.input_file import input_chunks
from agent.errors import BundleRefusedError

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
    compiled = decode(bytearray(_opened(folder, HOTLIST_PATH, identity)), city_file(HOTLIST_PATH))
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
    nothing = import_list(Source([HEADER], city_file(HOTLIST_PATH), NEVER), (), today)
    return hotlist_of(nothing.compiled, ())


def _opened(folder: Path, path: str, identity: pyrage.x25519.Identity) -> bytes:
    file = folder / city_file(path)
    sealed = b"".join(
        input_chunks(file, MAX_TARGET_BYTES[path], missing="the list's owner has published none")
    )
    opened = io.BytesIO()
    try:
        # `decrypt` takes thirty times as long: it gives its bytes one by one
        pyrage.decrypt_io(io.BytesIO(sealed), opened, [identity])
    except (pyrage.DecryptError, OSError):  # OSError: a chunk cut off or altered, by `decrypt_io`
        raise BundleRefusedError(
            Reason.DECRYPTION_FAILED,
            "is not encrypted to this camera, or damaged",
            where=file.name,
            fix=_OWNER,
        ) from None
    return opened.getvalue()
