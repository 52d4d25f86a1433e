"""The bell over a real folder and a real `select`: deliver wakes when a read has come."""

import select
import time

import pytest

from agent.disk.atomic_file import write_atomic
from agent.host import folder_bell
from agent.host.folder_bell import FolderBell

SOON_S = 5.0


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "outbox").mkdir()
    return tmp_path / "outbox"


@pytest.fixture
def bell(folder):
    made = FolderBell(folder)
    yield made
    made.close()


def rings(bell, within_s=SOON_S):
    return bool(select.select([bell], [], [], within_s)[0])


def test_it_rings_once_for_what_gets_its_name(bell, folder):
    assert not bell.rang()
    write_atomic(folder / "a.sealed", b"x")
    write_atomic(folder / "b.sealed", b"x")
    assert rings(bell)
    assert bell.rang()
    assert not bell.rang()
    assert not rings(bell, 0.0)


def test_what_is_still_written_and_what_leaves_rings_nothing(bell, folder):
    (folder / ".c.part").write_bytes(b"x")
    (folder / ".c.part").unlink()
    assert not rings(bell, 0.05)
    assert not bell.rang()


def test_a_folder_that_comes_later_or_comes_again_is_listened_to(tmp_path):
    folder = tmp_path / "later"
    bell = FolderBell(folder)
    assert not bell.rang()
    for _ in range(2):
        folder.mkdir()
        bell.rang()
        write_atomic(folder / "a.sealed", b"x")
        assert bell.rang()
        (folder / "a.sealed").unlink()
        folder.rmdir()
        assert bell.rang(), "its end is told once"
    bell.close()


def test_more_at_once_than_one_reading_takes(bell, folder):
    for number in range(1_500):
        (folder / ".part").touch()
        (folder / ".part").rename(folder / f"{number:032x}.sealed")
    assert bell.rang()
    assert not bell.rang()


def test_without_watches_it_never_rings(folder, monkeypatch):
    class Spent:
        def inotify_init1(self, _flags):
            return -1

    monkeypatch.setattr(folder_bell, "_C", Spent())
    bell = FolderBell(folder)
    assert bell.fileno() == -1
    write_atomic(folder / "a.sealed", b"x")
    assert not bell.rang()
    bell.close()


def test_a_waiting_select_is_woken(bell, folder):
    import threading

    begun_s = time.monotonic()
    timer = threading.Timer(0.1, write_atomic, (folder / "a.sealed", b"x"))
    timer.start()
    assert rings(bell, 60.0)
    timer.join()
    assert time.monotonic() - begun_s < 60.0
