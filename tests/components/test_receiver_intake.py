"""The receiver's intake: what becomes of one message, and what the camera is told of it."""

import errno
import hashlib
import os
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest

from agent.core.time.instant import Instant
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import EnvelopeRefusedError, StorageError, StoreAwayError
from agent.receiver import receiver_status
from agent.receiver.epoch_keys import destroy
from agent.receiver.intake import Intake, Taken
from agent.verifying.envelope_check import EnvelopeVerifier
from agent.verifying.receipt_check import ReceiptVerifier
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, DEVICE, RECIPIENT
from tests.unit.test_sealed_read import TAGS

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW = Instant(CAPTURED)
DAY = timedelta(days=1)


def later(days):
    return Instant(CAPTURED + days * DAY)


class TestIntake:
    @pytest.fixture
    def enrolled(self, tmp_path):
        return Enrolled(tmp_path / "recipient", now=NOW)

    @pytest.fixture
    def intake(self, enrolled):
        store = enrolled.place.store()
        yield Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
        store.close()

    def receipt(self, enrolled, taken):
        return ReceiptVerifier({RECIPIENT: enrolled.signing_key}).verify(taken.receipt)

    def test_stored_once_receipted_each_time(self, enrolled, intake):
        read = enrolled.seal()
        first, second = intake.take(read.wire, NOW), intake.take(read.wire, later(1))
        assert (first.outcome, first.new, second.outcome, second.new) == (
            "stored",
            True,
            "stored",
            False,
        )
        assert self.receipt(enrolled, second).wire_sha256 == hashlib.sha256(read.wire).hexdigest()
        # its camera missed the receipt for weeks: it was stored in time, and that is the answer
        assert intake.take(read.wire, later(60)).outcome == "stored"

    def test_the_same_id_with_other_bytes_is_rejected_and_the_first_kept(self, enrolled, intake):
        first = enrolled.seal()
        sealer_again = enrolled.seal()
        with mock.patch("secrets.token_hex", return_value=first.tags.read_id):
            other = enrolled.seal()
        assert other.tags.read_id == first.tags.read_id != sealer_again.tags.read_id
        intake.take(first.wire, NOW)
        assert (
            self.receipt(enrolled, intake.take(other.wire, NOW)).outcome
            == "rejected:read-id-reused"
        )
        store = enrolled.place.store()
        assert store.wire(store.reads(first.tags.read_id)[0]) == first.wire
        store.close()

    def test_for_somebody_else(self, enrolled):
        store = enrolled.place.store()
        other = Intake("other-pd", enrolled.place.opener(), store, enrolled.place.signer())
        assert other.take(enrolled.seal().wire, NOW).outcome == "rejected:not-for-this-recipient"
        assert not store.reads()
        store.close()

    def test_a_rejection_is_remembered_and_its_number_did_arrive(self, enrolled, intake):
        read = enrolled.seal()
        later_read = enrolled.seal()
        assert not intake.take(read.wire, Instant(read.tags.deadline)).new
        intake.take(later_read.wire, NOW)
        store = enrolled.place.store()
        assert store.rejections() == {"deadline-passed": 1}
        assert [(one.highest, one.missing) for one in store.sequences()] == [(2, ())]
        store.close()

    def test_after_the_deadline(self, enrolled, intake):
        read = enrolled.seal()
        assert (
            intake.take(read.wire, Instant(read.tags.deadline)).outcome
            == "rejected:deadline-passed"
        )
        assert (
            intake.take(read.wire, Instant(read.tags.deadline - timedelta(milliseconds=1))).outcome
            == "stored"
        )

    def test_after_the_deadline_by_a_clock_that_jumped(self, enrolled, intake):
        read = enrolled.seal()
        assert (
            intake.take(read.wire, Instant(read.tags.deadline, at_least=CAPTURED)).outcome
            == "stored"
        )

    def test_its_key_is_gone(self, enrolled, intake):
        read = enrolled.seal()
        destroy(enrolled.folder / "epochs" / f"{read.tags.epoch}.key")
        assert intake.take(read.wire, NOW).outcome == "rejected:key-destroyed"

    def test_sealed_to_a_key_that_is_not_ours(self, enrolled, intake, tmp_path):
        stranger = Enrolled(tmp_path / "stranger", now=NOW)
        read = enrolled.seal(key_list=stranger.key_list())
        assert intake.take(read.wire, NOW).outcome == "rejected:decryption-failed"

    def test_a_camera_that_is_not_enrolled_is_told_nothing(self, enrolled, intake):
        taken = intake.take(enrolled.seal(device="cam-unknown").wire, NOW)
        assert taken == Taken("dropped:device-not-enrolled", None, None, new=False)

    def test_a_fault_of_this_machine_gives_no_receipt(self, enrolled, intake):
        read = enrolled.seal()
        (enrolled.folder / "epochs" / f"{read.tags.epoch}.key").write_text("damaged")
        with pytest.raises(StorageError):
            intake.take(read.wire, NOW)
        store = enrolled.place.store()
        assert (store.reads(), store.rejections()) == ([], {})
        store.close()

    def test_a_full_disk_gives_no_receipt(self, enrolled, intake, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        read = enrolled.seal()
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(StorageError, match="free space"):
                intake.take(read.wire, NOW)
        assert not list((enrolled.folder / "store").glob("*.sealed"))
        assert intake.take(read.wire, NOW).outcome == "stored"

    def test_what_came_together_is_answered_in_order_whatever_is_among_it(self, enrolled, intake):
        first, other, third = (enrolled.seal() for _ in range(3))
        with mock.patch("secrets.token_hex", return_value=first.tags.read_id):
            same_id = enrolled.seal()
        wires = [first.wire, b"junk", first.wire, same_id.wire, other.wire]
        found = intake.take_all(wires, NOW)
        assert [(taken.outcome, taken.new) for taken in found] == [
            ("stored", True),
            ("dropped:malformed", False),
            ("stored", False),
            ("rejected:read-id-reused", False),
            ("stored", True),
        ]
        assert [taken.outcome for taken in intake.take_all([third.wire, first.wire], NOW)] == [
            "stored",
            "stored",
        ]

    def test_no_receipt_is_signed_before_all_of_them_are_durable(
        self, enrolled, intake, monkeypatch
    ):
        wires, done = [enrolled.seal().wire for _ in range(3)], []
        store, signer = intake._store, intake._signer
        add_all, sign = store.add_all, signer.receipt

        def stored(reads, at):
            kept = add_all(reads, at)
            done.append(f"stored {len(reads)}")
            return kept

        monkeypatch.setattr(store, "add_all", stored)
        monkeypatch.setattr(
            signer, "receipt", lambda content: done.append("signed") or sign(content)
        )
        intake.take_all(wires, NOW)
        assert done == ["stored 3", "signed", "signed", "signed"]

    @pytest.fixture
    def beaten(self, enrolled, intake, monkeypatch):
        """Another receiver over the same store takes these just before each of ours is stored."""
        store, first = intake._store, []
        add_all = store.add_all

        def stored(reads, at):
            add_all({hashlib.sha256(read.wire).hexdigest(): read for read in first}, at)
            return add_all(reads, at)

        monkeypatch.setattr(store, "add_all", stored)
        return first

    def test_what_another_receiver_stored_meanwhile_is_receipted_and_not_told(
        self, enrolled, intake, beaten
    ):
        read, alone = enrolled.seal(), enrolled.seal()
        beaten.append(read)
        found = intake.take_all([read.wire, alone.wire], NOW)
        assert [(taken.outcome, taken.new) for taken in found] == [
            ("stored", False),
            ("stored", True),
        ]
        assert self.receipt(enrolled, found[0]).stored

    def test_what_another_receiver_stored_under_the_same_name_stays(self, enrolled, intake, beaten):
        first = enrolled.seal()
        with mock.patch("secrets.token_hex", return_value=first.tags.read_id):
            other = enrolled.seal()
        beaten.append(first)
        (taken,) = intake.take_all([other.wire], NOW)
        assert (taken.outcome, taken.new) == ("rejected:read-id-reused", False)
        answer = self.receipt(enrolled, taken)
        assert (answer.outcome, answer.wire_sha256) == (
            "rejected:read-id-reused",
            hashlib.sha256(other.wire).hexdigest(),
        )
        assert intake._store.rejections() == {"read-id-reused": 1}

    def test_nobody_asks_the_store_where_nothing_is_believed(self, intake, monkeypatch):
        monkeypatch.setattr(intake._store, "known", None)
        monkeypatch.setattr(intake._store, "add_all", None)
        assert [one.outcome for one in intake.take_all([b"x"], NOW)] == ["dropped:malformed"]

    def test_what_nobody_was_told_of_is_told_after_a_start(self, enrolled, intake):
        reads = [enrolled.seal() for _ in range(3)]
        taken = intake.take_all([read.wire for read in reads], NOW)
        again = intake.take_all([reads[1].wire, b"x"], NOW)
        intake.told(taken[:1])
        left = intake.left_untold()
        assert [(one.outcome, one.tags, one.receipt, one.new) for one in left] == [
            ("stored", read.tags, None, True) for read in reads[1:]
        ]
        intake.told(again)  # nothing new among them
        assert len(intake.left_untold()) == 2
        intake.told(left)
        assert intake.left_untold() == []
        with mock.patch.object(intake._store, "told", None):
            intake.told(again)  # nobody asks the store

    def test_one_with_copied_keys_leaves_what_they_do_not_open_to_the_other(self, enrolled):
        """It cannot tell a key that was destroyed from one that it was not given yet."""
        store = enrolled.place.store()
        intake = Intake(
            RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer(), all_keys=False
        )
        read, late = enrolled.seal(), enrolled.seal()
        assert intake.take(late.wire, later(60)).outcome == "rejected:deadline-passed"
        destroy(enrolled.folder / "epochs" / f"{read.tags.epoch}.key")
        taken = intake.take(read.wire, NOW)
        assert (taken.outcome, taken.receipt, taken.new) == ("dropped:no-epoch-key", None, False)
        assert taken.tags == read.tags
        assert store.rejections() == {"deadline-passed": 1}
        intake.write_dropped()
        assert store.dropped() == {"no-epoch-key": 1}
        store.close()

    def test_an_untold_read_that_can_be_read_no_more_is_not_told_for_ever(self, enrolled, intake):
        read = enrolled.seal()
        intake.take_all([read.wire], NOW)
        [row] = intake._store.untold()
        intake._store._path(row.device, row.read_id).write_bytes(b"x")
        assert intake.left_untold() == []
        assert list(intake._store.untold()) == []

    def test_a_store_that_is_away_keeps_what_is_untold(self, enrolled, intake, monkeypatch):
        intake.take_all([enrolled.seal().wire], NOW)
        away = StoreAwayError("away", where="store", fix="wait")
        monkeypatch.setattr(intake._store, "wire", mock.Mock(side_effect=away))
        with pytest.raises(StoreAwayError):
            intake.left_untold()
        assert len(intake._store.untold()) == 1
        monkeypatch.setattr(intake._store, "recover", mock.Mock(side_effect=away))
        with pytest.raises(StoreAwayError):
            intake.reach_store()

    def test_an_epoch_key_is_read_once_for_what_came_together_and_not_held_afterwards(
        self, enrolled, intake, monkeypatch
    ):
        reads, asked = [enrolled.seal() for _ in range(4)], []
        keys = enrolled.place.keys
        read_key = keys.key
        monkeypatch.setattr(keys, "key", lambda epoch: asked.append(epoch) or read_key(epoch))
        opener = enrolled.place.opener()
        intake = Intake(RECIPIENT, opener, intake._store, intake._signer)
        found = intake.take_all([read.wire for read in reads[:3]], NOW)
        assert [taken.outcome for taken in found] == ["stored"] * 3
        assert asked == [reads[0].tags.epoch]
        destroy(enrolled.folder / "epochs" / f"{reads[0].tags.epoch}.key")
        with pytest.raises(EnvelopeRefusedError, match="there is no key"):
            opener.open(reads[3].wire)

    def test_a_signature_is_checked_once(self, enrolled, intake, monkeypatch):
        checked = []
        verify = EnvelopeVerifier.verify_any_version
        monkeypatch.setattr(
            EnvelopeVerifier,
            "verify_any_version",
            lambda self, wire: checked.append(wire) or verify(self, wire),
        )
        assert intake.take(enrolled.seal().wire, NOW).outcome == "stored"
        assert len(checked) == 1

    def test_a_number_that_another_read_had_is_stored_and_told(self, enrolled, intake):
        for count in (3, 2):  # the log was put back: the camera counts from 1 again
            enrolled._sequence = 0
            for _ in range(count):
                assert intake.take(enrolled.seal().wire, NOW).outcome == "stored"
        table = receiver_status.status(enrolled.place, NOW)
        assert table["reads"] == 5
        assert table["devices"] == [
            {"device": DEVICE, "highest": 3, "missing": [], "twice": [[1, 2]]}
        ]
        assert "number 1-2 twice: different reads came under it" in receiver_status.as_text(table)

    def test_status_counts_it_all(self, enrolled, intake):
        reads = [enrolled.seal() for _ in range(3)]
        for read in (reads[0], reads[2]):
            intake.take(read.wire, NOW)
        intake.take(b"random", NOW)
        intake.take(b"random", NOW)
        assert receiver_status.status(enrolled.place, NOW)["dropped"] == {}, "in memory until then"
        intake.write_dropped()
        intake.write_dropped()
        table = receiver_status.status(enrolled.place, NOW)
        assert table["devices"] == [
            {"device": DEVICE, "highest": 3, "missing": [[2, 2]], "twice": []}
        ]
        assert (table["reads"], table["dropped"], table["rejected"]) == (2, {"malformed": 2}, {})
        text = receiver_status.as_text(table)
        assert "missing 2" in text
        assert "malformed: 2" in text
        assert "OVERDUE" in receiver_status.as_text(
            receiver_status.status(enrolled.place, later(3))
        )


class Counted:
    """A store that only counts what is dropped. `fails`: on the next write."""

    def __init__(self):
        self.writes, self.fails = [], False

    def count_dropped(self, reason, messages):
        if self.fails:
            raise StorageError("the disk is full", where="index")
        self.writes.append((reason, messages))

    def add_all(self, _reads, _now):
        pass


class Junk:
    """An opener that believes nothing. `reasons`: of its refusals, in turn."""

    def __init__(self, *reasons):
        self.reasons = list(reasons)

    def keys_at_hand(self):
        return nullcontext()

    def verify_any_version(self, _wire):
        raise EnvelopeRefusedError(self.reasons.pop(0), "odd")


def test_junk_is_written_at_once_and_then_once_a_minute():
    store = Counted()
    intake = Intake(RECIPIENT, Junk(*["malformed"] * 9), store, None)
    intake.settle(99.0)  # with nothing to write yet
    for now_s, written in (
        (100.0, [("malformed", 1)]),
        (159.9, []),
        (160.0, [("malformed", 2)]),
        (161.0, []),
        (300.0, [("malformed", 2)]),
        (500.0, [("malformed", 1)]),
    ):
        assert intake.take(b"junk", NOW) == Taken("dropped:malformed")
        store.writes.clear()
        intake.settle(now_s)
        assert store.writes == written
    store.writes.clear()
    intake.settle(900.0)
    assert store.writes == []


def test_what_could_not_be_written_is_written_later_and_nothing_twice():
    store = Counted()
    intake = Intake(RECIPIENT, Junk("malformed", "signature-invalid"), store, None)
    intake.take_all([b"junk", b"other junk"], NOW)
    store.fails = True
    with pytest.raises(StorageError):
        intake.settle(1.0)
    store.fails = False
    intake.settle(1.5)
    intake.write_dropped()
    assert store.writes == [("malformed", 1), ("signature-invalid", 1)]


@pytest.mark.parametrize(
    ("tags", "is_test"),
    [
        (replace(TAGS, category="test"), True),
        (TAGS, False),
        (EnvelopeMinimum(9, "ab" * 16, DEVICE, RECIPIENT), False),
        (None, False),
    ],
)
def test_a_rehearsal_s_read_is_known_by_its_category(tags, is_test):
    assert Taken("stored", tags).is_test is is_test
