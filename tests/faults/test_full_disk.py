"""A full disk, for real: one clear error with the next step, nothing half-written, and all goes on
when there is room again.
"""

import os
import resource
import signal
import subprocess
import traceback
from pathlib import Path

import pytest

from agent.audit.log_verify import verify
from agent.disk.atomic_file import write_atomic
from agent.errors import StorageError
from agent.storage.log_reader import read_log
from agent.storage.mailbox import OutboxReader, ReceiptBox
from agent.storage.outbox import Outbox
from tests.faults.killed_writer import MAX_BYTES, read_of, released
from tests.support.audit_logs import TRUSTED, open_log
from tests.support.camera_rig import PLATE, camera_rig

DISK_BYTES = 512 * 1024


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 512 kB, if this user may mount one; else a folder, and `filled` limits the
    size of every file instead.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def in_child(action):
    """Run in a child, so that a limit on file sizes ends with it.

    Its exit code 0 is success; what it raised is shown.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:  # noqa: BLE001 - shown, and the exit code tells
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def limit_unless_mounted(folder: Path) -> None:
    """Without a mount of its own: no file beyond 200 kB (the log reaches it first).

    Python ignores SIGXFSZ, so writes fail with EFBIG.
    """
    if not folder.is_mount():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200 * 1024, 200 * 1024))


def _put_for_ever(outbox: Outbox) -> None:
    while True:
        outbox.put(read_of(outbox.next_sequence("exampleville-pd")))


def put_until_full(folder: Path) -> None:
    limit_unless_mounted(folder)
    with open_log(folder / "watch") as log:
        outbox = Outbox(folder / "outbox", log, 10_000, MAX_BYTES)
        outbox.recover()
        with pytest.raises(StorageError) as caught:
            _put_for_ever(outbox)
    assert "free space on" in str(caught.value), str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_full_disk_stops_with_one_clear_error_and_nothing_half_written(small_disk):
    in_child(lambda: put_until_full(small_disk))
    reader = OutboxReader(small_disk / "outbox", MAX_BYTES)
    visible = reader.pending()
    assert visible
    assert all(
        reader.untrusted_wire(read_id) == read_of(int(read_id, 16)).wire for read_id in visible
    )
    assert verify(small_disk / "watch", TRUSTED).faults == ()


@pytest.mark.parametrize("room_kb", [60, 100, 130], ids=["log", "checkpoint", "read"])
def test_watch_names_the_full_disk_and_blames_no_document(small_disk, tmp_path, room_kb):
    if not small_disk.is_mount():
        pytest.skip("needs a disk of its own")
    rig = camera_rig(tmp_path / "rig", frames=4)
    settings = rig.installation.settings
    settings.write_text(f'{settings.read_text()}\n[paths]\nstate = "{small_disk}"\n')
    (small_disk / "ballast").write_bytes(bytes(DISK_BYTES - room_kb * 1024))
    done = rig.watch("--allow-unsigned")
    assert done.returncode == 1, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert PLATE not in done.stdout + done.stderr
    assert "malformed" not in done.stderr
    if room_kb > 60:  # else not even the log's tables found room
        kinds = {row.kind for row in read_log(small_disk / "watch" / "log.sqlite").rows}
        assert "refusal" not in kinds


def test_it_goes_on_when_there_is_room_again(small_disk):
    (small_disk / "ballast").write_bytes(bytes(100 * 1024))
    in_child(lambda: put_until_full(small_disk))
    (small_disk / "ballast").unlink()
    with open_log(small_disk / "watch") as log:
        outbox = Outbox(small_disk / "outbox", log, 10_000, MAX_BYTES)
        assert outbox.recover() == []
        before = len(outbox.pending())
        assert before == len(released(small_disk))
        following = outbox.next_sequence("exampleville-pd")
        assert following == before + 1
        outbox.put(read_of(following))
        assert len(outbox.pending()) == before + 1
    assert verify(small_disk / "watch", TRUSTED).faults == ()
    assert released(small_disk) == list(range(1, following + 1))


def test_a_process_that_lives_on_after_the_error_stays_sound(small_disk):
    """The caller may keep running: the next put must neither reuse a number nor lose the read
    before.
    """

    def lives_on():
        limit_unless_mounted(small_disk)
        with open_log(small_disk / "watch") as log:
            outbox = Outbox(small_disk / "outbox", log, 10_000, MAX_BYTES)
            failures = 0
            while failures < 5:
                try:
                    outbox.put(read_of(outbox.next_sequence("exampleville-pd")))
                except StorageError:
                    failures += 1

    in_child(lives_on)
    sequences = released(small_disk)
    assert sequences == list(range(1, len(sequences) + 1))
    if small_disk.is_mount():
        subprocess.run(
            ["mount", "-o", f"remount,size={4 * DISK_BYTES}", str(small_disk)], check=True
        )
    with open_log(small_disk / "watch") as log:
        outbox = Outbox(small_disk / "outbox", log, 10_000, MAX_BYTES)
        assert outbox.recover() == []
        assert len(outbox.pending()) == len(sequences)
    assert verify(small_disk / "watch", TRUSTED).faults == ()


def test_a_receipt_that_does_not_fit_leaves_no_part(small_disk):
    def fill():
        limit_unless_mounted(small_disk)
        box = ReceiptBox(small_disk / "receipts", 2 * DISK_BYTES)
        box.put(f"{1:032x}", b"kept")
        with pytest.raises(StorageError, match="free space on"):
            box.put(f"{1:032x}", b"x" * (DISK_BYTES + 1))

    in_child(fill)
    assert [(path.name, path.read_bytes()) for path in (small_disk / "receipts").iterdir()] == [
        (f"{1:032x}.receipt", b"kept")
    ]


def test_an_existing_file_survives_a_full_disk(small_disk):
    def fill():
        limit_unless_mounted(small_disk)
        write_atomic(small_disk / "a", b"old")
        with pytest.raises(StorageError, match="free space on"):
            write_atomic(small_disk / "a", b"x" * (2 * DISK_BYTES))

    in_child(fill)
    assert [(path.name, path.read_bytes()) for path in small_disk.iterdir()] == [("a", b"old")]


def test_a_log_that_cannot_even_be_made(small_disk):
    def make():
        limit_unless_mounted(small_disk)
        if small_disk.is_mount():
            (small_disk / "ballast").write_bytes(bytes(DISK_BYTES - 8192))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
        with pytest.raises(StorageError, match="free space on"):
            open_log(small_disk / "watch").append("start", {})

    in_child(make)
