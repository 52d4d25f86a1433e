"""What a stick brings to a second signer and back: the drafts, what is pending, and what is
published as far as it shows the difference. Never the hot list, nor a key.

It is a city's folder of its own, in which `bundle sign` works as at the desk.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from agent.bundles.layout import (
    HOTLIST,
    MAX_METADATA_BYTES,
    MAX_TARGET_BYTES,
    METADATA_FOLDER,
    ROOT,
    ROSTER_PATH,
    SNAPSHOT,
    TARGETS,
    TARGETS_FOLDER,
)
from agent.bundles.repository.copies import TIMESTAMP_FILE
from agent.bundles.repository.pending_files import keep_pending
from agent.bundles.repository.published import REPOSITORY_FOLDER, CityRepository
from agent.city import drafts
from agent.city.enrolments import FOLDER, kept
from agent.disk.atomic_file import PART_SUFFIX, read_bounded, storage_error, write_atomic
from agent.errors import ConfigError, StorageError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from agent.bundles.layout import CityIdentity
    from agent.bundles.repository.published import Pending, Published

PREFIX = "platewarden-"  # of the folder on the stick; the city's id follows
_DRAFTS = (
    *(drafts.CHARTER, drafts.POLICY_TOML, drafts.CAMERAS, drafts.ROSTER, drafts.CITY_ROOT),
    drafts.SOFTWARE_JSON,
)
_PUBLIC, _PUBLIC_FOLDER = 0o644, 0o755
_MAX_DRAFT_BYTES = MAX_TARGET_BYTES[ROSTER_PATH]  # the largest of them


@dataclass(frozen=True, slots=True)
class Carried:
    """One city's folder on a stick, unverified. `damaged`: roles that cannot be read, and why;
    `enrolments`: enrolment files by camera; `first_root`: root version 1, None where nothing is
    published there.
    """

    folder: Path
    pending: Mapping[str, Pending]
    damaged: Mapping[str, ConfigError | StorageError]
    enrolments: Mapping[str, bytes]
    first_root: bytes | None


def folder_on(stick: Path, identity: CityIdentity) -> Path:
    """Where the city lies on a stick. Raises UsageError where there is no such stick."""
    if not stick.is_dir():
        raise UsageError("is not there", where=stick, fix="name the stick's folder; is it mounted?")
    return stick / f"{PREFIX}{identity.id}"


def contents(city: CityRepository, published: Published | None) -> dict[str, bytes]:
    """The drafts and what is published, by path in the folder. Raises ConfigError, StorageError."""
    found = dict(_drafts(city.folder))
    if published is not None:
        found |= _published(city, published)
    return found


def write_stick(folder: Path, files: Mapping[str, bytes], pending: Mapping[str, Pending]) -> None:
    """Put the folder in place of an earlier one. Raises StorageError; a stick that is pulled
    meanwhile holds the old folder, the new one, or none.
    """
    part, old = (folder.with_name(f".{folder.name}{end}") for end in (PART_SUFFIX, ".old"))
    try:
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        for name, data in files.items():
            (part / name).parent.mkdir(mode=_PUBLIC_FOLDER, parents=True, exist_ok=True)
            write_atomic(part / name, data, _PUBLIC)
        for item in pending.values():
            keep_pending(part, item)
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    except OSError as error:
        raise storage_error(error, folder, "cannot write to the stick") from None
    shutil.rmtree(old, ignore_errors=True)


def read_stick(folder: Path) -> Carried:
    """What lies there. Raises StorageError, UsageError."""
    if not folder.is_dir():
        raise UsageError(
            "holds nothing of this city",
            where=folder.parent,
            fix=f"this city's folder is {folder.name}; write it with: platewarden bundle carry",
        )
    carried, pending, damaged = CityRepository(folder), {}, {}
    for role in carried.pending_roles():
        try:
            pending[role] = carried.pending_of(role)
        except (ConfigError, StorageError) as error:
            damaged[role] = error
    first = carried.metadata / f"1.{ROOT}.json"
    known = read_bounded(first, MAX_METADATA_BYTES) if first.is_file() else None
    return Carried(folder, pending, damaged, kept(folder), known)


def _drafts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Those that are there, the certificates, and the enrolment files."""
    others = (*sorted((folder / "ca").glob("*.pem")), *sorted((folder / FOLDER).glob("*.json")))
    for path in (*(folder / name for name in _DRAFTS), *others):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), read_bounded(path, _MAX_DRAFT_BYTES)


def _published(city: CityRepository, published: Published) -> dict[str, bytes]:
    """Metadata as it is signed, but for the hot list's, and the files that it names."""
    named = [f"{root.signed.version}.{ROOT}.json" for root in published.roots]
    named.append(f"{published.snapshot.signed.version}.{SNAPSHOT}.json")
    found = dict[str, bytes]()
    for role in (TARGETS, *published.delegated):
        member = published.role(role)
        if member is None or role == HOTLIST:
            continue
        named.append(f"{member.signed.version}.{role}.json")
        for path, described in member.signed.targets.items():
            name = f"{REPOSITORY_FOLDER}/{TARGETS_FOLDER}/{described.get_prefixed_paths()[0]}"
            found[name] = city.target(member, path)
    for name in (*named, TIMESTAMP_FILE):
        path = f"{REPOSITORY_FOLDER}/{METADATA_FOLDER}/{name}"
        found[path] = read_bounded(city.folder / path, MAX_METADATA_BYTES)
    return found
