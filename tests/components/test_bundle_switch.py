"""How one generation follows another: what is on the disk before the switch, what is left after a
crash or a failure at any write, and what the folder holds then.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from agent.bundles.generation_store import BundleStore
from agent.core.time.instant import Instant
from agent.errors import StorageError
from agent.settings import Limits
from tests.support.bundle_city import BundleCity

HOUR = timedelta(hours=1)
DESCRIPTORS = Path("/proc/self/fd")


class Disk:
    """Notes what is synced and what is renamed, in order; `fails_at`: the sync that fails."""

    def __init__(self, monkeypatch, folder):
        self.folder, self.done, self.fails_at = folder, [], 0
        monkeypatch.setattr(os, "fsync", self.fsync)
        for name in ("rename", "replace"):
            monkeypatch.setattr(os, name, self.noting(getattr(os, name)))

    def fsync(self, descriptor):
        self.note("sync", (DESCRIPTORS / str(descriptor)).readlink())
        if self.fails_at and len(self.synced()) == self.fails_at:
            raise OSError(28, "No space left on device")

    def noting(self, honest):
        def noted(old, new, **options):
            self.note("name", new)
            return honest(old, new, **options)

        return noted

    def note(self, what, path):
        if Path(path).is_relative_to(self.folder):
            self.done.append((what, str(Path(path).relative_to(self.folder))))

    def synced(self):
        return [path for what, path in self.done if what == "sync"]


@pytest.fixture
def city():
    return BundleCity()


@pytest.fixture
def store(city, tmp_path):
    return BundleStore(tmp_path / "bundles", city.anchor(tmp_path), Limits(), rig=False)


@pytest.fixture
def disk(monkeypatch, tmp_path):
    return Disk(monkeypatch, tmp_path / "bundles")


@pytest.fixture
def take_in(city, store, tmp_path):
    def taken():
        return store.take_in(city.write(tmp_path / "in"), Instant(city.now + HOUR))

    return taken


def test_everything_is_on_the_disk_before_the_switch_and_the_switch_after_it(
    city, store, take_in, disk
):
    take_in()
    disk.done.clear()
    city.day_passes()
    folder = take_in().folder
    below = [path for path in folder.rglob("*") if not path.is_symlink()]
    written = {f"generations/2.part/{path.relative_to(folder)}" for path in below}
    renamed, switched = (
        disk.done.index(("name", "generations/2")),
        disk.done.index(("name", "current")),
    )
    assert written | {"generations/2.part"} <= {path for _, path in disk.done[:renamed]}
    assert ("sync", "generations") in disk.done[renamed:switched]
    assert disk.done[switched + 1 :] == [("sync", ".")]
    assert {path.name for path in store.folder.iterdir()} == {"current", "generations", "lock"}
    assert (store.folder / "current").readlink() == Path("generations/2")
    assert (folder / "metadata/root.json").is_symlink()


def test_a_disk_that_fails_at_any_sync_leaves_the_old_or_the_new(city, store, take_in, disk):
    take_in()
    city.day_passes()
    disk.done.clear()
    copy = store.folder.with_name("copy")
    shutil.copytree(store.folder, copy, symlinks=True)
    take_in()
    files_open = len(list(DESCRIPTORS.iterdir()))
    syncs = len(disk.synced())
    assert syncs > 20
    for number in (1, syncs // 2, *range(syncs - 3, syncs + 1)):
        shutil.rmtree(store.folder)
        shutil.copytree(copy, store.folder, symlinks=True)
        disk.done.clear()
        disk.fails_at = number
        with pytest.raises(StorageError, match="no space left"):
            take_in()
        switched = ("name", "current") in disk.done
        disk.fails_at = 0
        assert store.current().number == 1 + switched
        assert (take_in() is None) == switched
        assert store.current().number >= 2
    assert len(list(DESCRIPTORS.iterdir())) == files_open


def test_what_a_crash_left_in_the_next_ones_place_is_removed(city, store, take_in):
    take_in()
    (store.folder / "generations/2.part/city").mkdir(parents=True)
    (store.folder / "current.part").symlink_to("generations/2")
    city.day_passes()
    assert take_in().number == 2
    assert {path.name for path in store.folder.iterdir()} == {"current", "generations", "lock"}
    assert [path.name for path in (store.folder / "generations").iterdir()] == ["2"]


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ("generations/2.part", "generations: cannot make the next generation: not a directory"),
        ("current.part/folder", "bundles: cannot switch to the next generation: is a directory"),
    ],
)
def test_what_cannot_be_removed_is_named_and_nothing_changes(city, store, take_in, planted, told):
    first = take_in()
    path = store.folder / planted
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"planted")
    city.day_passes()
    with pytest.raises(StorageError, match=told):
        take_in()
    assert store.current() == first


def test_a_link_that_is_none_is_named(store, take_in):
    take_in()
    (store.folder / "current").unlink()
    (store.folder / "current").write_bytes(b"generations/1")
    with pytest.raises(StorageError, match="bundles/current: cannot read"):
        store.current()
