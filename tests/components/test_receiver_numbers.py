"""What the recipient's store keeps of numbers, how a store of an older version is taken over, and
that neither a start nor a status goes through all rows.
"""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from agent.core.wire.sealed_read import SealedRead
from agent.errors import StorageError
from agent.receiver.store.received_reads import ReceivedReads
from tests.fakes.sealing import FakeSealer
from tests.support.sealed import CAPTURED, DEVICE, release, sighting

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def store(tmp_path):
    opened = ReceivedReads(tmp_path / "store")
    yield opened
    opened.close()


def sealed(sequence=1, sealer=None):
    return (sealer or FakeSealer(DEVICE)).seal(sighting(), release(), sequence)


class TestNumbers:
    """(camera, number) belongs to one read for ever."""

    def test_another_read_under_a_number_that_came_is_stored_and_told(self, store):
        first, again = sealed(1, FakeSealer(DEVICE)), sealed(1, FakeSealer(DEVICE))
        other = SealedRead(replace(again.tags, read_id="f" * 32), again.wire + b" ")
        store.add(first.tags, first.wire, CAPTURED)
        assert store.sequences()[0].twice == ()
        store.add(other.tags, other.wire, CAPTURED)
        assert store.sequences()[0].twice == ((1, 1),)
        assert len(store.reads()) == 2

    def test_the_same_read_again_is_no_second(self, store):
        read = sealed(1)
        store.add_rejection(read.tags, digest(read), "key-destroyed", CAPTURED)
        store.add(read.tags, read.wire, CAPTURED)
        store.add(read.tags, read.wire, CAPTURED)
        assert store.sequences()[0].twice == ()

    def test_it_is_known_after_the_first_was_deleted(self, store):
        read = sealed(1)
        store.add(read.tags, read.wire, CAPTURED)
        store.delete_due(read.tags.deadline)
        store.add(replace(read.tags, read_id="f" * 32), b"another", CAPTURED)
        assert store.sequences()[0].twice == ((1, 1),)

    def test_a_rejected_read_has_its_number_too(self, store):
        read = sealed(1)
        store.add(read.tags, read.wire, CAPTURED)
        store.add_rejection(read.tags, "ab" * 32, "read-id-reused", CAPTURED)
        assert store.sequences()[0].twice == ((1, 1),)

    def test_another_recipients_numbers_are_not_ours(self, store):
        read = sealed(7)
        store.add_rejection(read.tags, "ab" * 32, "not-for-this-recipient", CAPTURED)
        assert store.sequences() == []

    def test_numbers_of_another_camera_are_its_own(self, store):
        for device in ("cam-1", "cam-2"):
            read = sealed(1, FakeSealer(device))
            store.add(read.tags, read.wire, CAPTURED)
        assert [one.twice for one in store.sequences()] == [(), ()]


def digest(read):
    return hashlib.sha256(read.wire).hexdigest()


OLD_TABLES = """
CREATE TABLE reads (device TEXT, read_id TEXT, sequence INTEGER, deadline TEXT, sha256 TEXT,
                    received_at TEXT, PRIMARY KEY (device, read_id)) STRICT;
CREATE TABLE sequences (device TEXT, sequence INTEGER, PRIMARY KEY (device, sequence))
                    STRICT, WITHOUT ROWID;
"""


class TestUpgrade:
    """A store of a version that kept no digests and no runs."""

    @pytest.fixture
    def old(self, tmp_path):
        read = sealed(5)
        folder = tmp_path / "store"
        folder.mkdir()
        (folder / f"{DEVICE}.{read.tags.read_id}.sealed").write_bytes(read.wire)
        for name in ("cam.00.sealed", ".cam.00.sealed.abcd.part"):
            (folder / name).write_bytes(b"x")  # a crash of the older version
        row = (DEVICE, read.tags.read_id, 5, "2027-02-06T00:00:00.000Z", digest(read))
        with closing(sqlite3.connect(folder / "index.sqlite", isolation_level=None)) as index:
            index.executescript(OLD_TABLES)
            index.execute(
                "INSERT INTO reads VALUES (?, ?, ?, ?, ?, '2027-01-15T12:00:00.000Z')", row
            )
            index.executemany(
                "INSERT INTO sequences VALUES (?, ?)", [(DEVICE, n) for n in (1, 2, 5)]
            )
        return read

    def test_reads_and_gaps_are_what_they_were(self, old, store):
        assert store.wire(store.find(DEVICE, old.tags.read_id)) == old.wire
        [device] = store.sequences()
        assert (device.highest, device.missing, device.twice) == (5, ((3, 4),), ())

    def test_what_an_older_version_left_lying_is_gone(self, old, store, tmp_path):
        assert len(list((tmp_path / "store").glob("*.sealed"))) == 1
        assert not list((tmp_path / "store").glob(".*"))

    def test_digests_that_are_known_count_and_those_that_are_not_accuse_nobody(self, old, store):
        store.add(replace(old.tags, read_id="e" * 32), b"another", CAPTURED)
        store.add(replace(old.tags, read_id="f" * 32, sequence=2), b"a third", CAPTURED)
        assert store.sequences()[0].twice == ((5, 5),)

    def test_a_newer_version_is_refused(self, store, tmp_path):
        store.close()
        with closing(sqlite3.connect(tmp_path / "store" / "index.sqlite")) as index:
            index.execute("PRAGMA user_version = 99")
        with pytest.raises(StorageError, match="version 99; this software knows 5"):
            ReceivedReads(tmp_path / "store")


class TestManyRows:
    """A start and a status look at what is asked for, not at a hundred thousand rows."""

    @pytest.fixture
    def asked(self, store, tmp_path):
        """How SQLite goes about each question of a start and a status."""
        sealer = FakeSealer(DEVICE)
        for number in range(1, 30):
            read = sealed(number, sealer)
            store.add(read.tags, read.wire, CAPTURED)
        statements = []
        store._index.set_trace_callback(statements.append)
        store.recover()
        store.untold()
        store.delete_due(CAPTURED)
        store.sequences()
        store.held()
        store.reads(read.tags.read_id)
        store.find(DEVICE, read.tags.read_id)
        store._index.set_trace_callback(None)
        return [
            (statement, plan[3])
            for statement in statements
            if statement.startswith("SELECT")
            for plan in store._index.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]

    def test_no_question_goes_through_the_reads_or_the_numbers(self, asked):
        assert len(asked) >= 6
        scans = [
            statement
            for statement, plan in asked
            if "SCAN" in plan and ("reads" in plan or "sequences" in plan)
        ]
        # counted over the narrowest index: a thousandth of a second for a hundred thousand
        assert scans == ["SELECT count(*) FROM reads"]

    def test_no_file_is_listed_but_what_is_just_arriving(self, store, tmp_path, monkeypatch):
        listed = []
        iterdir = type(tmp_path).iterdir
        monkeypatch.setattr(
            type(tmp_path), "iterdir", lambda path: listed.append(path.name) or iterdir(path)
        )
        store.recover()
        assert listed == ["incoming"]
