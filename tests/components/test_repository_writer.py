"""Writing a repository: what a camera may have taken is never changed, and a failure leaves nothing
half-written.
"""

import pytest

from agent.bundles.repository import writer
from agent.bundles.repository.writer import KEPT_SNAPSHOTS, Writing, mirror, publish
from agent.errors import StorageError, UsageError
from tests.support.bundle_city import BundleCity

ROOT = "metadata/2.root.json"


@pytest.fixture
def writing(tmp_path):
    return Writing(tmp_path / "repository")


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


class TestWhole:
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

    def test_the_newest_snapshots_stay_with_what_they_name_and_older_ones_go(self, tmp_path):
        city, folder = BundleCity(), tmp_path / "repository"
        for _ in range(KEPT_SNAPSHOTS + 1):
            city.day_passes()
        city.write(folder)
        writer.prune(folder)
        snapshots = sorted(path.name for path in (folder / "metadata").glob("*.snapshot.json"))
        assert snapshots == ["3.snapshot.json", "4.snapshot.json", "5.snapshot.json"]
        lists = sorted(path.name for path in (folder / "metadata").glob("*.hotlist.json"))
        assert lists == ["3.hotlist.json", "4.hotlist.json", "5.hotlist.json"]
        assert (folder / "metadata/1.root.json").exists()
        assert (folder / "metadata/timestamp.json").exists()
        assert list((folder / "targets/policy").glob("*.policy.toml"))

    def test_a_mirror_holds_what_the_newest_snapshots_name_and_every_root(self, tmp_path):
        city = BundleCity()
        city.day_passes()
        city.root()
        city.online()
        city.write(tmp_path / "repository")
        mirror(tmp_path / "repository", tmp_path / "stick")
        assert everything(tmp_path / "stick") == everything(tmp_path / "repository")

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


def everything(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
