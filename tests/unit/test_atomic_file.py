"""Files are written whole or not at all; what another user planted is not read."""

import errno
import os
import stat

import pytest

from agent.disk import atomic_file
from agent.disk.atomic_file import private_folder, read_bounded, write_atomic, write_new
from agent.disk.private_file import read_private
from agent.errors import StorageError


def test_writes_and_replaces_with_the_mode_asked_for(tmp_path):
    path = tmp_path / "a"
    old = os.umask(0)
    try:
        write_atomic(path, b"one")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_atomic(path, b"two", 0o640)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_order_on_disk_is_write_sync_rename_sync(tmp_path, monkeypatch):
    done = []
    real_fsync, real_rename = os.fsync, atomic_file.Path.rename

    def fsync(descriptor):
        done.append(
            "sync folder"
            if stat.S_ISDIR(os.fstat(descriptor).st_mode)
            else f"sync {os.fstat(descriptor).st_size} bytes"
        )
        real_fsync(descriptor)

    def rename(self, target):
        done.append("rename")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(atomic_file.Path, "rename", rename)
    write_atomic(tmp_path / "a", b"12345")
    assert done == ["sync 5 bytes", "rename", "sync folder"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_failure_leaves_the_old_file_and_no_part(tmp_path, monkeypatch, call, number):
    path = tmp_path / "a"
    write_atomic(path, b"old")

    def fail(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((atomic_file.Path, "rename") if call == "rename" else (os, call)), fail)
    with pytest.raises(StorageError, match=r"a: cannot .*: the disk is full \(.*\(free space on"):
        write_atomic(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:3]))
    write_atomic(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_missing_folder_is_named_with_the_next_step(tmp_path):
    with pytest.raises(StorageError, match="make the folder"):
        write_atomic(tmp_path / "no" / "a", b"")


def test_a_new_file_never_follows_or_replaces_what_is_there(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    for name in ("victim", "link", "dangling"):
        with pytest.raises(StorageError, match="cannot create"):
            write_new(tmp_path / name, b"x")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "elsewhere").exists()


def test_reads_up_to_the_limit_and_not_beyond(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert read_bounded(tmp_path / "a", 100) == b"x" * 100
    with pytest.raises(StorageError, match="holds 100 bytes; at most 99"):
        read_bounded(tmp_path / "a", 99)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x" * 10)
    real = os.fstat

    def before_it_grew(descriptor):
        status = real(descriptor)
        with (tmp_path / "a").open("ab") as file:
            file.write(b"y" * 200_000)
        return status

    monkeypatch.setattr(os, "fstat", before_it_grew)
    with pytest.raises(StorageError, match="grew"):
        read_bounded(tmp_path / "a", 10)


def test_links_fifos_devices_and_folders_are_refused_at_once(tmp_path):
    (tmp_path / "secret").write_bytes(b"key")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="symbolic link"):
        read_bounded(tmp_path / "link", 100)
    with pytest.raises(StorageError, match="symbolic link"):
        read_private(tmp_path / "link")
    for odd in (tmp_path / "fifo", tmp_path / "folder", atomic_file.Path("/dev/zero")):
        with pytest.raises(StorageError, match="not a regular file"):
            read_bounded(odd, 100)


def test_a_missing_file_can_be_told_from_a_refused_one(tmp_path):
    with pytest.raises(StorageError) as caught:
        read_bounded(tmp_path / "no", 1)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_private_folder_is_private_from_the_start(tmp_path):
    private_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    private_folder(tmp_path / "a" / "b")


def test_a_file_in_the_folder_s_place_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot make the folder"):
        private_folder(tmp_path / "a")
