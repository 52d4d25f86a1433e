"""Writing a repository: what a camera may have taken is never changed, and a failure leaves nothing
half-written.
"""

import errno

import pytest
from tuf.api.metadata import Metadata

from agent.bundles.repository import writer
from agent.bundles.repository.writer import (
    KEPT_LISTS,
    Writing,
    mirror,
    publish,
)
from agent.errors import StorageError, UsageError
from tests.support.bundle_city import BundleCity

ROOT = "metadata/2.root.json"


@pytest.fixture
def writing(tmp_path):
    return Writing(tmp_path / "repository")


@pytest.fixture
def synced(monkeypatch):
    """Folders that were synced."""
    found = []
    monkeypatch.setattr(writer, "sync_folder", found.append)
    return found


class TestOneFile:
    def test_another_root_of_this_version_is_never_written_over(self, writing):
        """A camera may have taken the first one; it could follow neither after that."""
        writing.put(ROOT, b"first")
        with pytest.raises(UsageError, match="is another root of this version"):
            writing.put(ROOT, b"second")
        assert (writing.folder / ROOT).read_bytes() == b"first"

    def test_the_same_root_again_is_no_fault_and_not_this_runs_to_forget(self, writing):
        writing.put(ROOT, b"first")
        writing.finish(b"timestamp")
        writing.put(ROOT, b"first")
        writing.forget()
        assert (writing.folder / ROOT).read_bytes() == b"first"

    def test_what_no_timestamp_named_yet_may_be_written_anew(self, writing):
        """A publish that failed in between, and was repeated later."""
        writing.put("metadata/7.snapshot.json", b"left by a failure")
        writing.put("metadata/7.snapshot.json", b"the one that counts")
        assert (writing.folder / "metadata/7.snapshot.json").read_bytes() == b"the one that counts"

    def test_everybody_may_read_it(self, writing):
        writing.put(ROOT, b"first")
        writing.finish(b"timestamp")
        modes = {path.stat().st_mode & 0o777 for path in writing.folder.rglob("*.json")}
        assert modes == {0o644}
        assert (writing.folder / "metadata").stat().st_mode & 0o777 == 0o755

    def test_what_cannot_be_read_or_made_is_one_clear_error(self, writing, monkeypatch):
        writing.put(ROOT, b"first")
        with monkeypatch.context() as patched:
            patched.setattr(type(writing.folder), "read_bytes", denied)
            with pytest.raises(StorageError, match="cannot read"):
                writing.put(ROOT, b"first")
        (writing.folder / "targets").write_bytes(b"a file in the folder's place")
        with pytest.raises(StorageError, match="cannot make the folder"):
            writing.put("targets/policy/1.toml", b"policy")

    def test_a_new_folder_survives_a_power_cut(self, writing, synced):
        writing.put(ROOT, b"first")
        assert writing.folder in synced

    def test_what_was_forgotten_is_forgotten_once(self, writing):
        writing.put(ROOT, b"first")
        writing.forget()
        Writing(writing.folder).put(ROOT, b"of another run")
        writing.forget()
        assert (writing.folder / ROOT).read_bytes() == b"of another run"


class TestWhole:
    def test_a_publish_removes_what_no_snapshot_names_any_more(self, tmp_path):
        city = BundleCity()
        city.write(tmp_path)
        (tmp_path / "metadata/1.gone.json").write_bytes(b"of a role that is no more")
        publish(tmp_path, {}, {}, city.published["metadata/timestamp.json"])
        assert not (tmp_path / "metadata/1.gone.json").exists()
        assert everything(tmp_path) == archived(city)

    def test_a_stick_of_the_same_city_is_brought_up_to_date(self, tmp_path):
        city = BundleCity()
        mirror(city.write(tmp_path / "repository"), tmp_path / "stick")
        city.day_passes()
        mirror(city.write(tmp_path / "repository"), tmp_path / "stick")
        stick = everything(tmp_path / "stick")
        assert stick.keys() == archived(city).keys() | {"metadata/1.timestamp.json"}
        assert stick | archived(city) == stick

    def test_a_repository_that_cannot_be_read_is_one_clear_error(self, tmp_path, monkeypatch):
        BundleCity().write(tmp_path)
        monkeypatch.setattr(type(tmp_path), "read_bytes", denied)
        with pytest.raises(StorageError, match="cannot read"):
            mirror(tmp_path, tmp_path / "stick")

    def test_a_failure_leaves_what_was_there(self, tmp_path, monkeypatch):
        folder = tmp_path / "repository"
        publish(folder, {"1.root.json": b"root"}, {"city.json": b"city"}, b"first")
        before = everything(folder)

        def fail(path, *_):
            if path.name == "2.root.json":
                raise StorageError("the disk is full", where=path)
            write(path, *_)

        write = writer.write_atomic
        monkeypatch.setattr(writer, "write_atomic", fail)
        with pytest.raises(StorageError):
            publish(folder, {"2.root.json": b"new"}, {"policy.toml": b"new"}, b"second")
        assert everything(folder) == before

    def test_what_was_published_stays_and_old_hot_lists_go(self, tmp_path):
        city, folder = BundleCity(), tmp_path / "repository"
        for _ in range(KEPT_LISTS + 1):
            city.day_passes()
        city.write(folder)
        writer.prune(folder)
        snapshots = sorted(path.name for path in (folder / "metadata").glob("*.snapshot.json"))
        assert snapshots == [f"{number}.snapshot.json" for number in range(1, 6)]
        lists = sorted(path.name for path in (folder / "metadata").glob("*.hotlist.json"))
        assert lists == ["3.hotlist.json", "4.hotlist.json", "5.hotlist.json"]
        assert (folder / "metadata/1.root.json").exists()
        assert (folder / "metadata/timestamp.json").exists()
        assert list((folder / "targets/policy").glob("*.policy.toml"))

    def test_a_mirror_holds_what_the_snapshots_name_and_every_root(self, tmp_path):
        city = BundleCity()
        city.day_passes()
        city.root()
        city.online()
        city.write(tmp_path / "repository")
        mirror(tmp_path / "repository", tmp_path / "stick")
        assert everything(tmp_path / "stick") == archived(city)
        assert everything(tmp_path / "repository") == city.published

    def test_another_citys_stick_is_not_written_over(self, tmp_path):
        BundleCity().write(tmp_path / "repository")
        BundleCity().write(tmp_path / "stick")
        before = everything(tmp_path / "stick")
        with pytest.raises(UsageError, match="another city's repository lies there"):
            mirror(tmp_path / "repository", tmp_path / "stick")
        assert everything(tmp_path / "stick") == before

    def test_a_damaged_snapshot_is_one_clear_error(self, tmp_path):
        city = BundleCity()
        city.write(tmp_path)
        (tmp_path / "metadata/1.snapshot.json").write_bytes(b"{}")
        with pytest.raises(StorageError, match="is damaged"):
            mirror(tmp_path, tmp_path / "stick")
        root = (tmp_path / "metadata/1.root.json").read_bytes()
        (tmp_path / "metadata/1.snapshot.json").write_bytes(root)  # readable, and no snapshot
        with pytest.raises(StorageError, match="is damaged"):
            mirror(tmp_path, tmp_path / "stick")


class TestWhatSnapshotsName:
    """What is kept when old files go."""

    @pytest.fixture
    def three_days(self, tmp_path):
        """Snapshots 1 to 3; policy.json is of the first, hotlist.json of each."""
        city = BundleCity()
        city.day_passes()
        city.day_passes()
        return city.write(tmp_path)

    def test_nothing_where_nothing_is_published(self, tmp_path):
        assert writer._referenced(tmp_path) == set()

    def test_a_day_from_before_there_was_an_archive_is_passed_over(self, three_days):
        (three_days / "metadata/2.snapshot.json").unlink()
        writer.prune(three_days)
        assert (three_days / "metadata/1.snapshot.json").exists()
        assert (three_days / "metadata/1.hotlist.json").exists()

    def test_what_an_older_day_lacks_is_passed_over(self, three_days):
        (three_days / "metadata/1.hotlist.json").unlink()
        writer.prune(three_days)
        assert (three_days / "metadata/1.snapshot.json").exists()

    @pytest.mark.parametrize("missing", ["3.snapshot.json", "3.hotlist.json"])
    def test_where_the_newest_day_lacks_something_nothing_goes(self, three_days, missing):
        (three_days / "metadata" / missing).unlink()
        before = everything(three_days)
        with pytest.raises(StorageError, match="cannot read"):
            writer.prune(three_days)
        assert everything(three_days) == before

    def test_the_timestamp_of_a_publish_that_came_no_further_is_kept_by_the_next(self, tmp_path):
        city = BundleCity()
        city.write(tmp_path)
        first = city.published["metadata/timestamp.json"]
        city.day_passes()
        publish(tmp_path, *parts(city))
        assert (tmp_path / "metadata/1.timestamp.json").read_bytes() == first


def parts(city):
    """As `publish` takes them."""
    named = {name: data for name, data in city.published.items() if "timestamp" not in name}
    metadata, targets = (
        {name.removeprefix(folder): data for name, data in named.items() if name.startswith(folder)}
        for folder in ("metadata/", "targets/")
    )
    return metadata, targets, city.published["metadata/timestamp.json"]


def archived(city):
    """What a published city leaves: the current timestamp under its number as well."""
    current = city.published["metadata/timestamp.json"]
    version = Metadata.from_bytes(current).signed.version
    return {**city.published, f"metadata/{version}.timestamp.json": current}


def denied(*_, **__):
    raise PermissionError(errno.EACCES, "permission denied")


def everything(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
