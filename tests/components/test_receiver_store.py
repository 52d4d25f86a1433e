"""The recipient's store, epoch keys and folder: durable, without plaintext, and gone when it is
time.
"""

import hashlib
import os
import random
import stat
import threading
from datetime import timedelta

import pytest

from agent.core.time.instant import ClockTrust, Instant
from agent.core.wire.epochs import deadline_of
from agent.core.wire.sealed_read import SealedRead
from agent.disk import atomic_file
from agent.errors import ConfigError, PlatewardenError, StorageError
from agent.receiver.epoch_keys import EpochKeyStore, destroy
from agent.receiver.receiver_settings import BrokerSettings, load, template
from agent.receiver.store import received_reads
from agent.receiver.store.received_reads import ReceivedReads
from agent.receiver.workplace import Workplace
from agent.verifying.key_list_check import verify_key_list
from tests.fakes.sealing import FakeSealer
from tests.support.sealed import CAPTURED, DEVICE, PLATE, RECIPIENT, release, sighting

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW = Instant(CAPTURED)
DAY = timedelta(days=1)


def later(days):
    return Instant(CAPTURED + days * DAY)


@pytest.fixture
def store(tmp_path):
    opened = ReceivedReads(tmp_path / "store")
    yield opened
    opened.close()


def sealed(sequence=1, sealer=None):
    return (sealer or FakeSealer(DEVICE)).seal(sighting(), release(), sequence)


def by_digest(reads):
    return {hashlib.sha256(read.wire).hexdigest(): read for read in reads}


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

    def test_what_is_told_waits_for_its_ringers_once(self, store):
        sealer = FakeSealer(DEVICE)
        read = sealed(1, sealer)
        name = store.add(read.tags, read.wire, CAPTURED).name
        store.told([name])
        assert store.rings.claim("desk", 60) is None, "it was told without ringers"
        other = sealed(2, sealer)
        name = store.add(other.tags, other.wire, CAPTURED).name
        store.told([name], ["desk"])
        claim = store.rings.claim("desk", 60)
        assert claim.names == (name,)
        store.rings.rung("desk", claim)
        store.told([name], ["desk"])
        assert store.rings.claim("desk", 60) is None, "told again, rung once"

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
        monkeypatch.setattr(received_reads, "rename", lambda *_: None)
        row = store.add(read.tags, read.wire, CAPTURED)
        assert store.wire(row) == read.wire

    def test_a_read_whose_storing_failed_half_way_is_stored_when_it_comes_again(
        self, store, monkeypatch
    ):
        def fail(*_):
            raise StorageError("no space left on device", where="store")

        read = sealed()
        with monkeypatch.context() as patched:
            patched.setattr(received_reads, "rename", fail)
            with pytest.raises(StorageError):
                store.add(read.tags, read.wire, CAPTURED)
        assert store.find(DEVICE, read.tags.read_id) is None
        store.add(read.tags, read.wire, CAPTURED)
        assert store.wire(store.find(DEVICE, read.tags.read_id)) == read.wire
        assert store.sequences()[0].twice == ()

    def test_several_are_stored_with_one_sync_of_the_folder(self, store, tmp_path, monkeypatch):
        sealer, synced = FakeSealer(DEVICE), []
        reads = [sealed(number, sealer) for number in (1, 2, 3)]
        monkeypatch.setattr(received_reads, "sync_folder", synced.append)
        rows = [kept.row for kept in store.add_all(by_digest(reads), CAPTURED)]
        assert synced == [tmp_path / "store"]
        assert [store.wire(row) for row in rows] == [read.wire for read in reads]
        assert list(store.reads()) == rows
        assert (list(store.add_all({}, CAPTURED)), len(synced)) == ([], 1)

    def test_what_is_new_is_said_once_and_waits_to_be_told(self, store, monkeypatch):
        sealer = FakeSealer(DEVICE)
        reads = [sealed(number, sealer) for number in (1, 2)]
        first = store.add_all(by_digest(reads[:1]), CAPTURED)
        both = store.add_all(by_digest(reads), CAPTURED + DAY)
        assert [kept.new for kept in (*first, *both)] == [True, False, True]
        assert both[0].row == first[0].row
        assert [row.sequence for row in store.untold()] == [1, 2]
        assert store.known([first[0].row.name, (DEVICE, "f" * 32)]) == {
            first[0].row.name: first[0].row.wire_sha256
        }
        select, asked = store._select, []
        monkeypatch.setattr(store, "_select", lambda query: asked.append(query) or select(query))
        store.told([first[0].row.name])
        # an answer to a person is not worth a sync: after a crash it is told again
        assert asked == ["PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL"]
        monkeypatch.undo()
        assert list(store.untold()) == [both[1].row]
        assert store._select("PRAGMA synchronous") == [(2,)]
        assert store.doubts() == ()

    def test_an_index_that_lacks_only_what_is_to_be_told_keeps_all_else(self, store, tmp_path):
        sealer = FakeSealer(DEVICE)
        store.add_all(by_digest([sealed(number, sealer) for number in (1, 2, 4)]), CAPTURED)
        before, numbers = list(store.reads()), list(store.sequences())
        store._index.execute("DROP TABLE to_tell")
        store._index.execute("PRAGMA user_version = 1")
        store.close()
        again = ReceivedReads(tmp_path / "store")
        assert (list(again.reads()), list(again.sequences())) == (before, numbers)
        assert list(again.untold()) == []
        assert again._select("SELECT count(*) FROM runs") == [(2,)]
        again.close()

    @pytest.mark.parametrize(
        ("where", "step", "stored"),
        [(atomic_file, "_write_all", 0), (os, "fsync", 0), (received_reads, "rename", 3)],
    )
    def test_a_crash_in_the_middle_of_several_leaves_all_of_them_or_none(
        self, store, tmp_path, monkeypatch, where, step, stored
    ):
        sealer, real, calls = FakeSealer(DEVICE), getattr(where, step), []

        def killed_at_the_third(*arguments, **options):
            calls.append(arguments)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        reads = [sealed(number, sealer) for number in (1, 2, 3)]
        with monkeypatch.context() as patched:
            patched.setattr(where, step, killed_at_the_third)
            with pytest.raises(KeyboardInterrupt):
                store.add_all(by_digest(reads), CAPTURED)
        store.close()
        again = ReceivedReads(tmp_path / "store")
        again.recover()
        found = [again.find(DEVICE, read.tags.read_id) for read in reads]
        assert len([row for row in found if row is not None]) == stored
        assert not list((tmp_path / "store" / "incoming").iterdir())
        again.close()

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


class TestEpochKeys:
    @pytest.fixture
    def keys(self, tmp_path):
        made = EpochKeyStore(tmp_path / "epochs")
        made.extend(CAPTURED.date(), 5)
        return made

    def test_one_private_key_a_day(self, keys, tmp_path):
        assert keys.epochs() == [CAPTURED.date() + n * DAY for n in range(5)]
        assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "epochs").iterdir()} == {
            0o600
        }
        assert len({keys.key(day).private_bytes_raw() for day in keys.epochs()}) == 5

    def test_extending_never_changes_a_key_and_never_fills_a_hole(self, keys, tmp_path):
        before = {day: keys.key(day).private_bytes_raw() for day in keys.epochs()}
        hole = CAPTURED.date() + DAY
        (tmp_path / "epochs" / f"{hole}.key").unlink()
        assert keys.extend(CAPTURED.date() + DAY, 5) == [CAPTURED.date() + 5 * DAY]
        assert keys.key(hole) is None
        assert all(
            keys.key(day).private_bytes_raw() == raw for day, raw in before.items() if day != hole
        )

    def test_destroyed_at_the_deadline_not_before(self, keys):
        first = CAPTURED.date()
        assert keys.destroy_due(deadline_of(first) - timedelta(milliseconds=1)) == []
        assert keys.destroy_due(deadline_of(first)) == [first]
        assert keys.key(first) is None
        assert first not in keys.public_keys(RECIPIENT, deadline_of(first)).keys

    def test_a_key_that_is_due_but_still_there_is_not_listed(self, keys):
        assert CAPTURED.date() not in keys.public_keys(RECIPIENT, deadline_of(CAPTURED.date())).keys

    def test_half_written_keys_are_destroyed_too(self, keys, tmp_path):
        part = tmp_path / "epochs" / ".2027-01-15.key.abcd.part"
        part.write_bytes(b"secret")
        os.link(part, tmp_path / "copy")
        keys.destroy_due(CAPTURED)
        assert not part.exists()
        assert (tmp_path / "copy").read_bytes() == bytes(6)

    def test_damage_is_one_clear_error(self, keys, tmp_path):
        path = tmp_path / "epochs" / f"{CAPTURED.date()}.key"
        for text in ("", "{}", '{"kty":"OKP"}', path.read_text().replace('"d":"', '"d":"AA')):
            path.write_text(text)
            with pytest.raises(StorageError, match=r"2027-01-15\.key"):
                keys.key(CAPTURED.date())
        path.chmod(0o644)
        with pytest.raises(StorageError, match="chmod 600"):
            keys.key(CAPTURED.date())

    def test_a_stray_name_is_one_clear_error(self, keys, tmp_path):
        (tmp_path / "epochs" / "tomorrow.key").touch()
        with pytest.raises(StorageError, match="no day"):
            keys.epochs()

    def test_destroying_a_file_that_is_gone_is_done(self, tmp_path):
        destroy(tmp_path / "gone")

    def test_destroy_does_not_follow_links(self, tmp_path):
        (tmp_path / "precious").write_bytes(b"keep")
        (tmp_path / "link").symlink_to(tmp_path / "precious")
        with pytest.raises(StorageError):
            destroy(tmp_path / "link")
        assert (tmp_path / "precious").read_bytes() == b"keep"


class TestFolder:
    def test_made_once(self, tmp_path):
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        listed = verify_key_list(
            (tmp_path / "r" / "key-list.jws").read_bytes(), RECIPIENT, place.signer().public_key
        )
        assert len(listed.keys) == 60
        with pytest.raises(StorageError, match="never overwritten"):
            Workplace.create(tmp_path / "r", RECIPIENT, NOW)

    def test_an_untrusted_clock_makes_and_destroys_nothing(self, tmp_path):
        wrong = Instant(CAPTURED, ClockTrust.UNTRUSTED)
        with pytest.raises(PlatewardenError, match="clock"):
            Workplace.create(tmp_path / "r", RECIPIENT, wrong)
        assert not (tmp_path / "r").exists()
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        with pytest.raises(PlatewardenError, match="clock"):
            place.tidy(Instant(CAPTURED + 500 * DAY, ClockTrust.UNTRUSTED))
        assert len(place.keys.epochs()) == 60

    def test_a_jump_forward_destroys_nothing_and_skips_no_day(self, tmp_path):
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        jumped = Instant(CAPTURED + 500 * DAY, ClockTrust.OS, CAPTURED)
        (line,) = place.tidy(jumped)
        assert "kept the keys of 60 epoch(s)" in line
        place.renew_keys(jumped)
        assert len(place.keys.epochs()) == 60
        place.tidy(later(1))
        assert len(place.keys.epochs()) == 60  # one destroyed, one made

    def test_tidying_moves_the_window(self, tmp_path):
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        assert place.tidy(NOW) == []
        destroyed, renewed = place.tidy(later(2))
        assert "2 epoch(s) up to 2027-01-16" in destroyed
        assert "2027-03-17" in renewed
        listed = verify_key_list(
            (tmp_path / "r" / "key-list.jws").read_bytes(), RECIPIENT, place.signer().public_key
        )
        assert (min(listed.keys), len(listed.keys)) == (CAPTURED.date() + 2 * DAY, 60)

    def test_settings_there_and_back(self, tmp_path):
        broker = BrokerSettings(
            host="mqtt.example.org",
            address="203.0.113.10",
            ca="ca.pem",
            client_certificate="a.crt",
            client_key="a.key",
        )
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW, broker)
        assert place.settings.broker == broker
        assert load(tmp_path / "r") == place.settings
        assert template(place.settings) == (tmp_path / "r" / "receiver.toml").read_text()

    def test_a_receiver_without_a_broker_says_what_to_fill_in(self, tmp_path):
        with pytest.raises(ConfigError, match=r"\[broker\]"):
            Workplace.create(tmp_path / "r", RECIPIENT, NOW).broker()

    @pytest.mark.parametrize(
        ("line", "field"),
        [
            ('policy = "x"', "policy"),
            ('[broker]\nhost = "a"\naddress = "mqtt.example.org"\nca = "x"', "broker.address"),
            ('[broker]\nhost = "*.example.org"\naddress = "203.0.113.1"\nca = "x"', "broker.host"),
            ('[broker]\nhost = "a"\naddress = "203.0.113.1"\nca = "x"\nport = 0', "broker.port"),
            (
                '[broker]\nhost = "a"\naddress = "203.0.113.1"\nca = "x"\nclient_key = "k"',
                "client_certificate",
            ),
            ("epochs_ahead_days = 1000", "epochs_ahead_days"),
            ("recipient", "not TOML here"),
            ("# a comment\n" * 6_000 + "nonsense", "more than 65536 bytes"),  # not cut, unsaid
        ],
    )
    def test_a_wrong_setting_names_its_field(self, tmp_path, line, field):
        (tmp_path / "receiver.toml").write_text(f'recipient = "{RECIPIENT}"\n{line}\n')
        with pytest.raises(ConfigError, match=r"receiver\.toml") as refused:
            load(tmp_path)
        assert field in str(refused.value)

    def test_one_at_a_time(self, tmp_path):
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        with (
            place.locked(),
            pytest.raises(PlatewardenError, match="another receiver"),
            place.locked(),
        ):
            pass
        with place.locked():  # released
            pass


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
