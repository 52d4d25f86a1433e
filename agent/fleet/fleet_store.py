"""What is known of each camera of a city, in SQLite: one row a camera, whatever it sends.

One process writes (`fleet run`); any number read meanwhile. No plate is in it: a health message
holds none.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from agent.core.camera.health.health_message import HealthMessage, format_text, parse_text
from agent.disk.atomic_file import private_folder
from agent.disk.private_file import create_private
from agent.errors import EnvelopeRefusedError, StorageError
from agent.fleet.camera_troubles import Who, told_troubles
from agent.receiver.store.sqlite_rings import SCHEMA as RINGS_SCHEMA
from agent.receiver.store.sqlite_rings import SqliteRings
from agent.values import dataclass

FILE_NAME = "fleet.sqlite"
Values = Sequence[object] | Mapping[str, object]
SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS camera (
    name TEXT PRIMARY KEY, enrolled INTEGER NOT NULL DEFAULT 0, number INTEGER NOT NULL DEFAULT 0,
    told_s INTEGER, heard_s INTEGER, said BLOB, missed INTEGER NOT NULL DEFAULT 0,
    began_anew INTEGER NOT NULL DEFAULT 0, silent_s INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS refused (
    name TEXT PRIMARY KEY, messages INTEGER NOT NULL, at_s INTEGER NOT NULL, reason TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT
"""
_FACTS = {"who": "INTEGER", "codes": "TEXT", "version": "TEXT", "policy": "INTEGER"}
"""Out of a camera's newest message, when it is kept: `who` must act by it alone, the `codes` of its
troubles, and what it runs and obeys. So nobody reads every message to count them.
"""
_INDEXED = ("heard_s", "silent_s", *_FACTS)
MOST_REFUSED = 100_000  # names of refused messages: the broker's access list bounds them too


@dataclass(frozen=True, slots=True)
class CameraRow:
    """`told_s`: the hour that its newest message names; `heard_s`: when it came; `missed`: numbers
    that never came; `began_anew`: how often its count did; `refused`: its messages that were none,
    the last `refused_s`, for `refused_why`. `silent_s`: since when it is told of as silent. All in
    POSIX seconds.
    """

    name: str
    enrolled: bool
    told_s: int | None = None
    heard_s: int | None = None
    message: HealthMessage | None = None
    missed: int = 0
    began_anew: int = 0
    silent_s: int | None = None
    refused: int = 0
    refused_s: int = 0
    refused_why: str = ""


class FleetStore:
    """`folder`: fleet.toml's. `write`: as the one writer, which makes it. Raises StorageError."""

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        self._path = folder / FILE_NAME
        if not write and not self._path.exists():
            raise StorageError(
                "nothing was collected yet", where=self._path, fix="start `platewarden fleet run`"
            )
        try:
            if write:
                private_folder(folder)
                create_private(self._path, "cannot open the fleet's store")
                self._db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
                for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
                    self._db.execute(f"PRAGMA {pragma}")
                self._db.executescript(f"{_SCHEMA};{RINGS_SCHEMA}")
                self._bring_up()
            else:
                self._db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
                self._db.execute("PRAGMA query_only = ON")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise self._fault(error) from None
        if version > SCHEMA_VERSION:
            raise StorageError("was made by a newer version", where=self._path, fix="update")
        if version < SCHEMA_VERSION:
            fix = "start `platewarden fleet run` anew: it brings the store up to date"
            raise StorageError("was made by an older version", where=self._path, fix=fix)
        self.rings = SqliteRings(self._execute, self._select, self.transaction)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _bring_up(self) -> None:
        """A store of an earlier version gets what this one keeps beside each message."""
        [(version,)] = self._db.execute("PRAGMA user_version")
        if version > SCHEMA_VERSION:
            return
        with self.transaction():
            there = {name for _, name, *_ in self._db.execute("PRAGMA table_info(camera)")}
            for name, kind in _FACTS.items():
                if name not in there:
                    self._db.execute(f"ALTER TABLE camera ADD COLUMN {name} {kind}")
            query = "SELECT name, told_s, heard_s, said FROM camera WHERE who IS NULL"
            for name, told_s, heard_s, said in self._db.execute(query).fetchall():
                if (message := _message(said)) is not None:
                    self._note_facts(str(name), message, told_s, heard_s)
            for name in _INDEXED:
                self._db.execute(f"CREATE INDEX IF NOT EXISTS camera_{name} ON camera ({name})")
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _note_facts(self, name: str, message: HealthMessage, told_s: int, heard_s: int) -> None:
        health = message.health
        found = tuple(told_troubles(health, told_s, heard_s))
        who = min((one.who for one in found), default=Who.NOBODY)
        codes = " ".join(one.code for one in found)
        self._execute(
            "UPDATE camera SET who = ?, codes = ?, version = ?, policy = ? WHERE name = ?",
            (int(who), codes, health.version, health.policy_version, name),
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.rollback()
            raise
        self._execute("COMMIT")

    def enrol(self, names: Iterable[str]) -> None:
        """These are the city's, and no others: what was known of one that left is forgotten."""
        with self.transaction():
            self._execute("UPDATE camera SET enrolled = 0 WHERE enrolled = 1")
            self._each(
                "INSERT INTO camera (name, enrolled) VALUES (?, 1) "
                "ON CONFLICT (name) DO UPDATE SET enrolled = 1",
                ((name,) for name in sorted(names)),
            )
            self._execute("DELETE FROM camera WHERE enrolled = 0")

    def last(self, name: str) -> tuple[int, int] | None:
        """Number and hour of a camera's newest message."""
        for number, told_s in self._select(
            "SELECT number, told_s FROM camera WHERE name = ? AND said IS NOT NULL", (name,)
        ):
            return int(number), int(told_s)
        return None

    def keep(
        self, message: HealthMessage, told_s: int, heard_s: int, *, missed: int, anew: bool
    ) -> None:
        """A camera's newest message."""
        self._execute(
            "INSERT INTO camera (name, number, told_s, heard_s, said, missed, began_anew) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "number = excluded.number, told_s = excluded.told_s, heard_s = excluded.heard_s, "
            "said = excluded.said, missed = missed + excluded.missed, "
            "began_anew = began_anew + excluded.began_anew",
            (
                *(message.health.camera, message.number, told_s, heard_s, format_text(message)),
                *(missed, int(anew)),
            ),
        )
        self._note_facts(message.health.camera, message, told_s, heard_s)

    def refuse(self, name: str, reason: str, what: str, at_s: int) -> None:
        """A message that was none costs a count."""
        if self._value("SELECT count(*) FROM refused") >= MOST_REFUSED:
            return
        self._execute(
            "INSERT INTO refused VALUES (?, 1, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "messages = messages + 1, at_s = excluded.at_s, reason = excluded.reason, "
            "what = excluded.what",
            (name, at_s, reason, what),
        )

    def silent(self, names: Mapping[str, int | None]) -> None:
        """Since when each is told of as silent; None: it is heard."""
        self._each(
            "UPDATE camera SET silent_s = ? WHERE name = ?",
            ((since_s, name) for name, since_s in names.items()),
        )

    def to_ring(self, ringers: Iterable[str], name: str, what: str, *, undoes: str) -> None:
        """Tell each ringer of it. One that was not told of `undoes` yet is told of neither."""
        for ringer in ringers:
            undone = self._execute(
                "DELETE FROM to_ring WHERE ringer = ? AND device = ? AND read_id = ?",
                (ringer, name, undoes),
            )
            if not undone.rowcount:
                self._execute(
                    "INSERT OR IGNORE INTO to_ring VALUES (?, ?, ?)", (name, what, ringer)
                )

    def rows(self, such: str = "ORDER BY c.name", values: Values = ()) -> Iterator[CameraRow]:
        """All cameras, by name; or `such`. A row that cannot be read counts as never heard."""
        query = (
            "SELECT c.name, enrolled, told_s, heard_s, said, missed, "  # noqa: S608  # our own text
            "began_anew, silent_s, "
            "coalesce(messages, 0), coalesce(at_s, 0), coalesce(what, '') "
            f"FROM camera c LEFT JOIN refused r ON r.name = c.name {such}"
        )
        for name, enrolled, told_s, heard_s, said, *rest in self._select(query, values):
            yield CameraRow(str(name), bool(enrolled), told_s, heard_s, _message(said), *rest)

    def maybe_silent(self, heard_by_s: int) -> Iterator[CameraRow]:
        """Those that were not heard since, and those that are told of as silent: without their
        messages.
        """
        query = (
            "SELECT name, enrolled, told_s, heard_s, silent_s FROM camera "
            "WHERE heard_s <= ? OR silent_s IS NOT NULL"
        )
        for name, enrolled, told_s, heard_s, silent_s in self._select(query, (heard_by_s,)):
            yield CameraRow(str(name), bool(enrolled), told_s, heard_s, silent_s=silent_s)

    def ask(self, query: str, values: Values = ()) -> Sequence[tuple[Any, ...]]:
        """What else is counted (fleet_census.py)."""
        found: Sequence[tuple[Any, ...]] = self._select(query, values)
        return found

    def strangers(self) -> int:
        """Messages under names that are none of the city's cameras."""
        return self._value(
            "SELECT coalesce(sum(messages), 0) FROM refused "
            "WHERE name NOT IN (SELECT name FROM camera)"
        )

    def note(self, name: str, value: str) -> None:
        """How `fleet run` fares, for `fleet status`."""
        self._execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (name, value))

    def noted(self) -> Mapping[str, str]:
        """All of it."""
        return {str(name): str(value) for name, value in self._select("SELECT * FROM run")}

    def _value(self, query: str) -> int:
        [(value,)] = self._select(query)
        return int(value)

    def _execute(self, query: str, values: Values = ()) -> Any:
        try:
            return self._db.execute(query, values)
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _each(self, query: str, values: Iterable[tuple[object, ...]]) -> None:
        try:
            self._db.executemany(query, values)
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _select(self, query: str, values: Values = ()) -> Any:
        return self._execute(query, values).fetchall()

    def _fault(self, error: sqlite3.Error) -> StorageError:
        return StorageError(f"the fleet's store failed ({error})", where=self._path)


def _message(said: bytes | None) -> HealthMessage | None:
    try:
        return parse_text(said) if said is not None else None
    except EnvelopeRefusedError:
        return None
