"""Reads an audit log that somebody else wrote: every row untrusted, nothing changed beside it, no
file left behind.

A live log is read through SQLite's own locks; a copy, or a log on a read-only medium, is opened
immutable or from a private copy.
"""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from agent.core.log.checkpoint import parse_body, parse_note
from agent.core.log.leaf import MAX_DETAILS_BYTES, LeafKind, salted_leaf_hash
from agent.core.log.merkle import HASH_BYTES
from agent.core.log.tally import Tally
from agent.core.text.rfc3339 import parse_rfc3339
from agent.errors import StorageError
from agent.storage.log_schema import FOREIGN, MAX_CELL_BYTES, check_schema, database_error
from agent.values import dataclass

LOG_FILE = "log.sqlite"
MOST_RECENT = 20_000
MAX_KIND = 32
_KINDS = frozenset(LeafKind)
_DECODE = json.JSONDecoder().decode  # `loads` looks for UTF-16 first
_LEAVES = "SELECT n, hash, salt, details FROM leaf ORDER BY n"
_CHECKPOINTS = "SELECT size, note, peaks FROM checkpoint ORDER BY size"


@dataclass(frozen=True, slots=True)
class LeafRow:
    """One row as found. `stored`: its hash column; `computed`: the hash of its details, None when
    they are pruned or unusable.

    `claim`: the number that its details state; `at` and `kind`: likewise, "" when unusable.
    `pruned`: details and salt are gone, as the format allows.
    """

    place: int
    stored: bytes | None
    computed: bytes | None
    pruned: bool
    claim: int | None
    at: str
    kind: str


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """One row of the table `checkpoint` as found; `note` and `peaks` are unverified."""

    size: int
    untrusted_note: bytes
    untrusted_peaks: bytes


@dataclass(frozen=True, slots=True)
class UntrustedLog:
    """All of a log, as found."""

    rows: tuple[LeafRow, ...]
    checkpoints: tuple[StoredCheckpoint, ...]


def database_of(path: Path) -> Path:
    """`path` itself, or the log.sqlite in the folder `path`. Raises StorageError when there is
    none.
    """
    database = path / LOG_FILE if path.is_dir() else path
    if not database.is_file():
        raise StorageError(
            "no audit log here",
            where=database,
            fix="give the folder that holds log.sqlite (state/watch, state/deliver), or the file",
        )
    return database


@dataclass(frozen=True, slots=True)
class UntrustedStream:
    """A log as found, row by row: `leaves` as (n, hash, salt, details), `checkpoints` as (size,
    note, peaks), each in the order of its first. `newest`: the last note, b"" without any. `rows`:
    about how many leaves.
    """

    leaves: Iterator[tuple[object, object, object, object]]
    checkpoints: Iterator[tuple[object, object, object]]
    newest: bytes
    rows: int


@contextmanager
def streamed(database: Path) -> Iterator[UntrustedStream]:
    """The log as it is at one moment. Raises StorageError, also while it is read."""
    with snapshot(database) as connection:
        newest = connection.execute(
            "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1"
        ).fetchone()
        (last,) = connection.execute("SELECT max(n) FROM leaf").fetchone()
        yield UntrustedStream(
            connection.execute(_LEAVES),
            connection.execute(_CHECKPOINTS),
            newest[0] if newest and isinstance(newest[0], bytes) else b"",
            last + 1 if isinstance(last, int) else 0,
        )


def read_log(database: Path) -> UntrustedLog:
    """Everything in the log. Raises StorageError when it is no log or cannot be read."""
    with snapshot(database) as connection:
        rows = tuple(_leaf_row(*row) for row in connection.execute(_LEAVES))
        checkpoints = tuple(_checkpoint_row(*row) for row in connection.execute(_CHECKPOINTS))
    return UntrustedLog(rows, checkpoints)


def stated_roots(database: Path, sizes: Iterable[int]) -> dict[int, bytes]:
    """The roots that the log states for these sizes, where it states one; verify the log first,
    which holds them against its tree. Raises StorageError.
    """
    found = {}
    query = "SELECT note FROM checkpoint WHERE size = ?"
    with snapshot(database) as connection:
        for size in sorted(sizes):
            for (note,) in connection.execute(query, (size,)):
                if isinstance(note, bytes):
                    try:
                        found[size] = parse_body(parse_note(note).signed).root
                    except ValueError:
                        continue  # verification has named it
    return found


def openings(database: Path) -> list[dict[str, object]]:
    """The details of every leaf that has them, in order; verify the log first.

    Raises StorageError.
    """
    query = "SELECT details FROM leaf WHERE details IS NOT NULL ORDER BY n"
    try:
        with _opened(database) as connection:
            rows = connection.execute(query).fetchall()
    except FOREIGN as error:
        raise database_error(error, database) from None
    return [opening(details) for (details,) in rows if isinstance(details, bytes)]


@dataclass(frozen=True, slots=True)
class Rehearsals:
    """What a log says of rehearsals: test plates sealed, how many of them their recipient has
    stored, and when the last of those was (RFC 3339, or empty).
    """

    sealed: int
    received: int
    last: str


def rehearsals(database: Path) -> Rehearsals:
    """Of watch's log, unverified: for `status`, not for an auditor. Raises StorageError."""
    details = "SELECT CAST(details AS TEXT) AS d FROM leaf WHERE details IS NOT NULL"
    of_kind = f"SELECT d FROM ({details}) WHERE json_valid(d) AND json_extract(d, '$.kind') ="  # noqa: S608  # no stranger's text in it
    tests = (
        f"SELECT json_extract(d, '$.read') FROM ({of_kind} 'release') WHERE json_extract(d, "  # noqa: S608
        "'$.category') = 'test'"
    )
    stored = (
        f"SELECT d FROM ({of_kind} 'receipt') WHERE json_extract(d, '$.outcome') = 'stored' AND "  # noqa: S608
        f"json_extract(d, '$.read') IN ({tests})"
    )
    try:
        with _opened(database) as connection:
            (sealed,) = connection.execute(f"SELECT count(*) FROM ({tests})").fetchone()  # noqa: S608
            received, last = connection.execute(
                f"SELECT count(*), max(json_extract(d, '$.at')) FROM ({stored})"  # noqa: S608
            ).fetchone()
    except FOREIGN as error:
        raise database_error(error, database) from None
    return Rehearsals(int(sealed), int(received), _checked(last, parse_rfc3339))


def recent(database: Path, since: str) -> Tally:
    """What a process has logged since a moment (RFC 3339), unverified: for `status`. Raises
    StorageError.

    A log with more leaves than MOST_RECENT since then is counted from its newest ones.
    """
    tally = Tally()
    try:
        with _opened(database) as connection:
            rows = connection.execute(
                "SELECT details FROM leaf WHERE details IS NOT NULL ORDER BY n DESC LIMIT ?",
                (MOST_RECENT,),
            )
            for (details,) in rows:
                said = opening(details) if isinstance(details, bytes) else {}
                at, kind = said_time(said.get("at")), said.get("kind")
                if at and at < since:
                    break
                if at and isinstance(kind, str) and kind in _KINDS:
                    tally.add(kind, said)
    except FOREIGN as error:
        raise database_error(error, database) from None
    return tally


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a log begins: its leaves now, those of earlier logs that its first leaf knows to be
    missing, and when that was written (RFC 3339, or empty).
    """

    leaves: int
    missing: int
    since: str


def beginning(database: Path) -> Beginning:
    """Unverified: for `status`, not for an auditor. Raises StorageError."""
    try:
        with _opened(database) as connection:
            (leaves,) = connection.execute("SELECT max(n) + 1 FROM leaf").fetchone()
            rows = connection.execute("SELECT details FROM leaf WHERE n = 0").fetchall()
    except FOREIGN as error:
        raise database_error(error, database) from None
    first = opening(rows[0][0]) if rows and isinstance(rows[0][0], bytes) else {}
    missing = first.get("leaves") if first.get("kind") == LeafKind.MISSING else 0
    known = missing if isinstance(missing, int) else 0
    since = _checked(first.get("at"), parse_rfc3339) if known else ""
    return Beginning(int(leaves or 0), known, since)


@contextmanager
def snapshot(database: Path) -> Iterator[sqlite3.Connection]:
    """The log as it is at one moment, however it grows meanwhile: a leaf that is logged between two
    looks would seem cut off. Raises StorageError, also while it is read.
    """
    try:
        with _opened(database) as connection:
            connection.execute("BEGIN")
            yield connection
    except FOREIGN as error:
        raise database_error(error, database) from None


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection, by the first way that works."""
    wal, shared = (database.with_name(database.name + suffix) for suffix in ("-wal", "-shm"))
    if not (wal.is_file() and wal.stat().st_size):
        # closed cleanly: nothing beside the file counts
        with closing(_connect(database, "mode=ro&immutable=1")) as connection:
            yield connection
        return
    if shared.is_file():  # a live log: SQLite's locks keep the two files together
        try:
            connection = _connect(database, "mode=ro")
        except FOREIGN:
            pass  # a read-only medium: read a copy instead
        else:
            with closing(connection):
                yield connection
            return
    with _copied(database, wal) as copy, closing(_connect(copy, "mode=rw")) as connection:
        yield connection


@contextmanager
def _copied(database: Path, wal: Path) -> Iterator[Path]:
    """The database and its write-ahead log in a private folder. Without the latter, the newest
    leaves would seem cut off.
    """
    with tempfile.TemporaryDirectory(prefix="platewarden-audit-") as folder:
        copy = Path(folder) / LOG_FILE
        try:
            shutil.copyfile(database, copy)
            shutil.copyfile(wal, copy.with_name(copy.name + "-wal"))
        except OSError as error:
            raise StorageError(
                f"cannot copy it for reading: {(error.strerror or 'unknown error').lower()}",
                where=database,
                fix="free space",
            ) from None
        yield copy


def _connect(database: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{database.resolve().as_uri()}?{mode}", uri=True, isolation_level=None
    )
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        check_schema(connection, database)
    except BaseException:
        connection.close()
        raise
    return connection


def _leaf_row(n: object, stored: object, salt: object, details: object) -> LeafRow:
    place = n if isinstance(n, int) else -1
    kept = stored if isinstance(stored, bytes) and len(stored) == HASH_BYTES else None
    if (
        not isinstance(salt, bytes)
        or not isinstance(details, bytes)
        or len(details) > MAX_DETAILS_BYTES
    ):
        return LeafRow(place, kept, None, salt is None and details is None, None, "", "")
    said = opening(details)
    claim, at, kind = said.get("n"), said.get("at"), said.get("kind")
    return LeafRow(
        place,
        kept,
        salted_leaf_hash(salt, details),
        pruned=False,
        claim=claim if isinstance(claim, int) and claim >= 0 else None,
        at=said_time(at),
        kind=said_kind(kind),
    )


def said_kind(kind: object) -> str:
    """A kind as a terminal may show it, also one that this version does not know; else ""."""
    fits = (
        isinstance(kind, str)
        and kind.isascii()
        and kind.replace("-", "").isalpha()
        and len(kind) <= MAX_KIND
    )
    return kind if isinstance(kind, str) and fits else ""


def said_time(at: object) -> str:
    """A time in RFC 3339, or ""."""
    return _checked(at, parse_rfc3339)


def opening(details: bytes) -> dict[str, object]:
    """What a leaf's details say, unverified; {} when they are no object."""
    try:
        value = _DECODE(details.decode())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _checked(value: object, parse: Callable[[str], object]) -> str:
    """A text of a known form: what a stranger wrote into a log must not speak to the auditor's
    terminal.
    """
    try:
        if isinstance(value, str):
            parse(value)
            return value
    except ValueError:
        pass
    return ""


def _checkpoint_row(size: object, note: object, peaks: object) -> StoredCheckpoint:
    return StoredCheckpoint(
        size if isinstance(size, int) else -1,
        note if isinstance(note, bytes) else b"",
        peaks if isinstance(peaks, bytes) else b"",
    )
