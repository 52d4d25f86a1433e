"""Two processes at one SQLite database: what one has written stays, whatever the other opens."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from agent.disk.private_file import create_private
from agent.errors import StorageError
from agent.receiver.store.received_reads import INDEX, ReceivedReads

LOOKS = """
import sqlite3, sys
one = sqlite3.connect(sys.argv[1])
print(one.execute(sys.argv[2]).fetchone()[0])
one.close()
"""


def another_process(path, query="SELECT count(*) FROM sqlite_master"):
    """What it finds; then it closes, as the last one if it is let."""
    words = [sys.executable, "-c", LOOKS, str(path), query]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def test_making_the_file_sure_takes_no_lock_away(tmp_path):
    """Closing any descriptor of a file drops a process's locks on it. So a look from outside
    deleted the write-ahead log of a receiver, with reads that it had given receipts for.
    """
    path = tmp_path / "one.sqlite"
    create_private(path, "cannot open")
    with closing(sqlite3.connect(path, isolation_level=None)) as ours:
        ours.execute("PRAGMA journal_mode = WAL")
        ours.execute("CREATE TABLE told (n)")
        create_private(path, "cannot open")
        another_process(path)
        ours.execute("INSERT INTO told VALUES (1)")
        assert another_process(path, "SELECT count(*) FROM told") == "1\n"


def test_a_store_opened_twice_loses_nothing_to_a_look_from_outside(tmp_path):
    """As `receiver run` and an inbox have it, and `receiver status` beside them."""
    with closing(ReceivedReads(tmp_path)) as first:
        ReceivedReads(tmp_path).close()
        another_process(tmp_path / INDEX)
        first.count_dropped("malformed")
        assert another_process(tmp_path / INDEX, "SELECT count(*) FROM dropped") == "1\n"


def test_the_file_is_its_owner_s_and_no_link(tmp_path):
    path = tmp_path / "one.sqlite"
    create_private(path, "cannot open")
    assert path.stat().st_mode & 0o777 == 0o600
    link = tmp_path / "link.sqlite"
    link.symlink_to(path)
    with pytest.raises(StorageError, match="not a regular file"):
        create_private(link, "cannot open")


def test_a_file_that_goes_meanwhile_is_a_storage_error(tmp_path, monkeypatch):
    """As where a folder is being wiped."""

    def there(*_):
        raise FileExistsError

    monkeypatch.setattr("agent.disk.private_file.os.open", there)
    with pytest.raises(StorageError, match="cannot open"):
        create_private(tmp_path / "one.sqlite", "cannot open")
