"""The floor under watch's log: an older copy that is put back is refused; deliver can keep it back
and cannot make it up.

An emptied folder begins a log that says so and counts on, and a new camera is silent.
"""

import json
import shutil

import pytest

from agent.audit.log_verify import verify
from agent.core.log.checkpoint import Checkpoint
from agent.core.log.floor import FILE_NAME, MAX_RECIPIENTS, Floor, floor_lines, floor_of
from agent.errors import LogRefusedError, StorageError
from agent.storage import floor_file
from agent.storage.floor_file import WRITE_EVERY_S, FloorKeeper, FloorWriter, open_above
from agent.storage.mailbox import OutboxReader, ReceiptBox
from agent.storage.outbox import Outbox
from tests.support.audit_logs import (
    KEY,
    ORIGIN,
    OTHER_KEY,
    TRUSTED,
    TickingClock,
    rows,
    sealed_read,
)

PD, SHERIFF = "exampleville-pd", "county-sheriff"


class Camera:
    """Watch's log and outbox beside deliver's floor, in one state folder."""

    def __init__(self, state):
        self.state, self.made = state, 0
        self.shown = state / "receipts" / FILE_NAME
        self.kept = state / "deliver" / FILE_NAME
        for name in ("receipts", "deliver"):
            (state / name).mkdir(exist_ok=True)

    def opened(self, key=KEY):
        return open_above(
            self.state / "watch" / "log.sqlite", ORIGIN, key, TickingClock().now, self.shown
        )

    def keeper(self, key=KEY):
        public = key.public_key().public_bytes_raw()
        return FloorKeeper(self.state / "outbox" / FILE_NAME, self.kept, self.shown, ORIGIN, public)

    def works(self, reads=1, recipient=PD, *, deliver=True):
        """One run of watch that releases reads, and deliver beside it. The reads' numbers."""
        numbers = []
        with self.opened() as log:
            log.append("start", {})
            outbox = Outbox(self.state / "outbox", log, 100, 1_000)
            outbox.recover()
            for _ in range(reads):
                self.made += 1
                numbers.append(outbox.next_sequence(recipient))
                outbox.put(sealed_read(self.made, numbers[-1], recipient))
            FloorWriter(self.state / "outbox" / FILE_NAME, log).write()
        return numbers, self.keeper().look() if deliver else None

    def leaves(self):
        return [
            json.loads(text)
            for (text,) in rows(self.state / "watch", "SELECT details FROM leaf ORDER BY n")
        ]


@pytest.fixture
def camera(tmp_path):
    return Camera(tmp_path)


def put_back(camera, copy):
    shutil.rmtree(camera.state / "watch")
    shutil.copytree(copy, camera.state / "watch")


class TestWatch:
    def test_a_new_camera_is_silent(self, camera):
        assert camera.works(2) == ([1, 2], None)
        assert [leaf["kind"] for leaf in camera.leaves()] == ["start", "release", "release"]

    def test_a_log_that_goes_on_is_silent(self, camera):
        camera.works(2)
        assert camera.works(2) == ([3, 4], None)
        assert {leaf["kind"] for leaf in camera.leaves()} == {"start", "release"}

    def test_an_older_copy_that_is_put_back_does_not_open(self, camera, tmp_path):
        camera.works(2)
        copy = shutil.copytree(camera.state / "watch", tmp_path / "copy")
        camera.works(2)
        put_back(camera, copy)
        with pytest.raises(LogRefusedError, match="older copy of the log was put back") as refused:
            camera.opened()
        assert (refused.value.reason, refused.value.exit_code) == ("log-truncated", 3)
        assert "a checkpoint of 6 leaves, 3 are there" in str(refused.value)
        assert str(camera.shown) in str(refused.value)
        assert len(camera.leaves()) == 3  # nothing was written into the evidence

    def test_what_deliver_keeps_shows_the_auditor_the_same(self, camera, tmp_path):
        camera.works(2)
        copy = shutil.copytree(camera.state / "watch", tmp_path / "copy")
        camera.works(2)
        assert verify(camera.state / "watch", TRUSTED, (camera.shown,)).faults == ()
        put_back(camera, copy)
        assert verify(camera.state / "watch", TRUSTED).faults == ()
        [fault] = verify(camera.state / "watch", TRUSTED, (camera.shown,)).faults
        assert fault.reason == "log-truncated"

    def test_an_older_copy_that_was_written_on_is_another_history(self, camera, tmp_path):
        camera.works(1)
        copy = shutil.copytree(camera.state / "watch", tmp_path / "copy")
        camera.works(1)
        shown = camera.shown.read_bytes()
        put_back(camera, copy)
        camera.shown.unlink()
        camera.kept.unlink()
        camera.works(7)  # while the floor was kept back
        camera.shown.write_bytes(shown)
        with pytest.raises(LogRefusedError, match="not the ones that deliver knows of") as refused:
            camera.opened()
        assert refused.value.reason == "root-mismatch"

    def test_an_emptied_folder_begins_a_log_that_says_so_and_counts_on(self, camera):
        camera.works(2)
        camera.works(1, SHERIFF)
        shutil.rmtree(camera.state / "watch")
        assert camera.works(2) == ([3, 4], None)
        first = camera.leaves()[0]
        assert (first["kind"], first["leaves"]) == ("missing", 5)
        assert first["sequences"] == {PD: 2, SHERIFF: 1}
        assert camera.works(1, SHERIFF)[0] == [2]
        assert verify(camera.state / "watch", TRUSTED).faults == ()

    def test_the_new_log_has_a_floor_of_its_own_above_the_old(self, camera, tmp_path):
        camera.works(9)
        shutil.rmtree(camera.state / "watch")
        camera.works(1)
        copy = shutil.copytree(camera.state / "watch", tmp_path / "copy")
        camera.works(1)  # still fewer leaves than the log that is missing
        put_back(camera, copy)
        with pytest.raises(LogRefusedError, match="a checkpoint of 15 leaves, 13 are there"):
            camera.opened()
        shutil.rmtree(camera.state / "watch")
        assert camera.works(1)[0] == [12]
        assert camera.leaves()[0]["leaves"] == 15

    def test_a_copy_of_the_log_that_is_missing_is_below_the_floor_of_the_new_one(
        self, camera, tmp_path
    ):
        camera.works(9)
        copy = shutil.copytree(camera.state / "watch", tmp_path / "copy")
        camera.works(1)
        shutil.rmtree(camera.state / "watch")
        camera.works(1)
        put_back(camera, copy)
        with pytest.raises(LogRefusedError, match="a checkpoint of 15 leaves, 10 are there"):
            camera.opened()

    def test_the_floor_of_the_log_that_is_missing_is_not_held_against_the_new_one(self, camera):
        camera.works(2)
        shutil.rmtree(camera.state / "watch")
        camera.works(9, deliver=False)  # so that the old floor still stands
        assert camera.works(1)[0] == [12]

    def test_a_crash_between_leaf_and_numbers_cannot_be(self, camera, monkeypatch):
        """Both are one transaction: after a crash the next start does it all."""
        camera.works(2)
        shutil.rmtree(camera.state / "watch")

        def crash(*_arguments, **_keywords):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("agent.storage.audit_log.salted_leaf_hash", crash)
            with pytest.raises(KeyboardInterrupt):
                camera.opened()
        assert camera.works(1)[0] == [3]
        assert camera.leaves()[0]["kind"] == "missing"

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda note: note.replace(b"earlier 0", b"earlier 9"),
            lambda _: b"",
            lambda _: b"x" * 100_000,
        ],
    )
    def test_a_floor_that_watch_did_not_sign_counts_as_none_and_is_told(self, camera, spoil):
        camera.works(1)
        camera.shown.write_bytes(spoil(camera.shown.read_bytes()))
        assert camera.works(1)[0] == [2]
        told = [leaf for leaf in camera.leaves() if leaf["kind"] == "refusal"]
        assert [(leaf["reason"], leaf["where"]) for leaf in told] == [
            ("checkpoint-invalid", "receipts")
        ]

    def test_deliver_can_keep_it_back_and_nothing_worse(self, camera):
        """As before there were floors: numbers come twice then, and receivers tell."""
        camera.works(1)
        camera.shown.unlink()
        shutil.rmtree(camera.state / "watch")
        assert camera.works(1)[0] == [1]


class TestWriter:
    def test_it_is_written_when_leaves_came_and_not_more_often_than_told(self, camera, monkeypatch):
        now = [1_000.0]
        monkeypatch.setattr(floor_file.time, "monotonic", lambda: now[0])
        written = []
        monkeypatch.setattr(floor_file, "write_atomic", lambda *a: written.append(a))
        with camera.opened() as log:
            writer = FloorWriter(camera.state / "floor", log)
            log.append("start", {})
            for count, step in ((1, 0), (1, WRITE_EVERY_S), (1, WRITE_EVERY_S)):
                now[0] += step
                writer.write()
                assert len(written) == count
            log.append("release", {})
            writer.write()
            assert len(written) == 2
            log.append("receipt", {})
            writer.write()
            assert len(written) == 2
            writer.write(at_once=True)
            assert len(written) == 3

    def test_it_lies_in_no_mailboxs_way(self, camera):
        camera.works(1)
        outbox = OutboxReader(camera.state / "outbox", 1_000)
        assert (len(outbox.pending()), outbox.strangers()) == (1, ())
        box = ReceiptBox(camera.state / "receipts", 1_000)
        assert (box.pending(), box.strangers()) == ((), ())


class TestKeeper:
    def test_it_keeps_the_highest_and_tells_of_a_lower_one(self, camera):
        camera.works(3)
        highest = camera.shown.read_bytes()
        camera.shown.unlink()  # the receipts were emptied with the log
        shutil.rmtree(camera.state / "watch")
        reason, what = camera.works(1)[1]
        assert (reason, what) == ("log-truncated", "watch's log knows of 2 leaves; 4 were signed")
        assert camera.shown.read_bytes() == camera.kept.read_bytes() == highest
        with pytest.raises(LogRefusedError):
            camera.opened()

    def test_the_same_file_is_read_once(self, camera, monkeypatch):
        camera.works(1)
        keeper = camera.keeper()
        assert keeper.look() is None
        monkeypatch.setattr(floor_file, "read_bounded", lambda *_: pytest.fail("read again"))
        assert keeper.look() is None

    def test_what_is_kept_already_is_not_written_again(self, camera, monkeypatch):
        camera.works(1)
        monkeypatch.setattr(floor_file, "write_atomic", lambda *_: pytest.fail("written"))
        assert camera.keeper().look() is None

    def test_what_watch_did_not_sign_is_told_and_not_kept(self, camera):
        camera.works(1)
        kept = camera.kept.read_bytes()
        source = camera.state / "outbox" / FILE_NAME
        source.write_bytes(source.read_bytes().replace(b"earlier 0", b"earlier 9"))
        assert camera.keeper().look() == (
            "checkpoint-invalid",
            "watch's checkpoint is not signed by its log's key",
        )
        assert camera.kept.read_bytes() == kept

    def test_a_floor_under_a_key_that_was_replaced_makes_way(self, camera):
        camera.works(3)
        shutil.rmtree(camera.state / "watch")
        with open_above(
            camera.state / "watch" / "log.sqlite",
            ORIGIN,
            OTHER_KEY,
            TickingClock().now,
            camera.shown,
        ) as log:
            FloorWriter(camera.state / "outbox" / FILE_NAME, log).write()
        assert camera.keeper(OTHER_KEY).look() is None
        camera.opened(OTHER_KEY).close()
        assert [leaf["kind"] for leaf in camera.leaves()] == ["refusal"]

    def test_a_full_disk_is_one_clear_error(self, camera, monkeypatch):
        def full(*_):
            raise StorageError("no space left on device", where="receipts")

        camera.works(1)
        camera.kept.unlink()
        camera.shown.unlink()
        monkeypatch.setattr(floor_file, "write_atomic", full)
        with pytest.raises(StorageError, match="no space left"):
            camera.keeper().look()


class TestForm:
    def test_what_was_written_is_read(self):
        lines = floor_lines(7, {PD: 3, SHERIFF: 2**53 - 1})
        floor = floor_of(Checkpoint(ORIGIN, 5, bytes(32), lines))
        assert (floor.earlier, floor.height) == (7, 12)
        assert floor.sequences == {PD: 3, SHERIFF: 2**53 - 1}

    def test_a_checkpoint_without_lines_is_a_floor_without_numbers(self):
        assert floor_of(Checkpoint(ORIGIN, 5, bytes(32))) == Floor(
            Checkpoint(ORIGIN, 5, bytes(32)), 0, {}
        )

    def test_recipients_are_bounded(self):
        many = {f"r-{number:03d}": 1 for number in range(MAX_RECIPIENTS + 1)}
        lines = floor_lines(0, many)
        assert len(floor_of(Checkpoint(ORIGIN, 5, bytes(32), lines)).sequences) == MAX_RECIPIENTS
        with pytest.raises(ValueError, match="at most 64 recipients"):
            floor_of(Checkpoint(ORIGIN, 5, bytes(32), (*lines, "sequence r-999 1")))

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "sequence",
            "sequence a",
            "sequence a b",
            "sequence a 1 2",
            "sequence ../a 1",
            "sequence a -1",
            "sequence a ١",
            "earlier",
            "earlier x",
            "earlier " + "9" * 19,
            "other 1",
        ],
    )
    def test_anything_else_is_refused(self, line):
        with pytest.raises(ValueError):
            floor_of(Checkpoint(ORIGIN, 5, bytes(32), (line,)))
