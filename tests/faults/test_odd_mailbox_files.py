"""Mailboxes as a hostile other side would leave them: links, FIFOs, devices, folders, floods,
giants.

Each one clear error, none blocks.
"""

import os
import shutil
import socket
import stat
import tempfile
import traceback
from pathlib import Path

import pytest

from agent.audit.log_verify import verify
from agent.core.text.rfc3339 import parse_rfc3339
from agent.errors import PlatewardenError, StorageError
from agent.storage.mailbox import OutboxReader, ReceiptBox
from agent.storage.outbox import Outbox
from tests.support.audit_logs import TRUSTED, open_log, sealed_read, write_log

ID = f"{1:032x}"
MAX_BYTES = 4_096
NOBODY = 65_534


def symlink(path):
    path.symlink_to("/etc/hostname")


def dangling(path):
    path.symlink_to("nowhere")


def loop(path):
    path.symlink_to(path.name)


def endless(path):
    path.symlink_to("/dev/zero")


def fifo(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def unix_socket(path):
    descriptor = os.open(path.parent, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{descriptor}/{path.name}")  # a socket's own path must be short
    finally:
        os.close(descriptor)


def giant(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing


@pytest.fixture(
    params=[symlink, dangling, loop, endless, fifo, folder, unix_socket, giant],
    ids=lambda make: make.__name__,
)
def plant(request):
    return request.param


@pytest.mark.timeout(20)
def test_deliver_refuses_an_odd_outbox_file_at_once(tmp_path, plant):
    plant(tmp_path / f"{ID}.sealed")
    reader = OutboxReader(tmp_path, MAX_BYTES)
    if plant is giant:
        assert reader.pending() == (ID,)
    else:
        assert (reader.pending(), reader.strangers()) == ((), (f"{ID}.sealed",))
    with pytest.raises(StorageError) as caught:
        reader.untrusted_wire(ID)
    assert str(tmp_path / f"{ID}.sealed") in str(caught.value)


@pytest.mark.timeout(20)
def test_watch_refuses_an_odd_receipt_at_once(tmp_path, plant):
    plant(tmp_path / f"{ID}.receipt")
    box = ReceiptBox(tmp_path, MAX_BYTES)
    assert len(box.pending()) + len(box.strangers()) == 1
    with pytest.raises(StorageError):
        box.untrusted_receipt(ID)


@pytest.mark.timeout(20)
def test_watch_survives_an_odd_file_in_the_place_of_a_released_read(tmp_path, plant):
    """Only root or watch's own user could do this.

    The read is lost, and said to be; a folder cannot be unlinked and stops the start.
    """
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, MAX_BYTES)
        outbox.put(sealed_read(1))
        file = tmp_path / "outbox" / f"{ID}.sealed"
        file.unlink()
        plant(file)
        if plant is folder:
            with pytest.raises(StorageError, match="cannot remove"):
                outbox.recover()
        else:
            assert outbox.recover() == [ID]
            assert not os.path.lexists(file)
            assert Path("/etc/hostname").exists()


@pytest.mark.timeout(20)
def test_odd_unfinished_files_do_not_stop_the_start(tmp_path, plant):
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, MAX_BYTES)
        plant(tmp_path / "outbox" / f".{ID}.sealed.part")
        if plant is folder:
            with pytest.raises(StorageError, match="cannot remove"):
                outbox.recover()
        else:
            assert outbox.recover() == []
            outbox.put(sealed_read(1))
            assert outbox.pending() == [ID]


def test_a_planted_hidden_file_is_not_written_through(tmp_path):
    """Whoever can write into the folder must not redirect watch's next write elsewhere."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, MAX_BYTES)
        (tmp_path / "outbox" / f".{ID}.sealed.part").symlink_to(victim)
        with pytest.raises(StorageError, match="cannot create"):
            outbox.put(sealed_read(1))
        assert log.size == 0
    assert victim.read_bytes() == b"precious"


def test_a_flood_of_names_is_bounded_and_quick(tmp_path):
    for number in range(3_000):
        (tmp_path / f"{number:032x}.receipt").touch()
        (tmp_path / f"junk-{number}").touch()
    box = ReceiptBox(tmp_path, MAX_BYTES)
    assert len(box.pending()) == 3_000
    assert len(box.strangers()) == 3_000


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 100, b"\xff" * MAX_BYTES, b"half a JWE.", b"{}"]
)
def test_half_written_or_foreign_bytes_are_handed_on_as_untrusted(tmp_path, content):
    """Storage does not judge content: verifying does, and refuses with a reason."""
    (tmp_path / f"{ID}.sealed").write_bytes(content)
    assert OutboxReader(tmp_path, MAX_BYTES).untrusted_wire(ID) == content


def test_a_file_in_the_mailbox_s_place_is_one_clear_error(tmp_path):
    (tmp_path / "outbox").write_bytes(b"")
    with pytest.raises(StorageError, match="outbox"):
        OutboxReader(tmp_path / "outbox", MAX_BYTES).pending()
    with open_log(tmp_path / "watch") as log, pytest.raises(StorageError, match="outbox"):
        Outbox(tmp_path / "outbox", log, 5, MAX_BYTES)


@pytest.fixture
def open_folder():
    """A folder that every user can reach (pytest's own are closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="platewarden-odd-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def as_nobody(action):
    """Run in a child that is not root: permissions do not bind root."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            action()
            code = 0
        except BaseException:  # noqa: BLE001 - shown, and the exit code tells
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_file_or_folder_that_may_not_be_read_is_one_clear_error(open_folder):
    (open_folder / f"{ID}.sealed").write_bytes(b"x")
    (open_folder / f"{ID}.sealed").chmod(0)
    (open_folder / "closed").mkdir(mode=0)

    def read():
        with pytest.raises(StorageError, match="permission denied.*check the owner"):
            OutboxReader(open_folder, MAX_BYTES).untrusted_wire(ID)
        with pytest.raises(StorageError, match="permission denied.*check the owner"):
            OutboxReader(open_folder / "closed", MAX_BYTES).pending()

    as_nobody(read)
    (open_folder / "closed").chmod(0o700)


def test_a_folder_that_may_not_be_written_is_one_clear_error(open_folder):
    open_folder.chmod(0o555)

    def write():
        for attempt in (
            lambda: open_log(open_folder / "watch"),
            lambda: ReceiptBox(open_folder / "receipts", 100).put(ID, b"x"),
        ):
            with pytest.raises(PlatewardenError, match="permission denied.*check the owner"):
                attempt()

    as_nobody(write)
    open_folder.chmod(0o755)


@pytest.mark.parametrize("live", [False, True])
def test_an_auditor_who_may_only_read_sees_all_and_leaves_nothing(open_folder, live):
    """A closed log, and one whose newest leaves are still in the write-ahead log, on a medium where
    nothing can be made.
    """
    log = open_log(open_folder / "watch") if live else None
    if log:
        log.append("start", {})
        log.append("stop", {})
    else:
        write_log(open_folder / "watch", 2)
    for path in (open_folder / "watch").iterdir():
        path.chmod(0o444)
    (open_folder / "watch").chmod(0o555)
    names = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (open_folder / "watch").iterdir()
    }

    def read():
        report = verify(open_folder / "watch", TRUSTED)
        assert (report.leaves, report.faults, report.warnings) == (2, (), ())

    # Imports strptime now: nobody may not read this interpreter's files.
    parse_rfc3339("2027-01-15T12:00:00.000Z")
    as_nobody(read)
    assert {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (open_folder / "watch").iterdir()
    } == names
    (open_folder / "watch").chmod(0o755)
    if log:
        log.close()
