"""The audit log's SQLite tables and how a connection to them is opened, for writing and for reading
(docs/ref/audit-log.md).
"""

import sqlite3
from pathlib import Path

from agent.core.log.leaf import clean_text
from agent.errors import StorageError

APPLICATION_ID = 0x504C574C  # "PLWL": `file` and an auditor can tell what the database is
SCHEMA_VERSION = 1
CHECKPOINT_FILE = "checkpoint"
COSIGNED_FILE = "cosigned"  # the last checkpoint that witnesses cosigned, where one lies beside
MAX_CELL_BYTES = 1 << 20
# a damaged schema can make sqlite3 choke on its own error text
FOREIGN = (sqlite3.Error, UnicodeDecodeError, OverflowError)
_BUSY_S = 5.0

_TABLES = """
CREATE TABLE IF NOT EXISTS leaf (
    n INTEGER PRIMARY KEY, hash BLOB NOT NULL, salt BLOB, details BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS checkpoint (
    size INTEGER PRIMARY KEY, note BLOB NOT NULL, peaks BLOB NOT NULL
) STRICT;
"""
# watch's working memory, in the log's database because it changes with a leaf: the last number
# given to each recipient; how many leaves the logs before this one had
SEQUENCE_TABLE = """
CREATE TABLE IF NOT EXISTS outbox_sequence (
    recipient TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT
"""
EARLIER_TABLE = "CREATE TABLE IF NOT EXISTS earlier_log (leaves INTEGER NOT NULL) STRICT"


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on disk when they return (WAL, synchronous FULL). Raises
    StorageError.
    """
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except FOREIGN as error:
        raise database_error(error, path) from None
    return connection


def database_error(error: Exception, path: Path) -> StorageError:
    """One of the foreign errors as ours. SQLite's texts name tables and disks, never values that
    were bound.
    """
    text = (
        "database disk image is malformed"
        if isinstance(error, UnicodeDecodeError | OverflowError)
        else clean_text(str(error))
    )
    # the latter too when SQLite's shared-memory file finds no room
    if "full" in text or "disk I/O error" in text:
        return StorageError(
            f"the disk is full ({text})" if "full" in text else text,
            where=path,
            fix=f"free space on the file system of {path.parent}; if there is room, the disk may "
            "be failing",
        )
    if "malformed" in text or "not a database" in text:
        return StorageError(
            text,
            where=path,
            fix="keep the file for the auditor; start a new log in an empty folder",
        )
    return StorageError(
        text, where=path, fix=f"check the owner and the permissions of {path.parent}, and the disk"
    )


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StorageError unless this is an audit log of a version that we know, with real tables
    (a view could say anything).
    """
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application_id != APPLICATION_ID:
        raise StorageError(
            "is not a Platewarden audit log",
            where=path,
            fix="give the log.sqlite of a device's state folder",
        )
    if version != SCHEMA_VERSION:
        raise StorageError(
            f"is an audit log of version {version}; this software knows {SCHEMA_VERSION}",
            where=path,
            fix="use a newer platewarden",
        )
    tables = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    }
    if not {"leaf", "checkpoint"} <= tables:
        raise StorageError("lacks the tables of an audit log", where=path)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    fresh = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if not fresh:
        check_schema(connection, path)  # before any pragma changes a file that is not ours
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    # KiB, instead of 2 MB: leaves go to the end, and nothing is read twice
    connection.execute("PRAGMA cache_size = -256")
    if fresh:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA "
            f"user_version = {SCHEMA_VERSION}; COMMIT;",
        )
