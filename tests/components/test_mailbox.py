"""Mailbox folders: names, order, strangers, bounds; and what only the real outbox does: modes,
recovery after each crash point.
"""

import hashlib
import os
import stat

import pytest

from agent.errors import RefusedError, StorageError
from agent.storage import outbox as outbox_module
from agent.storage.mailbox import OutboxReader, ReceiptBox
from agent.storage.outbox import Outbox
from tests.support.audit_logs import TRUSTED, open_log, rows, sealed_read, tamper
from tests.support.sealed import Parties, release, sighting


@pytest.fixture
def log(tmp_path):
    with open_log(tmp_path / "watch") as log:
        yield log


@pytest.fixture
def outbox(tmp_path, log):
    return Outbox(tmp_path / "outbox", log, max_reads=5, max_bytes=1_000)


def kinds(tmp_path):
    return [
        kind
        for (kind,) in rows(tmp_path / "watch", "SELECT details ->> '$.kind' FROM leaf ORDER BY n")
    ]


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / "outbox").iterdir())


def test_modes_let_the_other_process_read_and_nobody_else(tmp_path, outbox):
    outbox.put(sealed_read(1))
    [file] = (tmp_path / "outbox").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o750


def test_deliver_sees_oldest_first_and_only_finished_reads(tmp_path, outbox):
    for number in (3, 1, 2):
        outbox.put(sealed_read(number, {3: 1, 1: 2, 2: 3}[number]))
        os.utime(
            tmp_path / "outbox" / f"{number:032x}.sealed", ns=(0, {3: 10, 1: 20, 2: 30}[number])
        )
    (tmp_path / "outbox" / f".{9:032x}.sealed.part").write_bytes(b"half")
    reader = OutboxReader(tmp_path / "outbox", 1_000)
    assert [int(read_id, 16) for read_id in reader.pending()] == [3, 1, 2]
    assert reader.strangers() == ()
    assert reader.untrusted_wire(f"{1:032x}") == sealed_read(1).wire


def test_an_outbox_that_is_not_there_yet_is_empty(tmp_path):
    assert OutboxReader(tmp_path / "outbox", 10).pending() == ()
    assert ReceiptBox(tmp_path / "receipts", 10).pending() == ()


def test_strangers_are_named_and_never_pending(tmp_path, outbox):
    outbox.put(sealed_read(1))
    folder = tmp_path / "outbox"
    planted = [
        f"{7:032x}.sealed",
        "x.sealed",
        f"{8:032x}.sealed.bak",
        f"{0xABCDEF:032X}.sealed",
        "README",
        "\x1b[2Jred.sealed",
    ]
    for name in planted:
        (folder / name).write_bytes(b"x")
    (folder / f"{9:032x}.sealed").symlink_to("/etc/passwd")
    assert outbox.pending() == [f"{1:032x}"]
    reader = OutboxReader(folder, 1_000)
    # one is well named: what is in it decides, and deliver refuses it
    assert sorted(reader.pending()) == [f"{1:032x}", f"{7:032x}"]
    assert len(reader.strangers()) == 6
    assert all(name.isprintable() for name in reader.strangers())


def test_the_number_of_names_is_bounded(tmp_path, outbox, monkeypatch):
    monkeypatch.setattr("agent.storage.mailbox.MAX_NAMES", 3)
    for number in range(10):
        (tmp_path / "outbox" / f"{number:032x}.sealed").write_bytes(b"")
    assert len(OutboxReader(tmp_path / "outbox", 10).pending()) == 3


@pytest.mark.parametrize(
    "read_id",
    ["", "../../etc/passwd", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 31 + "\n", "٠" * 32],
)
def test_only_read_ids_become_file_names(tmp_path, outbox, read_id):
    for call in (
        OutboxReader(tmp_path, 10).untrusted_wire,
        ReceiptBox(tmp_path, 10).untrusted_receipt,
        lambda name: outbox.remove(name, "receipt", {}),
    ):
        with pytest.raises(StorageError, match="not a read id"):
            call(read_id)


def test_a_release_s_leaf_says_what_left_and_commits_to_the_bytes(tmp_path, outbox, log):
    outbox.put(sealed_read(1))
    [(details,)] = log.query("SELECT details FROM leaf")
    text = details.decode()
    for expected in (
        f"{1:032x}",
        "exampleville-pd",
        "stolen-and-amber",
        "2027-02-05T00:00:00.000Z",
        hashlib.sha256(sealed_read(1).wire).hexdigest(),
    ):
        assert expected in text


def crash(*_arguments, **_keywords):
    raise KeyboardInterrupt  # as sudden as a test can be; kill -9 is in tests/faults


def test_a_crash_before_the_leaf_leaves_nothing(tmp_path, outbox, log, monkeypatch):
    monkeypatch.setattr(type(log), "append", crash)
    with pytest.raises(KeyboardInterrupt):
        outbox.put(sealed_read(1))
    monkeypatch.undo()
    # As if the clean-up had not run either.
    (tmp_path / "outbox" / f".{1:032x}.sealed.part").write_bytes(b"half a re")
    assert outbox.recover() == []
    assert (names(tmp_path), kinds(tmp_path), outbox.next_sequence("exampleville-pd")) == (
        [],
        [],
        1,
    )
    outbox.put(sealed_read(1))
    assert outbox.pending() == [f"{1:032x}"]


def test_a_crash_after_the_leaf_is_finished_at_the_start(tmp_path, outbox, monkeypatch):
    monkeypatch.setattr(outbox_module, "publish", crash)
    with pytest.raises(KeyboardInterrupt):
        outbox.put(sealed_read(1))
    monkeypatch.undo()
    assert (outbox.pending(), names(tmp_path)) == ([], [f".{1:032x}.sealed.part"])
    assert outbox.recover() == []
    assert (outbox.pending(), names(tmp_path)) == ([f"{1:032x}"], [f"{1:032x}.sealed"])
    file = tmp_path / "outbox" / f"{1:032x}.sealed"
    assert file.read_bytes() == sealed_read(1).wire
    assert kinds(tmp_path) == ["release"]


def test_a_crash_between_the_removal_s_leaf_and_the_file_is_finished(tmp_path, outbox, monkeypatch):
    outbox.put(sealed_read(1))
    monkeypatch.setattr(outbox_module, "remove", crash)
    with pytest.raises(KeyboardInterrupt):
        outbox.remove(f"{1:032x}", "receipt", {})
    monkeypatch.undo()
    assert outbox.pending() == []
    assert outbox.recover() == []
    assert (names(tmp_path), kinds(tmp_path)) == ([], ["release", "receipt"])


@pytest.mark.parametrize("damage", ["gone", "changed", "link"])
def test_a_read_that_is_lost_is_reported_and_logged_once(tmp_path, outbox, damage):
    outbox.put(sealed_read(1))
    file = tmp_path / "outbox" / f"{1:032x}.sealed"
    file.unlink()
    if damage == "changed":
        file.write_bytes(b"other")
    if damage == "link":
        file.symlink_to("/etc/passwd")
    assert outbox.recover() == [f"{1:032x}"]
    assert outbox.recover() == []
    assert (names(tmp_path), kinds(tmp_path)) == ([], ["release", "lost"])
    assert outbox.next_sequence("exampleville-pd") == 2  # the gap shows at the recipient


def test_a_part_that_does_not_fit_its_leaf_is_lost_not_published(tmp_path, outbox, monkeypatch):
    monkeypatch.setattr(outbox_module, "publish", crash)
    with pytest.raises(KeyboardInterrupt):
        outbox.put(sealed_read(1))
    monkeypatch.undo()
    (tmp_path / "outbox" / f".{1:032x}.sealed.part").write_bytes(b"other bytes")
    assert outbox.recover() == [f"{1:032x}"]
    assert names(tmp_path) == []


def test_a_failing_checkpoint_file_after_the_commit_loses_nothing(
    tmp_path, outbox, log, monkeypatch
):
    def fail(*_arguments):
        raise StorageError("no space left on device", where="checkpoint")

    monkeypatch.setattr(log, "_write_checkpoint_file", fail)
    with pytest.raises(StorageError, match="checkpoint"):
        outbox.put(sealed_read(1))
    monkeypatch.undo()
    assert outbox.recover() == []
    assert outbox.pending() == [f"{1:032x}"]


def test_the_ledger_forgets_what_is_gone(tmp_path, outbox):
    for number in (1, 2, 3):
        outbox.put(sealed_read(number))
        outbox.remove(f"{number:032x}", "receipt", {"outcome": "stored"})
    assert len(rows(tmp_path / "watch", "SELECT * FROM outbox_read")) == 1
    assert outbox.next_sequence("exampleville-pd") == 4


def test_overflow_burns_no_sequence_number_and_ends_when_there_is_room(tmp_path, outbox):
    for number in range(1, 6):
        outbox.put(sealed_read(number))
    with pytest.raises(RefusedError, match="outbox-full"):
        outbox.put(sealed_read(6))
    outbox.remove(f"{1:032x}", "receipt", {})
    outbox.put(sealed_read(6))
    assert kinds(tmp_path).count("overflow") == 1


def test_sequence_numbers_survive_a_restart(tmp_path):
    with open_log(tmp_path / "watch") as log:
        Outbox(tmp_path / "outbox", log, 5, 1_000).put(sealed_read(1))
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, 1_000)
        assert outbox.recover() == []
        assert outbox.next_sequence("exampleville-pd") == 2
        assert outbox.pending() == [f"{1:032x}"]


def test_what_waits_is_known_after_a_restart_with_its_tags(tmp_path):
    with open_log(tmp_path / "watch") as log:
        Outbox(tmp_path / "outbox", log, 5, 1_000).put(sealed_read(1))
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, 1_000)
        outbox.recover()
        assert outbox.waiting()[f"{1:032x}"].tags == sealed_read(1).tags


def older_ledger(tmp_path, sealed):
    """A ledger as a version without tags in it left it, and the read's file."""
    with open_log(tmp_path / "watch") as log:
        Outbox(tmp_path / "outbox", log, 5, 65_536).put(sealed)
    tamper(tmp_path / "watch", "ALTER TABLE outbox_read DROP COLUMN tags")


def test_reads_that_an_older_version_released_are_taken_over(tmp_path):
    sealed = Parties.make().sealer().seal(sighting(), release(), 1)
    older_ledger(tmp_path, sealed)
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, 65_536)
        assert outbox.recover() == []
        assert outbox.waiting()[sealed.tags.read_id].tags == sealed.tags
        outbox.remove(sealed.tags.read_id, "receipt", {})
    assert names(tmp_path) == []


def test_a_read_that_only_another_version_can_judge_stays_and_is_told(tmp_path):
    older_ledger(tmp_path, sealed_read(1))  # its bytes are no sealed read's
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 1, 1_000)
        assert (outbox.recover(), outbox.pending()) == ([], [])
        with pytest.raises(RefusedError, match="outbox-full"):  # it takes its place
            outbox.put(sealed_read(2))
    assert names(tmp_path) == [f"{1:032x}.sealed"]
    assert kinds(tmp_path) == ["release", "refusal", "overflow"]


def test_a_finished_removal_is_forgotten_once_not_with_every_leaf(tmp_path, outbox, log):
    deletions = []
    log._connection.set_trace_callback(
        lambda statement: (
            deletions.append(statement) if statement.startswith("DELETE FROM outbox_read") else None
        )
    )
    for first in (1, 6, 11):
        for number in range(first, first + 5):
            outbox.put(sealed_read(number))
        for number in range(first, first + 5):
            outbox.remove(f"{number:032x}", "receipt", {})
    assert len(deletions) == 14


def test_damaged_sequence_numbers_are_refused(tmp_path):
    with open_log(tmp_path / "watch") as log:
        Outbox(tmp_path / "outbox", log, 5, 1_000).put(sealed_read(1))
    tamper(
        tmp_path / "watch",
        "DROP TABLE outbox_sequence",
        "CREATE TABLE outbox_sequence (recipient, last)",
        "INSERT INTO outbox_sequence VALUES ('pd', 'x')",
    )
    with open_log(tmp_path / "watch") as log, pytest.raises(StorageError, match="damaged"):
        Outbox(tmp_path / "outbox", log, 5, 1_000).next_sequence("pd")


def test_what_a_crashed_deliver_left_is_cleared(tmp_path):
    box = ReceiptBox(tmp_path / "receipts", 100)
    box.put(f"{1:032x}", b"receipt")
    (tmp_path / "receipts" / f".{2:032x}.receipt.abcd.part").write_bytes(b"ha")
    assert box.pending() == (f"{1:032x}",)
    box.clear()
    assert [path.name for path in (tmp_path / "receipts").iterdir()] == [f"{1:032x}.receipt"]


def test_the_log_with_an_outbox_in_its_database_verifies(tmp_path, outbox):
    from agent.audit.log_verify import verify

    outbox.put(sealed_read(1))
    outbox.remove(f"{1:032x}", "receipt", {"outcome": "stored"})
    report = verify(tmp_path / "watch", TRUSTED)
    assert (report.faults, report.leaves) == ((), 2)
