"""Deliver's attempts database: one suite over the fake and over SQLite, then what only a file can
do.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.storage.attempts import Attempts
from tests.fakes.network import FakeAttempts

A, B = "a" * 32, "b" * 32
DUE = datetime(2027, 1, 15, 12, 0, 5, 250_000, tzinfo=UTC)


@pytest.fixture(params=["fake", "sqlite"])
def attempts(request, tmp_path):
    made = FakeAttempts() if request.param == "fake" else Attempts(tmp_path / "attempts.sqlite")
    yield made
    made.close()


def test_nothing_is_known_of_a_new_read(attempts) -> None:
    assert (attempts.tries(A), attempts.due(A), attempts.withdrawn(A)) == (0, None, "")


def test_each_publication_counts_and_sets_when_it_is_due_again(attempts) -> None:
    attempts.tried(A, DUE)
    attempts.tried(A, DUE)
    assert (attempts.tries(A), attempts.due(A), attempts.tries(B)) == (2, DUE, 0)


def test_a_withdrawal_stands_beside_the_tries(attempts) -> None:
    attempts.tried(A, DUE)
    attempts.withdraw(A, "rule-not-in-policy")
    attempts.withdraw(B, "deadline-passed")
    assert (attempts.tries(A), attempts.withdrawn(A)) == (1, "rule-not-in-policy")
    assert (attempts.due(B), attempts.withdrawn(B)) == (None, "deadline-passed")


def test_what_left_the_outbox_is_forgotten(attempts) -> None:
    attempts.tried(A, DUE)
    attempts.withdraw(B, "deadline-passed")
    attempts.keep_only({A})
    assert (attempts.tries(A), attempts.withdrawn(B)) == (1, "")


class TestFile:
    def test_all_of_it_is_there_after_a_restart(self, tmp_path) -> None:
        first = Attempts(tmp_path / "deliver" / "attempts.sqlite")
        first.tried(A, DUE)
        first.withdraw(B, "rule-not-in-policy")
        first.close()
        second = Attempts(tmp_path / "deliver" / "attempts.sqlite")
        assert (second.tries(A), second.due(A), second.withdrawn(B)) == (
            1,
            DUE,
            "rule-not-in-policy",
        )
        second.keep_only(())
        second.close()
        third = Attempts(tmp_path / "deliver" / "attempts.sqlite")
        assert (third.tries(A), third.withdrawn(B)) == (0, "")
        third.close()

    def test_only_its_owner_may_read_it(self, tmp_path) -> None:
        Attempts(tmp_path / "attempts.sqlite").close()
        assert (tmp_path / "attempts.sqlite").stat().st_mode & 0o777 == 0o600

    def test_a_file_of_something_else_refuses_with_the_next_step(self, tmp_path) -> None:
        path = tmp_path / "attempts.sqlite"
        path.write_bytes(b"not a database" * 100)
        with pytest.raises(StorageError, match=r"attempts\.sqlite.*move it away"):
            Attempts(path)

    def test_another_version_refuses(self, tmp_path) -> None:
        path = tmp_path / "attempts.sqlite"
        Attempts(path).close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 2")
        connection.close()
        with pytest.raises(StorageError, match="of this version"):
            Attempts(path)

    def test_a_planted_link_is_not_followed(self, tmp_path) -> None:
        (tmp_path / "elsewhere").write_bytes(b"")
        (tmp_path / "attempts.sqlite").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageError):
            Attempts(tmp_path / "attempts.sqlite")

    def test_a_closed_database_is_a_storage_error(self, tmp_path) -> None:
        attempts = Attempts(tmp_path / "attempts.sqlite")
        attempts.close()
        with pytest.raises(StorageError):
            attempts.tried(A, DUE)

    def test_the_file_says_what_it_is_and_how_it_is_written(self, tmp_path) -> None:
        attempts = Attempts(tmp_path / "attempts.sqlite")
        settings = {
            name: attempts._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                *("application_id", "user_version", "journal_mode", "synchronous"),
                *("trusted_schema", "cache_size"),
            )
        }
        attempts.close()
        assert settings == {
            "application_id": int.from_bytes(b"PLWT"),
            "user_version": 1,
            "journal_mode": "wal",
            "synchronous": 1,  # NORMAL
            "trusted_schema": 0,
            "cache_size": -256,
        }

    def test_a_failure_in_the_middle_leaves_no_transaction_open(self, tmp_path) -> None:
        attempts = Attempts(tmp_path / "attempts.sqlite")
        attempts.tried(A, DUE)
        with closing(sqlite3.connect(tmp_path / "attempts.sqlite", timeout=0)) as other:
            other.execute("ALTER TABLE attempt RENAME TO hidden")
            with pytest.raises(StorageError, match="no such table"):
                attempts.keep_only(())
            assert attempts.tries(A) == 1
            other.execute("ALTER TABLE hidden RENAME TO attempt")
        attempts.keep_only(())
        attempts.close()

    def test_where_nothing_is_gone_nothing_is_written(self, tmp_path) -> None:
        attempts = Attempts(tmp_path / "attempts.sqlite")
        attempts.tried(A, DUE)
        attempts._connection.execute("PRAGMA busy_timeout = 0")
        with closing(sqlite3.connect(tmp_path / "attempts.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            attempts.keep_only({A, B})
        attempts.close()

    def test_one_that_cannot_be_opened_is_a_storage_error_and_holds_no_file(
        self, tmp_path, monkeypatch
    ) -> None:
        path, descriptors = tmp_path / "attempts.sqlite", Path("/proc/self/fd")
        path.write_bytes(b"not a database" * 100)
        before = len(list(descriptors.iterdir()))
        with pytest.raises(StorageError) as held:  # it keeps all that was on the stack
            Attempts(path)
        assert len(list(descriptors.iterdir())) == before
        assert held.value.where == str(path)

        def none(*_arguments, **_options):
            raise sqlite3.OperationalError("unable to open database file")

        monkeypatch.setattr(sqlite3, "connect", none)
        with pytest.raises(StorageError, match="unable to open"):
            Attempts(path)
