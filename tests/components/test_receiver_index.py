"""The recipient's index when it fails, fills or is old: how it is written, what it says of nothing,
and when what it remembers goes.
"""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import StorageError
from agent.receiver.store.received_reads import SCHEMA_VERSION, ReceivedReads
from tests.fakes.sealing import FakeSealer
from tests.support.sealed import CAPTURED, DEVICE, release, sighting

pytestmark = pytest.mark.usefixtures("quick_disk")

DAY, TICK = timedelta(days=1), timedelta(milliseconds=1)
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def store(tmp_path):
    opened = ReceivedReads(tmp_path / "store")
    yield opened
    opened.close()


def sealed(sequence=1, sealer=None):
    return (sealer or FakeSealer(DEVICE)).seal(sighting(), release(), sequence)


def beside(tmp_path):
    """Another connection to the index."""
    return closing(sqlite3.connect(tmp_path / "store/index.sqlite", isolation_level=None))


def test_how_the_index_is_written(store):
    pragmas = ("journal_mode", "synchronous", "secure_delete", "user_version")
    assert [store._index.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas] == [
        *("wal", 2, 1),  # FULL, ON
        SCHEMA_VERSION,
    ]
    assert SCHEMA_VERSION == 5


def test_an_index_that_cannot_be_opened_is_a_storage_error(tmp_path, monkeypatch):
    def none(*_arguments, **_options):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", none)
    with pytest.raises(StorageError, match=r"index\.sqlite: the index failed: unable to open"):
        ReceivedReads(tmp_path / "store")


def test_a_closed_store_holds_no_file(tmp_path):
    before = len(list(DESCRIPTORS.iterdir()))
    opened = ReceivedReads(tmp_path / "store")
    opened.close()
    assert len(list(DESCRIPTORS.iterdir())) == before


def test_an_index_that_is_up_to_date_is_opened_while_another_writes(store, tmp_path):
    with beside(tmp_path) as other:
        other.execute("BEGIN IMMEDIATE")
        ReceivedReads(tmp_path / "store").close()


def test_two_that_start_at_once_make_the_tables_once(store, tmp_path, monkeypatch):
    """The second has seen no tables, and finds them when its turn comes."""
    store.add(*_parts(sealed()), CAPTURED)
    versions, honest = [0], ReceivedReads._version
    monkeypatch.setattr(
        ReceivedReads, "_version", lambda self: versions.pop() if versions else honest(self)
    )
    again = ReceivedReads(tmp_path / "store")
    assert again.sequences() == store.sequences()
    assert len(again.reads()) == 1
    again.close()


def _parts(read):
    return read.tags, read.wire


def test_an_empty_store(store):
    assert store.held() == (0, None)
    assert (store.rejections(), store.dropped(), list(store.sequences())) == ({}, {}, [])
    assert list(store.reads()) == list(store.reads("f" * 32)) == []


def test_how_many_are_held_and_until_when(store):
    sealer = FakeSealer(DEVICE)
    reads = [sealer.seal(sighting(), release(retention_days=days), number)
             for number, days in ((1, 21), (2, 7))]  # fmt: skip
    for read in reads:
        store.add(*_parts(read), CAPTURED)
    assert store.held() == (2, reads[1].tags.deadline)
    assert [row.read_id for row in store.reads(reads[1].tags.read_id)] == [reads[1].tags.read_id]


def test_a_file_without_its_row_counts_as_absent(store, tmp_path):
    (tmp_path / "store" / f"{DEVICE}.{'f' * 32}.sealed").write_bytes(b"planted")
    assert store.find(DEVICE, "f" * 32) is None


def test_what_an_attempt_that_failed_left_is_not_taken_for_the_read(store, tmp_path):
    read = sealed()
    row = store.add(*_parts(read), CAPTURED)
    name = f"{DEVICE}.{read.tags.read_id}.sealed"
    (tmp_path / "store/incoming" / name).write_bytes(b"half")
    assert store.wire(row) == read.wire
    (tmp_path / "store/incoming" / name).unlink()
    (tmp_path / "store" / name).unlink()
    with pytest.raises(StorageError, match="no such file"):
        store.wire(row)


def test_rejections_are_remembered_for_thirty_days(store):
    store.add_rejection(sealed().tags, "ab" * 32, "malformed", CAPTURED)
    store.delete_due(CAPTURED + 30 * DAY)
    assert store.rejections() == {"malformed": 1}
    store.delete_due(CAPTURED + 30 * DAY + TICK)
    assert store.rejections() == {}


def test_a_version_that_does_not_tell_its_number_is_a_rejection_and_a_gap(store):
    minimum = EnvelopeMinimum(9, "f" * 32, DEVICE, "exampleville-pd")
    store.add_rejection(minimum, "ab" * 32, "unsupported-version", CAPTURED)
    assert (store.rejections(), list(store.sequences())) == ({"unsupported-version": 1}, [])


def test_what_was_dropped_is_counted(store):
    store.count_dropped("malformed")
    store.count_dropped("malformed")
    store.count_dropped("too-large", 5)
    assert store.dropped() == {"malformed": 2, "too-large": 5}


def test_a_failure_in_the_middle_leaves_no_transaction_open(store, tmp_path):
    with beside(tmp_path) as other:
        other.execute("ALTER TABLE dropped RENAME TO hidden")
        with pytest.raises(StorageError, match="the index failed: no such table"):
            store.count_dropped("malformed")
        with pytest.raises(StorageError, match="the index failed: no such table"):
            store.dropped()
        other.execute("ALTER TABLE hidden RENAME TO dropped")
    store.count_dropped("malformed")
    assert store.dropped() == {"malformed": 1}


def test_a_folder_that_cannot_be_listed_is_named(store, tmp_path):
    (tmp_path / "store/incoming").rmdir()
    with pytest.raises(StorageError, match="incoming: cannot list the folder"):
        store.recover()
