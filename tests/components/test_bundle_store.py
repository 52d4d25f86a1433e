"""The store of verified bundles: whole or not at all, whatever the stick, the disk or the card
does; what lapses alone, and what it stops.
"""

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from inspect import signature
from pathlib import Path

import pytest

from agent.bundles import updater
from agent.bundles.follower import Follower
from agent.bundles.generation import Lapse, Stops
from agent.bundles.generation_store import BundleStore
from agent.bundles.inbox import Inbox
from agent.bundles.layout import HOTLIST, POLICY, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, keys_role
from agent.bundles.verification import Verification
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.errors import ConfigError, RefusedError, StorageError
from agent.settings import Limits
from tests.support.bundle_city import KEYS, BundleCity

pytestmark = pytest.mark.usefixtures("quick_disk")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def city():
    return BundleCity()


@pytest.fixture
def store(city, tmp_path):
    return BundleStore(tmp_path / "bundles", city.anchor(tmp_path), Limits(), rig=False)


@pytest.fixture
def inbox(city, tmp_path):
    return city.write(tmp_path / "bundles-in")


def at(city, later=HOUR):
    return Instant(city.now + later)


def reason(store, inbox, now):
    with pytest.raises(RefusedError) as refused:
        store.take_in(inbox, now)
    return refused.value.reason


def test_the_files_lie_as_in_a_citys_folder(city, store, inbox):
    generation = store.take_in(inbox, at(city))
    files = {
        str(path.relative_to(generation.city))
        for path in generation.city.rglob("*")
        if path.is_file()
    }
    assert files == {
        *(
            "city.json",
            "charter.toml",
            "policy.toml",
            "roster.toml",
            "roster.jws",
            "root.json",
            "ca/city-hall-ca.pem",
        ),
        *("hotlist.age", "keys/exampleville-pd.jws"),
    }
    assert store.current() == generation
    assert (store.folder.stat().st_mode & 0o777, generation.folder.stat().st_mode & 0o777) == (
        0o700,
        0o700,
    )


def test_nothing_new_is_no_work_and_no_change(city, store, inbox):
    generation = store.take_in(inbox, at(city))
    assert store.take_in(inbox, at(city)) is None
    assert store.current() == generation


def test_a_new_root_is_taken_in_without_a_new_timestamp(city, store, inbox):
    store.take_in(inbox, at(city))
    city.root()
    assert store.take_in(city.write(inbox), at(city)).versions[ROOT] == 2


def test_a_link_into_a_forbidden_folder_is_a_refusal(city, store, inbox, monkeypatch):
    """Also where nothing else is new, so that nobody waits in silence for a root that lies there.
    As root nothing is forbidden: what the system would raise is planted.
    """
    stat = Path.stat

    def refuses(path, **more):
        if path.name == "2.root.json":
            raise PermissionError(13, "Permission denied")
        return stat(path, **more)

    store.take_in(inbox, at(city))
    monkeypatch.setattr(Path, "stat", refuses)
    assert reason(store, inbox, at(city)) == Reason.BUNDLE_INCOMPLETE


def nothing(_file):
    pass


@pytest.mark.parametrize("instead", [nothing, Path.mkdir, lambda file: file.symlink_to(file)])
def test_an_inbox_that_lost_its_timestamp_is_no_old_one(city, store, inbox, instead):
    store.take_in(inbox, at(city))
    file = inbox / "metadata/timestamp.json"
    file.unlink()
    instead(file)
    assert reason(store, inbox, at(city)) == Reason.BUNDLE_INCOMPLETE


def test_deliver_holds_no_hot_list(city, inbox, tmp_path):
    store = BundleStore(
        tmp_path / "deliver",
        city.anchor(tmp_path),
        Limits(),
        rig=False,
        leave_out=frozenset({HOTLIST}),
    )
    assert not (store.take_in(inbox, at(city)).city / "hotlist.age").exists()
    assert store.current().versions[HOTLIST] == 1


# --- what may lapse alone ---


@pytest.mark.parametrize(
    ("role", "file", "stops"),
    [(HOTLIST, "hotlist.age", Stops.HOTLIST), (KEYS, "keys/exampleville-pd.jws", Stops.RECIPIENT)],
)
def test_an_expired_hot_list_or_key_list_stops_itself_and_lets_a_new_policy_in(
    city, store, inbox, role, file, stops
):
    store.take_in(inbox, at(city))
    city.release(role, expires=city.now)
    city.edit_policy(b"max_per_hour = 20", b"max_per_hour = 2")
    generation = store.take_in(city.write(inbox), at(city))
    assert b"max_per_hour = 20" not in (generation.city / "policy.toml").read_bytes()
    assert not (generation.city / file).exists()
    assert generation.lapsed(city.now + HOUR) == (Lapse(role, city.now, stops),)
    assert generation.versions[role] == 2


def test_a_role_that_nobody_has_signed_yet_stops_itself(city, store, tmp_path):
    del city.metadata[KEYS]
    city.metadata.pop(SNAPSHOT)
    city.online()
    generation = store.take_in(city.write(tmp_path / "in"), at(city))
    assert generation.lapsed(city.now) == (Lapse(KEYS, None, Stops.RECIPIENT),)


def test_a_recipient_whose_delegation_has_ended_is_gone(city, store, inbox):
    store.take_in(inbox, at(city))

    def end(targets):
        del targets.delegations.roles[KEYS]

    city.release(TARGETS, change=end)
    city.online()
    generation = store.take_in(city.write(inbox), at(city))
    assert KEYS not in generation.versions
    assert not (generation.city / "keys").exists()


def test_what_stops_when_nobody_signs_any_more(city, store, inbox):
    """The table of docs/ref/bundles.md, day by day, for two years."""
    generation = store.take_in(inbox, at(city))
    first_day: dict[str, int] = {}
    for day in range(800):
        for lapse in generation.lapsed(city.now + day * DAY):
            first_day.setdefault(f"{lapse.role}: {lapse.stops}", day)
    assert first_day == {
        "hotlist: hot list": 2,
        "timestamp: everything": 3,
        "snapshot: everything": 7,
        f"{KEYS}: recipient": 100,
        "policy: everything": 190,
        "targets: everything": 365,
        "root: everything": 730,
    }


# --- sticks ---


def test_a_stick_pulled_out_while_it_is_read_changes_nothing(city, store, inbox, monkeypatch):
    """After every single file that is asked for, all that follow are gone."""
    total = len(asked(city, store, inbox, monkeypatch))
    for pulled_after in range(1, total):
        city.write(inbox)
        count = [0]

        def fetch(self, url, honest=Inbox._fetch, count=count, last=pulled_after):
            count[0] += 1
            if count[0] > last:
                shutil.rmtree(inbox, ignore_errors=True)
            return honest(self, url)

        monkeypatch.setattr(Inbox, "_fetch", fetch)
        assert reason(store, inbox, at(city)) == Reason.BUNDLE_INCOMPLETE
        assert store.current() is None
        monkeypatch.undo()


def asked(city, store, inbox, monkeypatch):
    """How many files a whole update asks for."""
    urls = []
    honest = Inbox._fetch
    monkeypatch.setattr(Inbox, "_fetch", lambda self, url: urls.append(url) or honest(self, url))
    store.take_in(inbox, at(city))
    monkeypatch.undo()
    shutil.rmtree(store.folder)
    return urls


def test_a_file_that_vanishes_between_two_reads_of_it(city, store, inbox, monkeypatch):
    opened = os.open

    def vanish(path, *arguments, **options):
        if str(path).endswith("policy.toml") and str(inbox) in str(path):
            Path(path).unlink()
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", vanish)
    assert reason(store, inbox, at(city)) == Reason.BUNDLE_INCOMPLETE


def test_a_stick_that_cannot_be_written_to_is_only_read(city, store, inbox):
    everything = [inbox, *inbox.rglob("*")]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in everything}
    for path in everything:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        assert store.take_in(inbox, at(city)) is not None
        assert {
            path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in everything
        } == before
        assert [inbox, *inbox.rglob("*")] == everything
    finally:
        for path in everything:
            path.chmod(0o700)


@pytest.mark.parametrize("place", ["metadata/timestamp.json", "metadata/1.policy.json"])
def test_a_pipe_or_a_folder_in_a_files_place_does_not_hang(city, store, inbox, place):
    (inbox / place).unlink()
    os.mkfifo(inbox / place)
    assert reason(store, inbox, at(city)) == Reason.BUNDLE_INCOMPLETE
    (inbox / place).unlink()
    (inbox / place).mkdir()
    assert reason(store, inbox, at(city)) == Reason.BUNDLE_INCOMPLETE


@pytest.mark.parametrize(
    "url",
    [
        "inbox:/metadata/../../etc/passwd",
        "inbox:/targets//etc/passwd",
        "inbox:/targets/a/../../b",
        "file:///etc/passwd",
    ],
)
def test_a_name_cannot_lead_out_of_the_inbox(inbox, url):
    source = Inbox(inbox)
    with pytest.raises(Exception, match="names a file that no bundle has"):
        list(source.fetch(url))
    assert source.refusal.reason == Reason.BUNDLE_MALFORMED


def test_an_empty_stick(city, store, tmp_path):
    assert reason(store, tmp_path / "nothing", at(city)) == Reason.BUNDLE_INCOMPLETE


# --- this machine ---


def test_a_card_that_lost_a_bit_is_noticed(city, store, inbox):
    generation = store.take_in(inbox, at(city))
    policy = generation.city / "policy.toml"
    policy.write_bytes(policy.read_bytes().replace(b"max_per_hour = 20", b"max_per_hour = 99"))
    with pytest.raises(RefusedError, match="policy.toml is not what was verified"):
        store.current()
    assert reason(store, inbox, at(city)) == Reason.BUNDLE_TARGET_ALTERED


def test_another_anchor_makes_what_was_verified_worthless(city, store, inbox, tmp_path):
    store.take_in(inbox, at(city))
    BundleCity().anchor(tmp_path)
    with pytest.raises(RefusedError) as refused:
        store.current()
    assert refused.value.reason == Reason.BUNDLE_OTHER_CITY


def test_an_anchor_that_is_none_is_named(city, store, inbox, tmp_path):
    (tmp_path / "trust/root.json").write_bytes(b"{}")
    with pytest.raises(ConfigError, match="trust/root.json"):
        store.take_in(inbox, at(city))


def test_a_disk_that_is_full_changes_nothing(city, store, inbox, monkeypatch):
    generation = store.take_in(inbox, at(city))
    city.day_passes()
    city.write(inbox)

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.bundles.generation_store.os.fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        store.take_in(inbox, at(city))
    monkeypatch.undo()
    assert store.current() == generation
    assert store.take_in(inbox, at(city)).number == 2


def test_two_processes_do_not_take_in_at_once(city, store, inbox):
    with store._alone(), pytest.raises(StorageError, match="another process takes bundles in here"):
        store.take_in(inbox, at(city))


def test_what_a_crash_left_is_removed(city, store, inbox):
    store.take_in(inbox, at(city))
    generations = store.folder / "generations"
    (generations / "2.part/city").mkdir(parents=True)
    (generations / "7").mkdir()
    city.day_passes()
    assert store.take_in(city.write(inbox), at(city)).number == 8
    assert [path.name for path in generations.iterdir()] == ["8"]


# --- what of python-tuf is loaded ---


def test_the_one_private_part_of_tuf_that_we_touch_is_still_there(city, tmp_path):
    made = updater.Updater(
        str(tmp_path),
        "x",
        None,
        "y",
        Inbox(tmp_path),
        bootstrap=city.published["metadata/1.root.json"],
    )
    assert made._trusted_set.reference_time.tzinfo is not None


def test_no_network_library_is_loaded_with_it():
    code = (
        "import sys, agent.bundles.verification; print(*(name for name in sys.modules "
        "if name.split('.')[0] in ('urllib3', 'requests', 'ssl', 'http', 'numpy')))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()
        == ""
    )


# --- looking into the inbox now and then ---


class Eyes:
    def __init__(self, store, inbox):
        self.refusals = []
        self.follower = Follower(
            store, inbox, lambda reason, what: self.refusals.append((reason, what))
        )
        self.s = 100.0

    def look(self, now, after_s=10.0):
        self.s += after_s
        return self.follower.look(now, self.s)


def test_a_follower_takes_in_what_is_new_and_looks_no_oftener_than_every_ten_seconds(
    city, store, inbox
):
    eyes = Eyes(store, inbox)
    assert eyes.look(at(city)).number == 1
    city.day_passes()
    city.write(inbox)
    assert eyes.look(at(city), 5.0) is None
    assert eyes.look(at(city), 5.0).number == 2
    assert eyes.look(at(city)) is None


def test_a_refusal_is_told_once_kept_for_status_and_tried_again(city, store, inbox):
    eyes = Eyes(store, inbox)
    eyes.look(at(city))
    city.day_passes()
    hidden = city.published.pop("metadata/2.snapshot.json")
    city.write(inbox)
    assert [eyes.look(at(city)) for _ in range(20)] == [None] * 20
    assert [reason for reason, _ in eyes.refusals] == [Reason.BUNDLE_INCOMPLETE]
    assert '"bundle-incomplete"' in (store.folder / "refusals.json").read_text()
    (inbox / "metadata/2.snapshot.json").write_bytes(hidden)
    assert eyes.look(at(city), 70.0).number == 2


def test_a_full_disk_is_not_the_bundles_fault(city, store, inbox, monkeypatch):
    eyes = Eyes(store, inbox)

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.bundles.generation_store.os.fsync", full)
    assert eyes.look(at(city)) is None
    reasons, words = zip(*eyes.refusals, strict=True)
    assert set(reasons) == {Reason.STORAGE_FAILED}
    assert all("the disk is full" in what for what in words)


def test_an_inbox_that_changes_without_end_does_not_fill_the_log(city, store, inbox):
    eyes = Eyes(store, inbox)
    for number in range(100):
        (inbox / "metadata/timestamp.json").write_bytes(b"x" * (number + 1))
        eyes.look(at(city))
    assert len(eyes.refusals) == 20
    eyes.s += 3600
    (inbox / "metadata/timestamp.json").write_bytes(b"y")
    eyes.look(at(city))
    assert len(eyes.refusals) == 21


def test_an_empty_inbox_is_no_refusal(city, store, tmp_path):
    eyes = Eyes(store, tmp_path / "bundles-in")
    assert eyes.look(at(city)) is None
    assert eyes.refusals == []


def test_every_role_of_the_camera_has_a_lifetime():
    assert {
        ROOT,
        TARGETS,
        SNAPSHOT,
        TIMESTAMP,
        POLICY,
        HOTLIST,
        keys_role("exampleville-pd"),
    } == set(BundleCity().signers)


def test_whoever_names_no_camera_wants_no_key_to_a_hot_list(tmp_path):
    """A recipient, deliver and a clerk's own check hold none."""
    store = BundleStore(tmp_path / "bundles", tmp_path / "root.json", Limits(), rig=False)
    assert store._camera == ""
    own = signature(Verification).parameters["camera"]
    assert own.default == ""
