"""A city's own audit log: each act on its hot list is a salted leaf, written before the file that
it changes is in force (docs/ref/audit-log.md, "The city's log").

Order of an act: the new file lies staged on the disk; the leaf with its keyed digest is committed;
the staged file gets its name. Killed before the commit, the act never was; killed after it, the
next command under the city's lock gives the file its name. Mitigates against: an entry that nobody
can be asked about, and a leaf about an entry that never was.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import BINARY, MANUAL, beside, file_digest, list_folder
from agent.bundles.repository.published import CityRepository
from agent.city import drafts
from agent.city.hotlist_files import stage_private
from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.core.text.strict_json import public_jwk
from agent.core.time.instant import Instant, to_millisecond
from agent.disk.atomic_file import private_folder, publish, remove, write_atomic
from agent.errors import ConfigError, PlatewardenError, PolicyRefusedError
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import (
    create_signing_key,
    keyed_digest,
    load_signing_key,
    load_trusted_keys,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FOLDER, KEY, PUBLIC, DATABASE = "log", "city-log.key", "public.json", "log.sqlite"
PROCESS, NAMELESS = "city", "nameless"
MAX_ID = 48  # as of identifiers
# Which file the log says lies in the city's folder: the staged one is taken or removed by it.
_TABLE = "CREATE TABLE IF NOT EXISTS written (file TEXT PRIMARY KEY, digest TEXT NOT NULL) STRICT"


class CityLog:
    """An open city log, for whoever holds the city's lock."""

    def __init__(self, lists: Path, log: AuditLog, key: Path) -> None:
        self._lists, self._log, self._key = lists, log, key
        log.add_tables(_TABLE)
        self._settle()

    @property
    def log(self) -> AuditLog:
        """For leaves that are no act on the hot list."""
        return self._log

    def digest_of(self, text: str) -> str:
        """What only this city can make of a text, and recognise: for entries and lists in leaves.
        `text` never stands in the log.
        """
        return self._keyed(hashlib.sha256(text.encode()).hexdigest())

    def tell(self, details: Mapping[str, object]) -> None:
        """A leaf about an act that changes no file here. Raises StorageError."""
        self._log.append(LeafKind.HOTLIST, details)

    def write(self, name: str, data: bytes, details: Mapping[str, object]) -> None:
        """Replace one of the hot list's files, and tell of it: both or neither.

        Raises StorageError.
        """
        digest, path = self._keyed(hashlib.sha256(data).hexdigest()), self._lists / name
        private_folder(self._lists)
        stage_private(_staged(path), path, data)
        try:
            self._log.append(
                LeafKind.HOTLIST,
                {**details, "file": name, "digest": digest},
                also=_noting(name, digest),
            )
        finally:
            self._settle()  # also after an error: whether the leaf is there, the log says

    def require_as_logged(self) -> None:
        """Raises PolicyRefusedError where a file was changed, or withdrawals were removed, by
        anything but an act that is a leaf.
        """
        for name, digest in self._written().items():
            path = self._lists / name
            gone = not path.exists()
            if (gone and name == MANUAL) or (not gone and self._keyed(file_digest(path)) != digest):
                raise PolicyRefusedError(
                    Reason.HOTLIST_NOT_AS_LOGGED,
                    "is not the file that the city's log tells of",
                    where=path,
                    fix="put it back from the city's copy, with its log; acts go through "
                    "`platewarden hotlist`",
                )

    def _keyed(self, digest: str) -> str:
        return keyed_digest(self._key, digest)

    def _written(self) -> dict[str, str]:
        rows = self._log.query("SELECT file, digest FROM written")
        return {str(file): str(digest) for file, digest in rows}

    def _settle(self) -> None:
        """Finish what the log says was done, and remove what it does not say."""
        written = self._written()
        for name in (BINARY, MANUAL):
            path = self._lists / name
            if not os.path.lexists(_staged(path)):
                continue
            if self._keyed(file_digest(_staged(path))) == written.get(name):
                publish(_staged(path), path)
            else:
                remove(_staged(path))


@contextmanager
def city_log(city: Path) -> Iterator[CityLog]:
    """The city's log, begun where there is none. Only under `only_writer`.

    Raises StorageError, LogRefusedError.
    """
    folder, lists, key_path = city / FOLDER, list_folder(city), log_key_of(city)
    private_folder(folder)
    private_folder(key_path.parent)
    public = folder / PUBLIC
    key = (
        load_signing_key(key_path)
        if key_path.exists() or (folder / DATABASE).exists()
        else create_signing_key(key_path)
    )
    if not public.exists():
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        named = {"device": _name_of(city), **({"domain": own} if (own := domain_of(city)) else {})}
        table = {"v": 1, **named, f"{PROCESS}_log": public_jwk("Ed25519", raw)}
        write_atomic(public, json.dumps(table, indent=1).encode() + b"\n", 0o644)
    (origin,) = load_trusted_keys(public).keys
    with AuditLog(folder / DATABASE, origin, key, _now) as log:
        yield CityLog(lists, log, key_path)


def log_key_of(city: Path) -> Path:
    """With the list, since plates can be tried with it against the log's leaves; or in the log's
    folder, where an older version left it.
    """
    older = city / FOLDER / KEY
    return older if older.exists() else beside(city) / KEY


def domain_of(city: Path) -> str:
    """The domain that the city's charter names, or "" without one: logs are named by it."""
    try:
        return CityFolder(city).charter().domain
    except PlatewardenError:  # whoever needs the charter itself is told
        return ""


def _name_of(city: Path) -> str:
    """The city's id where `bundle init` gave it one, else its charter's name: it names the log for
    good.
    """
    repository = CityRepository(city)
    try:
        return drafts.identity_of(repository, repository.published(), repository.pending()).id
    except ConfigError:
        words = re.findall(r"[a-z0-9]+", CityFolder(city).charter().name.lower())
        return "-".join(words)[:MAX_ID].strip("-") or NAMELESS


def _noting(name: str, digest: str) -> Callable[[sqlite3.Connection, int], None]:
    def note(connection: sqlite3.Connection, _number: int) -> None:
        connection.execute("INSERT OR REPLACE INTO written VALUES (?, ?)", (name, digest))

    return note


def _staged(path: Path) -> Path:
    return path.with_name(f".{path.name}.staged")


def _now() -> Instant:
    return Instant(to_millisecond(datetime.now(UTC)))
