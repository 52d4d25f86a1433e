"""P6, lawful holds: what a signed hold names is kept for its holder, under keys that end with it;
everything else dies on time; and whatever is done stands in the receiver's log.

Broken by hand once: without `settle` before the keys are destroyed, nothing is held; with a hold's
key left at its end, a copy of the store still opens; with the leaf after the opening, a log that
cannot be written shows a plate.
"""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from agent.audit.log_verify import verify
from agent.audit.trusted_keys import keys_of
from agent.core.time.instant import Instant
from agent.errors import EnvelopeRefusedError, RefusedError, StorageError, UsageError
from agent.receiver.holds import hold_log
from agent.receiver.holds.hold_desk import Asked
from agent.receiver.opener import Opener
from agent.receiver.workplace import Workplace
from tests.support.holding import DAY, HOUR, Court, take
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, DEVICE, PLATE

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW = Instant(CAPTURED)
APPLIED = Instant(CAPTURED + 2 * HOUR)
DAYS = 3


@pytest.fixture
def enrolled(tmp_path):
    return Enrolled(tmp_path / "recipient", now=NOW)


@pytest.fixture
def court(tmp_path, enrolled):
    made = Court(tmp_path)
    made.grant(enrolled)
    return made


def receive(enrolled, read, now=NOW):
    take(enrolled.place, read, now)
    return read


@pytest.fixture
def read(enrolled):
    """In the hold's window."""
    return receive(enrolled, enrolled.seal(retention_days=DAYS))


@pytest.fixture
def other(enrolled):
    """Of the same camera, two hours later."""
    later = Instant(CAPTURED + 2 * HOUR)
    return receive(enrolled, enrolled.seal(retention_days=DAYS, captured=later), later)


def apply(enrolled, record, now=APPLIED):
    with closing(enrolled.place.store()) as store:
        return enrolled.place.holds.apply(store, record, now)


def opened(enrolled, court, hold, now, read_id=None, place=None, key=None):
    place = place or enrolled.place
    with closing(place.store()) as store:
        asked = Asked(hold, read_id, key or court.holder_key, "C. Custodian")
        return list(place.holds.opened(store, asked, now))


def leaves(enrolled):
    path = enrolled.folder / "hold-log" / "log.sqlite"
    with closing(sqlite3.connect(path)) as log:
        found = [json.loads(one) for (one,) in log.execute("SELECT details FROM leaf ORDER BY n")]
    assert {one["kind"] for one in found} == {"hold"}
    own = {"n", "at", "clock", "kind"}
    return [{name: told for name, told in one.items() if name not in own} for one in found]


def acts(enrolled):
    return [one["act"] for one in leaves(enrolled)]


def test_what_is_held_opens_for_its_holder_after_its_key_died_and_nothing_else_does(
    enrolled, court, read, other
):
    kept = apply(enrolled, court.record()).kept
    enrolled.place.tidy(Instant(other.tags.deadline))
    for sealed in (read, other):
        with pytest.raises(EnvelopeRefusedError) as refused:
            enrolled.place.opener().open(sealed.wire)
        assert refused.value.reason == "key-destroyed"
    assert not list((enrolled.folder / "store").glob("*.sealed"))
    (shown,) = opened(enrolled, court, kept.id, Instant(read.tags.deadline + DAY))
    assert (shown.tags, shown.plate.text.value) == (read.tags, PLATE)


def test_a_read_that_comes_after_the_hold_is_held_before_its_key_dies(enrolled, court, read):
    kept = apply(enrolled, court.record()).kept
    late = receive(enrolled, enrolled.seal(retention_days=DAYS), Instant(CAPTURED + DAY))
    enrolled.place.tidy(Instant(late.tags.deadline))
    shown = opened(enrolled, court, kept.id, Instant(late.tags.deadline + DAY))
    assert {one.tags.read_id for one in shown} == {read.tags.read_id, late.tags.read_id}


def test_applying_opens_no_read_that_the_hold_does_not_cover(
    enrolled, court, read, other, monkeypatch
):
    opened_reads, honest = set(), Opener._with_key

    def with_key(opener, tags, wire, use):
        opened_reads.add(tags.read_id)
        return honest(opener, tags, wire, use)

    monkeypatch.setattr(Opener, "_with_key", with_key)
    apply(enrolled, court.record())
    assert opened_reads == {read.tags.read_id}


def test_a_hold_of_one_read_keeps_that_one(enrolled, court, read):
    receive(enrolled, enrolled.seal(retention_days=DAYS))
    kept = apply(enrolled, court.record(read_id=read.tags.read_id)).kept
    enrolled.place.tidy(Instant(read.tags.deadline))
    (shown,) = opened(enrolled, court, kept.id, Instant(read.tags.deadline))
    assert shown.tags.read_id == read.tags.read_id


def test_at_its_end_a_copy_of_everything_opens_no_more(enrolled, court, read, tmp_path):
    """The end is a key's, as every deadline is: a backup without `epochs/` holds nothing."""
    kept = apply(enrolled, court.record()).kept
    key = enrolled.folder / "epochs" / "holds" / f"{kept.id}.age"
    other_name, size = tmp_path / "another-name-for-the-same-blocks", key.stat().st_size
    other_name.hardlink_to(key)
    shutil.copytree(enrolled.folder, tmp_path / "backup", ignore=shutil.ignore_patterns("epochs"))
    (tmp_path / "backup" / "epochs").mkdir(mode=0o700)
    with pytest.raises(UsageError, match="no key of this hold"):
        opened(enrolled, court, kept.id, APPLIED, place=Workplace(tmp_path / "backup"))
    end = Instant(kept.expires_at)
    enrolled.place.tidy(end)
    assert not key.exists()
    assert other_name.read_bytes() == bytes(size)
    with closing(enrolled.place.store()) as store:
        assert not store.holds.reads(kept.id)
    with pytest.raises(EnvelopeRefusedError) as refused:
        opened(enrolled, court, kept.id, end)
    assert refused.value.reason == "hold-expired"
    assert acts(enrolled) == ["begin", "keep", "end"]


def test_neither_key_alone_opens_it(enrolled, court, read, tmp_path):
    kept = apply(enrolled, court.record()).kept
    stranger = Court(tmp_path / "recipient")
    with pytest.raises(UsageError, match="not the key of this hold's holder"):
        opened(enrolled, court, kept.id, APPLIED, key=stranger.holder_key)
    (enrolled.folder / "epochs" / "holds" / f"{kept.id}.age").unlink()
    with pytest.raises(UsageError, match="no key of this hold"):
        opened(enrolled, court, kept.id, APPLIED)
    assert acts(enrolled) == ["begin", "keep"]


def test_hold_openings_and_end_are_leaves_that_an_auditor_verifies(enrolled, court, read):
    kept = apply(enrolled, court.record()).kept
    opened(enrolled, court, kept.id, APPLIED)
    opened(enrolled, court, kept.id, APPLIED, read.tags.read_id)
    enrolled.place.tidy(Instant(kept.expires_at))
    enrolled.place.tidy(Instant(kept.expires_at + DAY))
    about = {"hold": kept.id, "camera": DEVICE, "read": read.tags.read_id}
    begin, keep, first, second, end = leaves(enrolled)
    assert begin["signers"] == ["A. Judge", "B. Clerk"]
    assert begin["reference"] == "27CR-0042"
    assert keep == {"act": "keep", **about, "sha256": keep["sha256"]}
    assert first == second == {"act": "open", **about, "by": "C. Custodian"}
    assert end == {"act": "end", "hold": kept.id, "reads": 1}
    folder = enrolled.folder / "hold-log"
    report = verify(folder, keys_of([folder / "public.json"], None))
    assert (report.origin, report.faults) == (f"platewarden/{enrolled.place.recipient}/hold", ())


def test_what_cannot_be_logged_is_not_shown(enrolled, court, read, monkeypatch):
    kept = apply(enrolled, court.record()).kept

    def full(*_):
        raise StorageError("the disk is full")

    monkeypatch.setattr(hold_log.HoldLog, "opened", full)
    with pytest.raises(StorageError):
        opened(enrolled, court, kept.id, APPLIED)


def test_no_file_and_no_leaf_holds_the_plate(enrolled, court, read):
    kept = apply(enrolled, court.record()).kept
    opened(enrolled, court, kept.id, APPLIED)
    for path in enrolled.folder.rglob("*"):
        assert not path.is_file() or PLATE.encode() not in path.read_bytes()


REFUSED = {
    "one signature": ({}, 1, "signature-invalid"),
    "another camera": ({"device": "cam-test-2"}, 2, "device-not-enrolled"),
    "another recipient": ({"recipient": "other-pd"}, 2, "not-for-this-recipient"),
    "another city": ({"city": "City of Elsewhere"}, 2, "hold-other-city"),
    "a window too wide": ({"since": CAPTURED - 2 * HOUR}, 2, "hold-too-wide"),
    "too long": ({"expires_at": CAPTURED + 91 * DAY + HOUR}, 2, "hold-too-wide"),
    "a window to come": ({"until": CAPTURED + HOUR, "issued_at": CAPTURED}, 2, "malformed"),
    "no end": ({"expires_at": CAPTURED}, 2, "malformed"),
    "expired": ({"expires_at": APPLIED.utc, "issued_at": CAPTURED + HOUR}, 2, "hold-expired"),
    "nothing there": (
        {"since": CAPTURED - HOUR, "until": CAPTURED},
        2,
        "hold-nothing-here",
    ),
    "the plate as reference": ({"reference": "27 TST-0042"}, 2, "malformed"),
    "a holder that is no key": ({"holder": "age1" + "q" * 58}, 2, "malformed"),
}


def everything(folder):
    """Every file with its bytes, but for what SQLite lays beside its own."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".sqlite-shm", ".sqlite-wal"}
    }


@pytest.mark.parametrize(("changes", "hands", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_must_not_be_held_is_one_refusal_and_nothing_is_written(
    enrolled, court, read, changes, hands, reason
):
    before = everything(enrolled.folder)
    with pytest.raises(RefusedError) as refused:
        apply(enrolled, court.record(hands, **changes))
    assert refused.value.reason == reason
    assert everything(enrolled.folder) == before
    with closing(enrolled.place.store()) as store:
        assert not store.holds.holds()


def test_the_citys_root_alone_signs_no_hold(enrolled, court, read):
    """The wrong role: whoever enrols cameras."""
    from agent.core.wire.holds.hold import format_hold
    from tests.support.holding import signed

    record = signed(format_hold(court.hold()), [enrolled.root_key, court.keys[0]])
    with pytest.raises(RefusedError) as refused:
        apply(enrolled, record)
    assert refused.value.reason == "signature-invalid"


def test_rules_that_another_root_signed_permit_nothing(enrolled, court, read, tmp_path):
    other = Enrolled(tmp_path / "other", now=NOW)
    court.grant(other)
    shutil.copy(other.folder / "hold-rules.jws", enrolled.folder / "hold-rules.jws")
    with pytest.raises(RefusedError) as refused:
        apply(enrolled, court.record())
    assert refused.value.reason == "signature-invalid"
    (enrolled.folder / "hold-rules.jws").unlink()
    with pytest.raises(StorageError, match="hold rules are missing"):
        apply(enrolled, court.record())


def test_a_hold_after_the_key_died_is_refused(enrolled, court, read):
    now = Instant(read.tags.deadline)
    enrolled.place.tidy(now)
    with pytest.raises(EnvelopeRefusedError) as refused:
        apply(enrolled, court.record(), now)
    assert refused.value.reason == "hold-nothing-here"


def test_a_hold_that_ended_is_not_begun_again(enrolled, court, read):
    record = court.record(expires_at=CAPTURED + DAY)
    kept = apply(enrolled, record).kept
    enrolled.place.tidy(Instant(kept.expires_at))
    with pytest.raises(EnvelopeRefusedError) as refused:
        apply(enrolled, record, Instant(kept.expires_at - 2 * HOUR))
    assert refused.value.reason == "hold-expired"
    assert enrolled.place.opener().open(read.wire)  # its own deadline stands


def test_a_row_that_nobody_signed_holds_nothing(enrolled, court, read):
    """Who has the database has no say."""
    kept = apply(enrolled, court.record(expires_at=CAPTURED + DAY)).kept
    late = receive(enrolled, enrolled.seal(retention_days=DAYS), Instant(CAPTURED + 3 * HOUR))
    with closing(sqlite3.connect(enrolled.folder / "store" / "index.sqlite")) as index:
        index.execute("UPDATE holds SET record = ?", (court.record(1),))
        index.commit()
    lines = enrolled.place.tidy(Instant(CAPTURED + 4 * HOUR))
    assert "keeps no further reads" in lines[0]
    with closing(enrolled.place.store()) as store:
        assert [one.read_id for one in store.holds.reads(kept.id)] != [late.tags.read_id]
        assert len(store.holds.reads(kept.id)) == 1
