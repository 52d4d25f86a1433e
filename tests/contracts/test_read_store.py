"""The contract of ReadStore, over the store of one machine and the one in PostgreSQL."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import StorageError
from agent.receiver.store import postgresql_reads, postgresql_rings, sqlite_rings
from agent.receiver.store.acts.lead_acts import Act, ActKind, LeadState, state_of
from agent.receiver.store.postgresql_reads import PostgresqlReads
from agent.receiver.store.read_store import Kept, StoredRead
from agent.receiver.store.received_reads import ReceivedReads
from agent.receiver.store.ring_queue import Claim
from tests.fakes.sealing import FakeSealer
from tests.support.sealed import CAPTURED, DEVICE, release, sighting

pytestmark = pytest.mark.usefixtures("quick_disk")

DAY, TICK = timedelta(days=1), timedelta(milliseconds=1)


@pytest.fixture(params=["one machine", "postgresql"])
def opened(request, tmp_path):
    """Opens the same store again and again."""
    if request.param == "one machine":
        made, new = [], lambda: ReceivedReads(tmp_path / "store")
    else:
        url = request.getfixturevalue("postgresql").url()
        made, new = [], lambda: PostgresqlReads(url)

    def another():
        made.append(new())
        return made[-1]

    another.apart = new  # whoever makes it closes it, in its own thread
    yield another
    for store in made:
        store.close()


@pytest.fixture
def store(opened):
    return opened()


@pytest.fixture
def sealer():
    return FakeSealer(DEVICE)


def sealed(sealer, sequence=1, days=21):
    return sealer.seal(sighting(), release(retention_days=days), sequence)


def digest(read):
    return hashlib.sha256(read.wire).hexdigest()


def name(read):
    return read.tags.device, read.tags.read_id


def row(read, at=CAPTURED):
    tags = read.tags
    return StoredRead(*name(read), tags.sequence, tags.deadline, digest(read), at)


def add(store, *reads, at=CAPTURED):
    return list(store.add_all({digest(read): read for read in reads}, at))


def reject(store, read, reason="malformed", sha="ab" * 32, at=CAPTURED):
    store.add_rejection(read.tags, sha, reason, at)


def test_an_empty_store(store):
    assert store.recover() == 0
    assert store.held() == (0, None)
    assert (store.rejections(), store.dropped(), list(store.sequences())) == ({}, {}, [])
    assert list(store.reads()) == list(store.reads("f" * 32)) == list(store.untold()) == []
    assert store.known([]) == store.known([(DEVICE, "f" * 32)]) == {}
    assert list(store.add_all({}, CAPTURED)) == []
    assert store.delete_due(CAPTURED) == 0


def test_what_was_added_is_there_after_reopening(store, opened, sealer):
    first, second = sealed(sealer, 1), sealed(sealer, 2)
    assert add(store, first, second) == [Kept(row(first), True), Kept(row(second), True)]
    store.close()
    again = opened()
    assert list(again.reads()) == [row(first), row(second)]
    assert list(again.reads(second.tags.read_id)) == [row(second)]
    assert [again.wire(one) for one in again.reads()] == [first.wire, second.wire]
    other = (DEVICE, "f" * 32)
    assert again.known([name(second), other]) == {name(second): digest(second)}


def test_a_receiver_that_is_alone_takes_everything(store):
    assert store.place() == store.place() == (0, 1)


def test_the_same_read_again_is_not_new_and_changes_nothing(store, sealer):
    read = sealed(sealer)
    add(store, read)
    assert add(store, read, at=CAPTURED + DAY) == [Kept(row(read), False)]
    assert list(store.reads()) == [row(read)]


def test_other_bytes_under_its_name_leave_the_first(store, sealer):
    read, more = sealed(sealer), sealed(sealer, 2)
    other = SealedRead(read.tags, read.wire + b" ")
    add(store, read)
    assert add(store, other, more) == [Kept(row(read), False), Kept(row(more), True)]
    assert store.wire(row(read)) == read.wire


def test_one_camera_cannot_shut_out_another_by_taking_its_read_id(store, sealer):
    read = sealed(sealer)
    other = SealedRead(replace(read.tags, device="cam-2"), b"the other's")
    assert [kept.new for kept in add(store, read, other)] == [True, True]
    assert len(store.reads(read.tags.read_id)) == 2
    assert store.wire(row(other)) == b"the other's"


def test_how_many_are_held_and_until_when(store, sealer):
    late, soon = sealed(sealer, 1, 21), sealed(sealer, 2, 7)
    add(store, late, soon)
    assert store.held() == (2, soon.tags.deadline)


def test_a_read_that_is_not_there_has_no_bytes(store, sealer):
    with pytest.raises(StorageError):
        store.wire(row(sealed(sealer)))


def test_deleted_on_the_day_and_only_the_number_stays(store, sealer):
    read, later = sealed(sealer, 1, 7), sealed(sealer, 2, 21)
    add(store, read, later)
    assert store.delete_due(read.tags.deadline - TICK) == 0
    assert store.delete_due(read.tags.deadline) == 1
    assert store.delete_due(read.tags.deadline) == 0
    assert list(store.reads()) == [row(later)]
    assert store.known([name(read)]) == {}
    [device] = store.sequences()
    assert (device.highest, device.missing, device.twice) == (2, (), ())
    with pytest.raises(StorageError):
        store.wire(row(read))


class TestTelling:
    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch):
        """Nobody waits for whoever stored a read."""
        monkeypatch.setattr(postgresql_reads, "TELL_AGAIN_S", 0)

    def test_what_nobody_told_is_told_by_the_next(self, store, opened, sealer):
        told, untold = sealed(sealer, 1), sealed(sealer, 2)
        add(store, told, untold)
        store.told([name(told)])
        store.close()
        again = opened()
        assert list(again.untold()) == [row(untold)]
        again.told([name(untold)])
        assert list(again.untold()) == []

    def test_what_came_again_is_not_told_again(self, store, sealer):
        read = sealed(sealer)
        add(store, read)
        store.told([name(read)])
        add(store, read)
        assert list(store.untold()) == []

    def test_what_is_gone_is_told_no_more(self, store, sealer):
        read = sealed(sealer)
        add(store, read)
        store.delete_due(read.tags.deadline)
        assert list(store.untold()) == []

    def test_nothing_told_is_nothing(self, store):
        store.told([])
        store.told([(DEVICE, "f" * 32)])


class TestNumbers:
    @pytest.mark.parametrize(
        ("numbers", "missing"),
        [((1, 2, 3), ()), ((5, 1, 3, 2, 4), ()), ((2, 3, 7, 9), ((1, 1), (4, 6), (8, 8)))],
    )
    def test_gaps(self, store, sealer, numbers, missing):
        for number in numbers:
            add(store, sealed(sealer, number))
        [device] = store.sequences()
        assert (device.device, device.highest) == (DEVICE, max(numbers))
        assert (device.missing, device.twice) == (missing, ())

    def test_gaps_of_reads_that_came_together(self, store, sealer):
        add(store, *(sealed(sealer, number) for number in (9, 2, 3, 7)))
        assert store.sequences()[0].missing == ((1, 1), (4, 6), (8, 8))

    def test_another_read_under_a_number_is_told_even_after_the_first_is_gone(self, store, sealer):
        first = sealed(sealer, 1)
        add(store, first)
        store.delete_due(first.tags.deadline)
        add(store, SealedRead(replace(first.tags, read_id="f" * 32), b"another"))
        assert store.sequences()[0].twice == ((1, 1),)

    def test_a_rejected_read_is_no_gap(self, store, sealer):
        reject(store, sealed(sealer, 1))
        assert store.sequences()[0].missing == ()
        assert store.rejections() == {"malformed": 1}

    def test_a_rejected_read_that_is_stored_at_last_is_no_second(self, store, sealer):
        read = sealed(sealer)
        reject(store, read, "key-destroyed", digest(read))
        add(store, read)
        assert store.sequences()[0].twice == ()

    def test_a_rejected_read_under_a_number_that_came_is_told(self, store, sealer):
        read = sealed(sealer)
        add(store, read)
        reject(store, read, "read-id-reused")
        assert store.sequences()[0].twice == ((1, 1),)

    def test_another_recipients_numbers_are_not_ours(self, store, sealer):
        reject(store, sealed(sealer, 7), "not-for-this-recipient")
        assert list(store.sequences()) == []

    def test_a_version_that_does_not_tell_its_number_is_a_rejection_and_a_gap(self, store):
        minimum = EnvelopeMinimum(9, "f" * 32, DEVICE, "exampleville-pd")
        store.add_rejection(minimum, "ab" * 32, "unsupported-version", CAPTURED)
        assert (store.rejections(), list(store.sequences())) == ({"unsupported-version": 1}, [])

    def test_numbers_of_another_camera_are_its_own(self, store):
        add(store, *(sealed(FakeSealer(device), 1) for device in ("cam-2", "cam-1")))
        assert [(one.device, one.twice) for one in store.sequences()] == [
            ("cam-1", ()),
            ("cam-2", ()),
        ]


def test_rejections_are_remembered_for_thirty_days(store, sealer):
    reject(store, sealed(sealer))
    reject(store, sealed(sealer))  # the same message again
    store.delete_due(CAPTURED + 30 * DAY)
    assert store.rejections() == {"malformed": 1}
    store.delete_due(CAPTURED + 30 * DAY + TICK)
    assert store.rejections() == {}


def test_what_was_dropped_is_counted(store):
    store.count_dropped("malformed")
    store.count_dropped("malformed")
    store.count_dropped("too-large", 5)
    assert store.dropped() == {"malformed": 2, "too-large": 5}


class TestRinging:
    """RingQueue: what waits to be rung."""

    def test_what_is_told_waits_once_for_each_ringer(self, store, sealer):
        one, two = sealed(sealer, 1), sealed(sealer, 2)
        add(store, one, two)
        assert store.rings.claim("desk", 60) is None, "nobody has told of them yet"
        store.told([name(one)], ["desk", "phone"])
        store.told([name(one)], ["desk", "phone"])
        assert store.rings.claim("desk", 60) == Claim((name(one),), 0)
        store.told([name(two)], ["phone"])
        assert set(store.rings.claim("phone", 60).names) == {name(one), name(two)}

    def test_what_was_rung_and_comes_back_as_told_is_not_rung_again(self, store, sealer):
        read = sealed(sealer)
        add(store, read)
        store.told([name(read)], ["desk"])
        store.rings.rung("desk", store.rings.claim("desk", 60))
        add(store, read)
        store.told([name(read)], ["desk"])
        assert store.rings.claim("desk", 60) is None

    def test_one_rings_at_a_time_and_another_after_its_death(self, store, opened, sealer):
        read = sealed(sealer)
        add(store, read)
        store.told([name(read)], ["desk"])
        claim = store.rings.claim("desk", 0.3)
        other = opened()
        assert other.rings.claim("desk", 60) is None
        time.sleep(0.4)
        assert other.rings.claim("desk", 60) == claim

    def test_of_many_claims_at_once_one_gets_it(self, opened, sealer):
        first, read = opened(), sealed(sealer)
        add(first, read)
        first.told([name(read)], ["desk"])

        def claimed(_):
            with closing(opened.apart()) as store:
                return store.rings.claim("desk", 60)

        with ThreadPoolExecutor(6) as pool:
            found = [one for one in pool.map(claimed, range(6)) if one is not None]
        assert found == [Claim((name(read),), 0)]

    def test_what_nobody_heard_waits_for_its_pause(self, store, sealer):
        read = sealed(sealer)
        add(store, read)
        store.told([name(read)], ["desk"])
        store.rings.claim("desk", 60)
        store.rings.failed("desk", "answered 503", 0.3)
        assert store.rings.claim("desk", 60) is None
        [state] = store.rings.states()
        assert (state.failures, state.words, state.waiting) == (1, "answered 503", 1)
        since = state.failing_since
        time.sleep(0.4)
        assert store.rings.claim("desk", 60) == Claim((name(read),), 1)
        store.rings.failed("desk", "is silent", 60)
        [state] = store.rings.states()
        assert (state.failures, state.words, state.failing_since) == (2, "is silent", since)

    def test_what_came_meanwhile_waits_on_and_a_ringer_that_is_heard_has_no_fault(
        self, store, sealer
    ):
        one, two = sealed(sealer, 1), sealed(sealer, 2)
        add(store, one, two)
        store.told([name(one)], ["desk"])
        store.rings.claim("desk", 60)
        store.rings.failed("desk", "answered 503", 0)
        claim = store.rings.claim("desk", 60)
        store.told([name(two)], ["desk"])
        store.rings.rung("desk", claim)
        [state] = store.rings.states()
        assert (state.waiting, state.failures, state.words) == (1, 0, "")
        assert (state.failing_since, state.rung_at is None) == (None, False)
        assert store.rings.claim("desk", 60) == Claim((name(two),), 0)

    def test_a_flood_is_told_in_parts(self, store, sealer, monkeypatch):
        for module in (sqlite_rings, postgresql_rings):
            monkeypatch.setattr(module, "MOST_AT_ONCE", 2)
        reads = [sealed(sealer, n) for n in range(1, 4)]
        add(store, *reads)
        store.told([name(read) for read in reads], ["desk"])
        claim = store.rings.claim("desk", 60)
        assert len(claim.names) == 2
        store.rings.rung("desk", claim)
        assert len(store.rings.claim("desk", 60).names) == 1

    def test_after_its_deadline_a_read_is_rung_for_nobody(self, store, sealer):
        read = sealed(sealer, 1, 7)
        add(store, read)
        store.told([name(read)], ["desk"])
        store.delete_due(read.tags.deadline)
        assert store.rings.claim("desk", 60) is None
        assert list(store.rings.states()) == []


class TestActs:
    """LeadActs: what people did with a lead."""

    def test_they_are_added_in_order_and_found_after_reopening(self, store, opened, sealer):
        one, two = sealed(sealer, 1), sealed(sealer, 2)
        add(store, one, two)
        acts = [
            Act(CAPTURED, "dora", ActKind.ACKNOWLEDGE),
            Act(CAPTURED + DAY, "dora", ActKind.ASSIGN, "eli"),
            Act(CAPTURED + DAY, "eli", ActKind.OUTCOME, "wrong-plate"),
        ]
        for act in acts:
            store.acts.add(name(one), act)
        store.close()
        again = opened()
        assert {key: list(of) for key, of in again.acts.of([name(one), name(two)]).items()} == {
            name(one): acts
        }
        assert again.acts.of([]) == again.acts.of([name(two)]) == {}
        assert state_of(acts) == LeadState("dora", "eli", "wrong-plate")
        assert state_of([*acts, replace(acts[1], value="fay")]).assigned_to == "fay"

    def test_a_read_that_is_not_there_gets_none(self, store):
        with pytest.raises(StorageError, match="the read is gone"):
            store.acts.add((DEVICE, "f" * 32), Act(CAPTURED, "dora", ActKind.ACKNOWLEDGE))

    def test_they_go_with_their_read_at_its_deadline(self, store, sealer):
        soon, later = sealed(sealer, 1, 7), sealed(sealer, 2, 21)
        add(store, soon, later)
        for read in (soon, later):
            store.acts.add(name(read), Act(CAPTURED, "dora", ActKind.ACKNOWLEDGE))
        store.delete_due(soon.tags.deadline)
        assert set(store.acts.of([name(soon), name(later)])) == {name(later)}
        add(store, soon)
        assert store.acts.of([name(soon)]) == {}
