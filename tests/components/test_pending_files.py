"""A role's next version, beside the repository until enough have signed it: the old one or the new
one, whole, after any failure.
"""

import errno
import hashlib
from dataclasses import replace

import pytest
from tuf.api.metadata import Metadata

from agent.bundles.layout import POLICY, POLICY_PATH
from agent.bundles.repository import pending_files
from agent.bundles.repository.pending_files import (
    add_signature,
    drop_pending,
    keep_pending,
    was_withdrawn,
    withdraw,
)
from agent.bundles.repository.published import CityRepository, Pending
from agent.errors import StorageError
from tests.support.bundle_city import BundleCity, person


def named(path, data):
    folder, _, name = path.rpartition("/")
    return f"policy/targets/{folder}/{hashlib.sha256(data).hexdigest()}.{name}"


def everything(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def synced(monkeypatch):
    """Folders that were synced."""
    found = []
    monkeypatch.setattr(pending_files, "sync_folder", found.append)
    return found


@pytest.fixture
def pending():
    return Pending(POLICY, BundleCity().metadata[POLICY], {"policy/1.toml": b"policy"})


def test_kept_whole_signed_further_and_dropped(tmp_path, pending, synced):
    keep_pending(tmp_path, pending)
    folder = tmp_path / "pending"
    assert everything(folder) == {
        "policy/metadata.json": pending.metadata.to_bytes(),
        named("policy/1.toml", b"policy"): b"policy",
    }
    assert folder in synced
    signatures = len(pending.metadata.signatures)
    pending.metadata.sign(person("Gil"), append=True)
    add_signature(tmp_path, POLICY, pending.metadata)
    written = Metadata.from_bytes((folder / "policy/metadata.json").read_bytes())
    assert len(written.signatures) == signatures + 1
    synced.clear()
    drop_pending(tmp_path, POLICY)
    assert list(folder.iterdir()) == []
    assert folder in synced
    drop_pending(tmp_path, POLICY)  # given up before: no fault


def test_a_newer_draft_takes_its_place_whole(tmp_path, pending):
    keep_pending(tmp_path, pending)
    newer = {"policy/1.toml": b"policy", "policy/2.toml": b"newer"}
    keep_pending(tmp_path, replace(pending, files=newer))
    keep_pending(tmp_path, replace(pending, files={"policy/2.toml": b"newer"}))
    assert everything(tmp_path / "pending") == {
        "policy/metadata.json": pending.metadata.to_bytes(),
        named("policy/2.toml", b"newer"): b"newer",
    }


@pytest.mark.parametrize("files", [{}, {"policy/1.toml": b"a", "policy/2.toml": b"b"}])
def test_any_number_of_files_is_new(tmp_path, pending, files):
    keep_pending(tmp_path, replace(pending, files=files))
    assert everything(tmp_path / "pending") == {
        "policy/metadata.json": pending.metadata.to_bytes(),
        **{named(path, data): data for path, data in files.items()},
    }


def test_files_without_metadata_are_not_pending(tmp_path, pending):
    """What a first keeping leaves that was killed before its last rename."""
    keep_pending(tmp_path, pending)
    (tmp_path / "pending/policy/metadata.json").unlink()
    assert CityRepository(tmp_path).pending() == {}
    keep_pending(tmp_path, pending)
    assert set(CityRepository(tmp_path).pending()) == {POLICY}


def test_what_an_earlier_program_kept_is_read(tmp_path):
    city = BundleCity()
    data = city.files[POLICY][POLICY_PATH]
    keep_pending(tmp_path, Pending(POLICY, city.metadata[POLICY], {POLICY_PATH: data}))
    (file,) = (tmp_path / "pending/policy/targets/policy").glob("*.policy.toml")
    file.rename(file.with_name("policy.toml"))
    assert CityRepository(tmp_path).pending()[POLICY].files == {POLICY_PATH: data}


@pytest.mark.parametrize(
    "error", [StorageError("the disk is full", where="card"), OSError("no such device")]
)
@pytest.mark.parametrize("nth", [0, 1])
def test_after_a_failure_the_version_before_is_there(tmp_path, pending, monkeypatch, error, nth):
    keep_pending(tmp_path, pending)
    before, left, real = everything(tmp_path), nth, pending_files.write_atomic

    def fail(*arguments):
        nonlocal left
        left -= 1
        if left < 0:
            raise error
        real(*arguments)

    monkeypatch.setattr(pending_files, "write_atomic", fail)
    with pytest.raises(StorageError):
        keep_pending(tmp_path, replace(pending, files={"policy/2.toml": b"newer"}))
    assert everything(tmp_path) == before


def test_a_first_version_that_fails_leaves_nothing(tmp_path, pending, monkeypatch):
    (tmp_path / "pending").write_bytes(b"a file in the folder's place")
    with pytest.raises(StorageError, match="cannot keep what was signed"):
        keep_pending(tmp_path, pending)
    (tmp_path / "pending").unlink()

    def fail(folder, *_):
        raise StorageError("the disk is full", where=folder)

    monkeypatch.setattr(pending_files, "write_atomic", fail)
    with pytest.raises(StorageError, match="the disk is full"):
        keep_pending(tmp_path, pending)
    assert list((tmp_path / "pending").iterdir()) == []


def test_what_cannot_be_removed_is_one_clear_error(tmp_path, pending, monkeypatch):
    keep_pending(tmp_path, pending)

    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "permission denied")

    monkeypatch.setattr(pending_files.shutil, "rmtree", denied)
    with pytest.raises(StorageError, match="cannot remove"):
        drop_pending(tmp_path, POLICY)
    assert CityRepository(tmp_path).pending() == {}, "half of it is not pending"


def test_what_was_given_up_is_remembered_until_it_is_begun_again(tmp_path, pending):
    keep_pending(tmp_path, pending)
    assert not was_withdrawn(tmp_path, pending.metadata)
    withdraw(tmp_path, pending)
    assert was_withdrawn(tmp_path, pending.metadata)
    assert CityRepository(tmp_path).pending() == {}
    keep_pending(tmp_path, pending)
    assert not was_withdrawn(tmp_path, pending.metadata)


def test_what_lies_there_otherwise_is_written_again_and_everybody_may_read_it(tmp_path, pending):
    keep_pending(tmp_path, pending)
    target = tmp_path / "pending" / named("policy/1.toml", b"policy")
    target.write_bytes(b"spoilt")
    keep_pending(tmp_path, pending)
    assert target.read_bytes() == b"policy"
    metadata = tmp_path / "pending/policy/metadata.json"
    assert {path.stat().st_mode & 0o777 for path in (target, metadata)} == {0o644}


def test_files_that_were_there_stay_when_the_version_could_not_be_kept(
    tmp_path, pending, monkeypatch
):
    keep_pending(tmp_path, pending)
    before = everything(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(pending_files, "sync_folder", full)
    with pytest.raises(StorageError):
        keep_pending(tmp_path, pending)
    assert everything(tmp_path) == before


def test_half_of_one_is_dropped_too(tmp_path, pending):
    keep_pending(tmp_path, pending)
    (tmp_path / "pending/policy/metadata.json").unlink()
    drop_pending(tmp_path, POLICY)
    assert not (tmp_path / "pending/policy").exists()


def test_what_was_given_up_is_remembered_by_its_bytes_and_may_be_given_up_again(tmp_path, pending):
    for _ in range(2):
        withdraw(tmp_path, pending)  # nothing is pending: a copy elsewhere was signed
    digest = hashlib.sha256(pending.metadata.signed_bytes).hexdigest()
    told = f"policy {pending.metadata.signed.version}\n".encode()
    assert everything(tmp_path) == {f"pending/.withdrawn/{digest}": told}


def test_a_mark_that_cannot_be_made_is_told_and_nothing_is_dropped(tmp_path, pending):
    keep_pending(tmp_path, pending)
    (tmp_path / "pending/.withdrawn").write_text("a file")
    with pytest.raises(StorageError, match="cannot make the folder"):
        withdraw(tmp_path, pending)
    assert (tmp_path / "pending/policy/metadata.json").is_file()
