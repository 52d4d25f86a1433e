"""update: what a stick holds comes into the inbox, timestamp last; a broken stick leaves the inbox
as good as it was.
"""

import json
import os
import subprocess
import sys

import pytest

from agent.bundles.fetcher import Fetch, FolderSource
from agent.bundles.generation_store import BundleStore
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.errors import BundleRefusedError, UsageError
from agent.settings import Limits, Paths, Settings
from tests.support.bundle_city import HOTLIST, HOTLIST_PATH, BundleCity
from tests.support.clerk_city import CAMERA

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def city():
    return BundleCity()


@pytest.fixture
def stick(city, tmp_path):
    return city.write(tmp_path / "stick")


@pytest.fixture
def inbox(tmp_path):
    return tmp_path / "bundles-in"


def fetch(stick, inbox, **limits):
    return Fetch(FolderSource(stick), inbox, Limits(**limits), CAMERA).run()


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_was_fetched_is_taken_in(city, stick, inbox, tmp_path):
    assert fetch(stick, inbox).files == len(city.published)
    assert files(inbox) == set(city.published)
    store = BundleStore(tmp_path / "state", city.anchor(tmp_path), Limits(), rig=False)
    assert store.take_in(inbox, Instant(city.now)).number == 1
    assert fetch(stick, inbox).files == 0


def test_only_what_is_new_is_written_and_what_is_old_goes(city, stick, inbox):
    fetch(stick, inbox)
    (stick / "holiday.jpg").write_bytes(b"not ours")
    city.day_passes()
    fetch(city.write(stick), inbox)
    metadata = {name for name in files(inbox) if name.startswith("metadata/")}
    assert "metadata/1.hotlist.json" not in metadata
    assert {"metadata/2.hotlist.json", "metadata/1.policy.json", "metadata/1.root.json"} <= metadata
    assert "holiday.jpg" not in files(inbox)


def test_every_root_comes_so_that_a_camera_that_slept_can_follow(city, stick, inbox):
    for _ in range(3):
        city.root()
    city.online()
    fetch(city.write(stick), inbox)
    assert {f"metadata/{version}.root.json" for version in (1, 2, 3, 4)} <= files(inbox)


@pytest.mark.parametrize(
    "gone",
    [
        "metadata/timestamp.json",
        "metadata/2.snapshot.json",
        "metadata/2.hotlist.json",
        "targets/hotlist",
    ],
)
def test_a_stick_that_is_not_whole_leaves_the_inbox_to_the_old_timestamp(city, stick, inbox, gone):
    fetch(stick, inbox)
    before = (inbox / "metadata/timestamp.json").read_bytes()
    city.files[HOTLIST][HOTLIST_PATH] = b"a newer list"
    city.day_passes()
    city.write(stick)
    for name in list(city.published):
        if name.startswith(gone):
            (stick / name).unlink()
    with pytest.raises(BundleRefusedError) as refused:
        fetch(stick, inbox)
    assert refused.value.reason == Reason.BUNDLE_INCOMPLETE
    assert (inbox / "metadata/timestamp.json").read_bytes() == before
    assert set(city.published) - files(inbox) or gone == "metadata/timestamp.json"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("metadata/timestamp.json", b"{", Reason.BUNDLE_MALFORMED),
        ("metadata/timestamp.json", b"[" * 9000, Reason.BUNDLE_MALFORMED),
        ("metadata/timestamp.json", b'{"signed": {"version": "1"}}', Reason.BUNDLE_MALFORMED),
        ("metadata/timestamp.json", b" " * 20_000, Reason.BUNDLE_INCOMPLETE),
        (
            "metadata/1.policy.json",
            (
                b'{"signed": {"targets": {"../../../etc/cron.d/x": {"length": 1, "hashes": '
                b'{"sha256": ""}}}}}'
            ),
            Reason.BUNDLE_MALFORMED,
        ),
    ],
)
def test_an_odd_stick_is_refused_and_nothing_is_written_elsewhere(
    stick, inbox, tmp_path, name, content, reason
):
    (stick / name).write_bytes(content)
    before = files(tmp_path)
    with pytest.raises(BundleRefusedError) as refused:
        fetch(stick, inbox)
    assert refused.value.reason == reason
    assert all(new.startswith("bundles-in/targets/") for new in files(tmp_path) - before)


def test_more_than_the_settings_allow_is_not_fetched(city, stick, inbox):
    city.files[HOTLIST][HOTLIST_PATH] = bytes(1_048_577)
    city.release(HOTLIST)
    city.online()
    with pytest.raises(BundleRefusedError) as refused:
        fetch(city.write(stick), inbox, max_bundle_bytes=1_048_576)
    assert refused.value.reason == Reason.BUNDLE_TOO_LARGE


def test_the_command(stick, tmp_path):
    (tmp_path / "platewarden.toml").write_text('camera_id = "cam-01"\n')
    command = [
        sys.executable,
        "-m",
        "agent",
        "update",
        str(stick),
        "--config",
        str(tmp_path / "platewarden.toml"),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["timestamp"] == 1
    command[4] = str(tmp_path / "no-stick")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "is the stick mounted?" in done.stderr) == (2, True)


# --- a stick that somebody prepared ---


@pytest.mark.parametrize("what", ["metadata", "targets", "metadata/timestamp.json"])
def test_no_link_on_a_stick_is_followed(stick, inbox, tmp_path, what):
    place = stick / what
    elsewhere = tmp_path / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    with pytest.raises(BundleRefusedError, match="links are not followed"):
        fetch(stick, inbox)
    assert files(inbox) == set()


def test_what_is_no_metadata_is_copied_nowhere(stick, inbox):
    (stick / "metadata/2.root.json").write_bytes(b"root:x:0:0:root:/root:/bin/bash\n")
    with pytest.raises(BundleRefusedError, match="is not metadata"):
        fetch(stick, inbox)
    assert "metadata/2.root.json" not in files(inbox)


def test_root_takes_no_stick_into_another_users_inbox(stick, inbox, tmp_path, monkeypatch):
    from agent.sides import update

    inbox.mkdir()
    settings = Settings(camera_id="cam-1", root=tmp_path, paths=Paths(bundles=inbox))
    monkeypatch.setattr(update.os, "geteuid", lambda: 0)
    if inbox.stat().st_uid == 0:
        os.chown(inbox, 65534, 65534)
    with pytest.raises(UsageError, match="not taken in as root"):
        update.from_folder(settings, stick)
    assert files(inbox) == set()
