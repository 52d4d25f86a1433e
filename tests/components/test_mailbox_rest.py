"""Mailboxes at rest: what is asked of the disk while nothing happens, and with strange files about.

Calls are counted, not timed.
"""

import os

import pytest

from agent.errors import StorageError
from agent.storage import mailbox
from agent.storage.mailbox import FULL_LOOK_S, TICK_S, Changes, OutboxReader, ReceiptBox

IDS = [f"{number:032x}" for number in range(5_000)]


class Calls:
    """How often the kernel was asked, by kind of question."""

    def __init__(self, monkeypatch):
        self.scandir = self.stat = self.names = 0
        real = {name: getattr(os, name) for name in ("scandir", "stat")}
        lexists = os.path.lexists

        def scandir(*arguments):
            self.scandir += 1
            return real["scandir"](*arguments)

        def stat(*arguments, **keywords):
            self.stat += 1
            return real["stat"](*arguments, **keywords)

        def named(path):
            self.names += 1
            return lexists(path)

        monkeypatch.setattr(mailbox.os, "scandir", scandir)
        monkeypatch.setattr(mailbox.os, "stat", stat)
        monkeypatch.setattr(mailbox.os.path, "lexists", named)


@pytest.fixture
def now(monkeypatch):
    """A clock for every Changes made from here on; a test moves it."""
    clock = [1_000.0]
    monkeypatch.setattr(Changes.__init__, "__defaults__", (lambda: clock[0],))
    return clock


@pytest.fixture
def outbox(tmp_path, now):
    for number in range(20):
        (tmp_path / f"{IDS[number]}.sealed").write_bytes(b"x")
    return OutboxReader(tmp_path, 100)


class TestChanges:
    def test_a_look_is_due_when_something_came_went_or_was_renamed(self, tmp_path, now):
        changes = Changes(tmp_path)
        assert changes.seen()
        for act in (
            lambda: (tmp_path / "a").write_bytes(b""),
            lambda: (tmp_path / "a").rename(tmp_path / "b"),
            (tmp_path / "b").unlink,
        ):
            now[0] += 10 * TICK_S
            changes.seen()
            assert not changes.seen()
            act()
            os.utime(tmp_path, ns=(0, int(now[0] * 1e9)))  # a tick later, whatever this disk says
            assert changes.seen()
            assert not changes.seen()

    def test_the_second_of_two_changes_in_one_tick_is_seen_when_the_tick_is_over(
        self, tmp_path, now
    ):
        changes = Changes(tmp_path)
        (tmp_path / "a").write_bytes(b"")
        os.utime(tmp_path, ns=(7, 7))
        assert changes.seen()
        (tmp_path / "b").write_bytes(b"")
        os.utime(tmp_path, ns=(7, 7))
        assert not changes.seen()
        now[0] += TICK_S
        assert changes.seen()
        assert not changes.seen()

    def test_whoever_knows_of_a_read_looks_whatever_the_stamp_says(self, outbox, tmp_path, now):
        before = len(outbox.pending())
        stamp = tmp_path.stat().st_mtime_ns
        (tmp_path / f"{IDS[20]}.sealed").write_bytes(b"x")
        os.utime(tmp_path, ns=(stamp, stamp))  # two changes in one tick
        assert len(outbox.pending()) == before
        outbox.look_again()
        assert len(outbox.pending()) == before + 1

    def test_everything_is_looked_at_once_a_minute_whatever_the_stamp_says(self, tmp_path, now):
        changes = Changes(tmp_path)
        looks = 0
        for _ in range(10 * int(FULL_LOOK_S)):
            looks += changes.seen()
            now[0] += 1
        assert 10 <= looks <= 12

    def test_a_folder_that_is_missing_is_no_change_until_it_is_made(self, tmp_path, now):
        changes = Changes(tmp_path / "outbox")
        assert changes.seen()
        assert not changes.seen()
        (tmp_path / "outbox").mkdir()
        assert changes.seen()


class TestOutboxAtRest:
    def test_it_is_listed_once(self, outbox, monkeypatch):
        calls = Calls(monkeypatch)
        for _ in range(8):
            assert len(outbox.pending()) == 20
            assert outbox.strangers() == ()
        assert (calls.scandir, calls.stat) == (1, 16)

    def test_the_same_listing_is_the_same_object(self, outbox, now):
        first = outbox.pending()
        now[0] += FULL_LOOK_S
        assert outbox.pending() is first

    def test_a_new_read_is_seen_at_once(self, outbox, now, tmp_path):
        outbox.pending()
        now[0] += TICK_S
        outbox.pending()
        os.utime(tmp_path, ns=(0, 0))
        outbox.pending()
        (tmp_path / f"{IDS[99]}.sealed").write_bytes(b"x")
        assert IDS[99] in outbox.pending()

    def test_a_folder_that_cannot_be_listed_is_an_error_each_time(self, tmp_path, now):
        (tmp_path / "outbox").write_bytes(b"")
        reader = OutboxReader(tmp_path / "outbox", 100)
        for _ in range(2):
            with pytest.raises(StorageError, match="cannot list"):
                reader.pending()


class TestReceiptsAtRest:
    def test_fifty_thousand_strange_files_are_never_listed_by_watch(
        self, tmp_path, now, monkeypatch
    ):
        for number in range(50_000):
            os.close(os.open(tmp_path / f"strange-{number}", os.O_CREAT))
        (tmp_path / f"{IDS[3]}.receipt").write_bytes(b"x")
        box, waiting = ReceiptBox(tmp_path, 100), IDS[:100]
        calls = Calls(monkeypatch)
        assert list(box.arrived(waiting)) == [IDS[3]]
        for second in range(60):
            os.utime(tmp_path, ns=(0, second))  # a hostile deliver goes on making them
            now[0] += 1
            assert list(box.arrived(waiting)) == [IDS[3]]
        assert calls.scandir == 0
        assert calls.names == 61 * 100

    def test_nothing_but_the_folders_time_is_asked_while_nothing_arrives(
        self, tmp_path, now, monkeypatch
    ):
        box = ReceiptBox(tmp_path, 100)
        while box.arrived(IDS) or box._to_ask:
            pass
        now[0] += TICK_S
        while box.arrived(IDS) or box._to_ask:
            pass
        calls = Calls(monkeypatch)
        for _ in range(50):
            now[0] += 1
            assert list(box.arrived(IDS)) == []
        assert (calls.scandir, calls.stat, calls.names) == (0, 50, 0)

    def test_one_round_asks_for_a_bounded_number_and_the_next_goes_on(
        self, tmp_path, now, monkeypatch
    ):
        monkeypatch.setattr(mailbox, "MAX_ASKED", 10)
        box, waiting = ReceiptBox(tmp_path, 100), IDS[:25]
        for read_id in waiting:
            (tmp_path / f"{read_id}.receipt").write_bytes(b"x")
        found = []
        for stamp in range(3):
            os.utime(tmp_path, ns=(0, stamp))  # a change in each round keeps none from its turn
            found += box.arrived(waiting)
        assert found == waiting

    def test_what_comes_in_the_middle_of_a_round_is_asked_for_when_that_is_over(
        self, tmp_path, now, monkeypatch
    ):
        monkeypatch.setattr(mailbox, "MAX_ASKED", 10)
        box, waiting = ReceiptBox(tmp_path, 100), IDS[:25]
        assert list(box.arrived(waiting)) == []
        (tmp_path / f"{IDS[0]}.receipt").write_bytes(b"x")  # it was asked for already
        os.utime(tmp_path, ns=(0, 1))
        assert [list(box.arrived(waiting)) for _ in range(3)] == [[], [], [IDS[0]]]

    def test_a_read_that_left_meanwhile_is_not_asked_for(self, tmp_path, now, monkeypatch):
        monkeypatch.setattr(mailbox, "MAX_ASKED", 1)
        box = ReceiptBox(tmp_path, 100)
        (tmp_path / f"{IDS[1]}.receipt").write_bytes(b"x")
        assert list(box.arrived(IDS[:2])) == []
        assert list(box.arrived(IDS[:1])) == []
