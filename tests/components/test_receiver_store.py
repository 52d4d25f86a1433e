"""The recipient's store: durable, without plaintext, and gone when it is time."""

import hashlib
import random
import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.wire.sealed_read import SealedRead
from agent.errors import StorageError
from agent.receiver import received_reads
from agent.receiver.received_reads import ReceivedReads
from tests.fakes.sealing import FakeSealer
from tests.support.sealed import CAPTURED, DEVICE, PLATE, release, sighting

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def store(tmp_path):
    opened = ReceivedReads(tmp_path / "store")
    yield opened
    opened.close()


def sealed(sequence=1, sealer=None):
    return (sealer or FakeSealer(DEVICE)).seal(sighting(), release(), sequence)


class TestStore:
    def test_kept_and_found_after_reopening(self, store, tmp_path):
        read = sealed()
        row = store.add(read.tags, read.wire, CAPTURED)
        store.close()
        again = ReceivedReads(tmp_path / "store")
        assert again.find(DEVICE, read.tags.read_id) == row
        assert again.wire(row) == read.wire
        assert row.wire_sha256 == hashlib.sha256(read.wire).hexdigest()
        again.close()

    def test_files_are_private_and_hold_exactly_the_sealed_bytes(self, store, tmp_path):
        read = sealed()
        store.add(read.tags, read.wire, CAPTURED)
        [path] = (tmp_path / "store").glob("*.sealed")
        assert path.name == f"{DEVICE}.{read.tags.read_id}.sealed"
        assert path.read_bytes() == read.wire
        modes = {
            stat.S_IMODE(each.stat().st_mode)
            for each in (tmp_path / "store").iterdir()
            if each.is_file()
        }
        assert modes == {0o600}
        for folder in (tmp_path / "store", tmp_path / "store" / "incoming"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_a_row_without_its_file_counts_as_absent(self, store, tmp_path):
        read = sealed()
        store.add(read.tags, read.wire, CAPTURED)
        next((tmp_path / "store").glob("*.sealed")).unlink()
        assert store.find(DEVICE, read.tags.read_id) is None

    def test_what_a_crash_left_is_finished_or_removed(self, store, tmp_path):
        sealer = FakeSealer(DEVICE)
        named, half, other = (sealed(number, sealer) for number in (1, 2, 3))
        incoming = tmp_path / "store" / "incoming"
        for read, left in ((named, named.wire), (other, b"other bytes")):
            store.add(read.tags, read.wire, CAPTURED)
            path = tmp_path / "store" / f"{DEVICE}.{read.tags.read_id}.sealed"
            path.rename(incoming / path.name)  # its row is there, its name was not given yet
            (incoming / path.name).write_bytes(left)
        (incoming / f"{DEVICE}.{half.tags.read_id}.sealed").write_bytes(half.wire[:40])
        assert store.recover() == 3
        assert not list(incoming.iterdir())
        assert store.wire(store.find(DEVICE, named.tags.read_id)) == named.wire
        assert store.find(DEVICE, half.tags.read_id) is None
        assert store.find(DEVICE, other.tags.read_id) is None

    def test_a_read_is_readable_from_the_moment_of_its_row(self, store, tmp_path, monkeypatch):
        read = sealed()
        monkeypatch.setattr(received_reads, "publish", lambda *_: None)
        row = store.add(read.tags, read.wire, CAPTURED)
        assert store.wire(row) == read.wire

    def test_a_read_whose_storing_failed_half_way_is_stored_when_it_comes_again(
        self, store, monkeypatch
    ):
        def fail(*_):
            raise StorageError("no space left on device", where="store")

        read = sealed()
        with monkeypatch.context() as patched:
            patched.setattr(received_reads, "publish", fail)
            with pytest.raises(StorageError):
                store.add(read.tags, read.wire, CAPTURED)
        assert store.find(DEVICE, read.tags.read_id) is None
        store.add(read.tags, read.wire, CAPTURED)
        assert store.wire(store.find(DEVICE, read.tags.read_id)) == read.wire
        assert store.sequences()[0].twice == ()

    def test_gaps(self, store):
        sealer = FakeSealer(DEVICE)
        for number in (2, 3, 7, 9):
            read = sealed(number, sealer)
            store.add(read.tags, read.wire, CAPTURED)
        [device] = store.sequences()
        assert (device.highest, device.missing) == (9, ((1, 1), (4, 6), (8, 8)))

    @pytest.mark.parametrize(
        "numbers", [(1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 3, 2), (5, 1, 3, 2, 4, 3)]
    )
    def test_in_whatever_order_numbers_come_what_is_whole_is_whole(self, store, numbers):
        sealer = FakeSealer(DEVICE)
        for number in numbers:
            read = sealed(number, sealer)
            store.add(read.tags, read.wire, CAPTURED)
        [device] = store.sequences()
        assert (device.highest, device.missing) == (max(numbers), ())
        # one row: a status goes through the runs
        assert list(store._index.execute("SELECT first, last FROM runs")) == [(1, max(numbers))]

    def test_gaps_are_told_in_whatever_order_numbers_came(self, store):
        chance, sealer = random.Random(5), FakeSealer(DEVICE)
        arrived = set()
        for _ in range(200):
            number = chance.randint(1, 60)
            arrived.add(number)
            read = sealed(number, sealer)
            store.add(read.tags, read.wire, CAPTURED)
            [device] = store.sequences()
            missing = {n for low, high in device.missing for n in range(low, high + 1)}
            assert missing == set(range(1, max(arrived))) - arrived

    def test_a_rejected_read_is_no_gap(self, store):
        read = sealed(1)
        store.add_rejection(read.tags, "ab" * 32, "malformed", CAPTURED)
        assert store.sequences()[0].missing == ()
        assert store.rejections() == {"malformed": 1}

    def test_deletion_on_the_day_keeps_only_the_numbers(self, store, tmp_path):
        read = sealed()
        store.add(read.tags, read.wire, CAPTURED)
        assert store.delete_due(read.tags.deadline - timedelta(milliseconds=1)) == 0
        assert store.delete_due(read.tags.deadline) == 1
        assert not list((tmp_path / "store").glob("*.sealed"))
        assert not store.reads()
        assert store.sequences()[0].highest == 1
        # It is overwritten in the database's free pages, too, and not in a file beside it.
        for path in (tmp_path / "store").glob("index.sqlite*"):
            assert read.tags.read_id.encode() not in path.read_bytes()

    def test_the_index_knows_no_plate(self, store, tmp_path):
        read = sealed()
        store.add(read.tags, read.wire, CAPTURED)
        assert PLATE.encode() not in (tmp_path / "store" / "index.sqlite").read_bytes()

    def test_a_planted_file_is_not_read_without_bound(self, store, tmp_path):
        read = sealed()
        row = store.add(read.tags, read.wire, CAPTURED)
        next((tmp_path / "store").glob("*.sealed")).write_bytes(bytes(1_000_000))
        with pytest.raises(StorageError):
            store.wire(row)

    def test_a_broken_index_is_one_clear_error(self, tmp_path):
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / "index.sqlite").write_bytes(b"not a database" * 100)
        with pytest.raises(StorageError, match=r"index\.sqlite"):
            ReceivedReads(tmp_path / "store")


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
            index.execute("PRAGMA user_version = 2")
        with pytest.raises(StorageError, match="version 2; this software knows 1"):
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


def test_two_readers_while_one_writes(tmp_path):
    """`receiver status` beside `receiver run`: neither fails."""
    store, failures, sealer = ReceivedReads(tmp_path / "store"), [], FakeSealer(DEVICE)

    def look():
        try:
            for _ in range(10):
                other = ReceivedReads(tmp_path / "store")
                other.reads()
                other.close()
        except StorageError as error:
            failures.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 20):
        read: SealedRead = sealed(number, sealer)
        store.add(read.tags, read.wire, CAPTURED)
    reader.join()
    store.close()
    assert not failures
