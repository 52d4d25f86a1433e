"""The tables of the PostgreSQL store: made or brought up to date by the first receiver that comes,
never by two at once.
"""

from typing import Any, LiteralString

import psycopg

from agent.errors import StorageError
from agent.receiver.store import postgresql_rings
from agent.receiver.store.acts import postgresql_acts
from agent.receiver.store.holds import postgresql_holds

SCHEMA_VERSION = 4
# Keys are nowhere here: who has the database has sealed bytes, cameras' names and numbers.
# `runs`: the numbers that came, without gaps; `twice`: digests that came under a number after the
# first; `to_tell`: reads of which nobody knows yet, and since when somebody is to tell.
_TABLES: tuple[LiteralString, ...] = (
    """CREATE TABLE reads (
        device text, read_id text, sequence bigint NOT NULL, deadline timestamptz NOT NULL,
        sha256 text NOT NULL, received_at timestamptz NOT NULL, wire bytea NOT NULL,
        arrival bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (device, read_id))""",
    # sealed bytes do not compress
    "ALTER TABLE reads ALTER COLUMN wire SET STORAGE EXTERNAL",
    "CREATE INDEX reads_by_deadline ON reads (deadline)",
    "CREATE INDEX reads_by_id ON reads (read_id)",
    """CREATE TABLE to_tell (
        device text, read_id text, since timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (device, read_id))""",
    """CREATE TABLE sequences (
        device text, sequence bigint, sha256 text NOT NULL, PRIMARY KEY (device, sequence))""",
    "CREATE TABLE runs (device text PRIMARY KEY, numbers int8multirange NOT NULL)",
    """CREATE TABLE twice (
        device text, sequence bigint, sha256 text, PRIMARY KEY (device, sequence, sha256))""",
    """CREATE TABLE rejections (
        sha256 text PRIMARY KEY, device text NOT NULL, read_id text NOT NULL,
        reason text NOT NULL, at timestamptz NOT NULL)""",
    "CREATE TABLE dropped (reason text PRIMARY KEY, messages bigint NOT NULL)",
    "CREATE TABLE platewarden_store (version integer NOT NULL)",
)
# What each version added to the one before it.
_ADDED = {
    1: _TABLES,
    2: postgresql_rings.TABLES,
    3: postgresql_acts.TABLES,
    4: postgresql_holds.TABLES,
}
_LEAST_SERVER = 140_000  # multiranges
_TURN = 0x706C_6174_6577_6172  # any number, the same in every receiver


def prepare(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Make the tables where there are none. Raises StorageError, psycopg.Error."""
    if connection.info.server_version < _LEAST_SERVER:
        raise StorageError(
            f"is PostgreSQL {connection.info.server_version // 10_000}",
            where="the PostgreSQL store",
            fix="take 14 or later",
        )
    if _version(connection) < SCHEMA_VERSION:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_TURN,))
            _add(connection, _version(connection))
    version = _version(connection)
    if version != SCHEMA_VERSION:
        raise StorageError(
            f"is of version {version}; this software knows {SCHEMA_VERSION}",
            where="the PostgreSQL store",
            fix="update Platewarden on this machine",
        )


def _add(connection: psycopg.Connection[tuple[Any, ...]], version: int) -> None:
    """What the tables of `version` lack; of a newer one nothing."""
    for number in range(version + 1, SCHEMA_VERSION + 1):
        for statement in _ADDED[number]:
            connection.execute(statement)
    if not version:
        connection.execute("INSERT INTO platewarden_store VALUES (%s)", (SCHEMA_VERSION,))
    elif version < SCHEMA_VERSION:
        connection.execute("UPDATE platewarden_store SET version = %s", (SCHEMA_VERSION,))


def _version(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    """0: there are no tables yet."""
    # not to_regclass: it answers from a cache that an advisory lock does not refresh
    [(there,)] = connection.execute(
        "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() "
        "AND tablename = 'platewarden_store'"
    ).fetchall()
    if not there:
        return 0
    [(version,)] = connection.execute("SELECT version FROM platewarden_store").fetchall()
    return int(version)
