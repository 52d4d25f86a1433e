"""A hot list of its own key: exactly the roster's cameras open it, each fetches one small file, an
addition by hand changes nothing else, and a city of an earlier version goes on until it changes.
"""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuf.api.metadata import Metadata, TargetFile, Targets

from agent.bundles.fetcher import Fetch, FolderSource
from agent.bundles.hotlist_file import list_folder
from agent.bundles.hotlist_sealed import open_hotlist
from agent.bundles.layout import (
    HOTLIST,
    HOTLIST_PATH,
    KEY_GROUPS,
    MANUAL_PATH,
    ROLES,
    city_file,
    group_path,
    may_sign,
    most_bytes,
    wanted_by,
)
from agent.bundles.repository.published import CityRepository
from agent.city.hotlist_changes import Before
from agent.city.hotlist_ciphertexts import Sealed, seal
from agent.city.hotlist_kept import Cameras, Kept, hashes
from agent.core.hotlist.compiled_format import encode
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.policy.schema.hotlist_rules import HotlistRules
from agent.errors import BundleRefusedError
from agent.settings import Limits
from tests.components.test_hotlist_publish import FRESH, at_once, desk, enrol, opened
from tests.components.test_withdrawn import plates, run
from tests.support.clerk_city import (
    CAMERA,
    LATER,
    OTHER,
    camera,
    copied,
    found,
    is_error,
    publish_first,
)
from tests.support.hotlist_opened import opened_file

__all__ = ["desk", "plates"]
pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("quick_disk")]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROWS = [
    b"plate,state,category,agency,case,source_date,expires\n",
    b"PWD 0001,US-CA,stolen-vehicle,Exampleville PD,EPD-1,2026-11-10,2031-01-10\n",
]
KEYS = [pyrage.x25519.Identity.generate() for _ in range(12)]


def plain_list():
    made = import_list(Source(ROWS, "hotlist.csv", NOON), {"stolen-vehicle"}, date(2026, 11, 22))
    return bytes(encode(made.compiled.header, made.compiled.columns))


LIST = {HOTLIST_PATH: plain_list()}


def opens(folder, files, name, key):
    """Whether a camera of that id finds the entry in what it takes of these files."""
    for path, data in files.items():
        if wanted_by(path, name):
            place = folder / city_file(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    try:
        held = open_hotlist(
            folder,
            key,
            NOON.date(),
            {"stolen-vehicle"},
            timedelta(days=30),
            NOON + timedelta(days=1),
            HotlistRules(),
        )
    except BundleRefusedError as refused:
        if refused.reason != "decryption-failed":
            raise
        return False
    return [one.case for one in held.texts("PWD0001")] == ["EPD-1"]


def grouped(ids):
    """Cameras of these ids, each with the key of its place in KEYS."""
    return Cameras({name: str(KEYS[at].to_public()) for at, name in ids.items()}, grouped=True)


IDS = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(IDS, min_size=len(KEYS), max_size=len(KEYS), unique=True),
    listed=st.sets(st.integers(0, len(KEYS) - 1), min_size=1),
)
def test_exactly_the_rosters_cameras_open_it(tmp_path_factory, names, listed):
    files = seal(LIST, grouped({at: names[at] for at in listed})).new
    assert all(may_sign(ROLES[HOTLIST], path) for path in files)
    opening = {
        at
        for at, name in enumerate(names)
        if opens(tmp_path_factory.mktemp("camera"), files, name, KEYS[at])
    }
    assert opening == listed
    stolen = tmp_path_factory.mktemp("stolen")
    assert not opens(stolen, files, names[min(listed)], pyrage.x25519.Identity.generate())


def test_the_plain_key_and_the_plates_lie_in_no_published_file():
    made = seal(LIST, grouped({0: "cam-0", 1: "cam-1"}))
    assert made.list_key.startswith("AGE-SECRET-KEY-1")
    assert all(made.list_key.encode() not in data for data in made.new.values())
    assert made.list_key not in repr(made) + repr(Kept("", {}, "", made.list_key))


def test_a_camera_less_is_another_key_and_a_list_that_it_cannot_open(tmp_path):
    both = grouped({0: "cam-0", 1: "cam-1"})
    before = seal(LIST, both)
    kept = Kept("", hashes_of(before), before.imported, before.list_key)
    after = seal(LIST, grouped({0: "cam-0"}), earlier(kept))
    assert not opens(tmp_path, after.new, "cam-1", KEYS[1])
    assert not opens(tmp_path / "key", after.new, "x", identity_of(before))
    assert opens(tmp_path / "listed", after.new, "cam-0", KEYS[0])


def identity_of(made: Sealed):
    return pyrage.x25519.Identity.from_str(made.list_key)


def earlier(kept, published=None):
    """What cameras have, of a city without a folder."""
    role = Metadata(published) if published else None
    return Before(CityRepository(Path("none")), role, kept, NOON)


def hashes_of(made: Sealed):
    return hashes(targets_of(made))


def targets_of(made: Sealed):
    described = {
        path: TargetFile.from_data(path, data, ["sha256"]) for path, data in made.new.items()
    }
    return Targets(targets=described)


@pytest.mark.parametrize(
    "more",
    [
        {"imported": "0" * 64},
        {"list_key": ""},
        {"list_key": "AGE-SECRET-KEY-1DAMAGED"},
        {"files": {}},
    ],
    ids=["another list", "no key kept", "a damaged key", "another publication"],
)
def test_only_what_is_surely_published_stays(more):
    cameras = grouped({0: "cam-0"})
    before = seal(LIST, cameras)
    kept = Kept("", hashes_of(before), before.imported, before.list_key)
    by_hand = {**LIST, MANUAL_PATH: b"acts"}
    added = seal(by_hand, cameras, earlier(kept, targets_of(before)))
    assert (added.new.keys(), added.same) == ({MANUAL_PATH}, before.new.keys())
    anew = seal(by_hand, cameras, earlier(replace(kept, **more), targets_of(before)))
    assert (anew.new.keys(), anew.same) == ({*before.new, MANUAL_PATH}, frozenset())
    assert anew.list_key != before.list_key


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b"keys 1", b"keys 2"),
        lambda text: text[:-1],
        lambda text: text[:-9] + b"\n",
        lambda text: text[:-20] + b"*" + text[-19:],
        lambda text: b"".join(
            [*text.splitlines(keepends=True)[:1], text.split(b"\n")[1].split()[0], b" bm8=\n"]
        ),
        lambda _: b"",
    ],
    ids=["another version", "cut off", "shorter", "no base64", "no age file", "empty"],
)
def test_a_file_of_keys_that_is_not_as_it_should_be_is_one_refusal(tmp_path, spoil):
    files = dict(seal(LIST, grouped({0: "cam-0"})).new)
    assert opens(tmp_path / "sound", files, "cam-0", KEYS[0])
    files[group_path("cam-0")] = spoil(files[group_path("cam-0")])
    assert not opens(tmp_path / "spoilt", files, "cam-0", KEYS[0])


def test_a_line_with_something_else_than_a_key_is_the_same_refusal(tmp_path):
    from agent.bundles.hotlist_keys import format_groups

    own = str(KEYS[0].to_public())
    wrong = pyrage.encrypt(b"no key", [KEYS[0].to_public()])
    files = dict(seal(LIST, grouped({0: "cam-0"})).new)
    assert not opens(
        tmp_path, files | format_groups({"cam-0": own}, {own: wrong}), "cam-0", KEYS[0]
    )


def test_groups_are_even_and_their_paths_the_roles_own():
    groups = {}
    for number in range(10_000):
        groups.setdefault(group_path(f"camera-{number}"), []).append(number)
    assert len(groups) == KEY_GROUPS
    assert max(map(len, groups.values())) < 3 * 10_000 / KEY_GROUPS
    rule = ROLES[HOTLIST]
    assert all(may_sign(rule, path) and most_bytes(path) == 1 << 20 for path in groups)
    for path in ("128.keys", "00.keys", "0000.keys", "*.keys", "a/000.keys", "000.keys.age"):
        assert not may_sign(rule, f"hotlist/cameras/{path}")
    assert not may_sign(ROLES["policy"], "hotlist/cameras/000.keys")


@pytest.fixture
def two(desk):
    """A published list, and a second camera enrolled before it."""
    path, kit = desk.enrol(OTHER)
    (desk.folder / "other").write_bytes(kit.private["hotlist.key"])
    enrol(desk, path, on=LATER)
    assert at_once(desk)["cameras"] == 2
    return desk


def test_each_camera_holds_its_own_groups_keys_and_no_others(two, tmp_path):
    assert group_path(CAMERA) != group_path(OTHER)
    for name in (CAMERA, OTHER):
        taken = camera(two, FRESH, folder=f"for-{name}", name=name).city
        assert [path.name for path in (taken / "cameras").iterdir()] == [
            group_path(name).rpartition("/")[2]
        ]
        inbox = tmp_path / f"in-{name}"
        Fetch(FolderSource(two.repository), inbox, Limits(), name).run()
        assert len(list((inbox / "targets/hotlist/cameras").iterdir())) == 1
        assert camera(two, FRESH, folder=f"from-{name}", name=name).city.is_dir()
    assert opened(two, FRESH, "other") == opened(two, FRESH, "identity")


def test_a_retired_camera_finds_no_key_and_cannot_open_the_next_list(two):
    key = ("--roster-key", two.key("roster"), "--passphrase-file", two.folder / "passphrase")
    on = "2026-11-20T09:00:00Z"
    assert two.sign("dora", "--retire", OTHER, *key, on=on).code == 0
    assert two.sign("eli", on=on).code == 0
    assert two.publish(on=on).code == 0
    assert at_once(two, on=on)["cameras"] == 1
    taken = camera(two, on, folder="retired", name=OTHER).city
    own = pyrage.x25519.Identity.from_str((two.folder / "other").read_text().strip())
    assert not (taken / "cameras").exists()
    with pytest.raises(BundleRefusedError, match="not encrypted to this camera"):
        open_hotlist(taken, own, NOON.date(), (), timedelta(1), NOON + timedelta(1), HotlistRules())
    assert opened(two, on, "identity")


def test_an_addition_by_hand_is_one_small_file_more(plates):
    def ciphertexts():
        folder = plates.repository / "targets/hotlist"
        return {str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file()}

    before = ciphertexts()
    words = ("--state", "US-CA", "--category", "stolen-vehicle", "--agency", "Town PD")
    who = ("--by", "clerk 8", "--why", "reported", "--case", "C-9", "--expires", "9d")
    assert run(plates, "add", *words, *who).code == 0
    assert at_once(plates, on=FRESH)["result"] == "encrypted"
    (new,) = ciphertexts() - before
    assert new.endswith(".manual.age")
    assert before < ciphertexts()
    taken = camera(plates, FRESH).city
    own = pyrage.x25519.Identity.from_str((plates.folder / "identity").read_text().strip())
    assert b"C-9" in opened_file(taken, own, "manual.age")
    assert opened_file(taken, own)
    state = list_folder(plates.city) / "hotlist-published.json"
    assert state.stat().st_mode & 0o077 == 0


@contextmanager
def earlier_version(monkeypatch):
    """The software before lists had keys of their own."""
    rule = ROLES[HOTLIST]
    with monkeypatch.context() as patch:
        patch.setitem(ROLES, HOTLIST, replace(rule, paths=(HOTLIST_PATH, MANUAL_PATH)))
        yield


@pytest.fixture
def old_desk(cities, tmp_path, capsys, monkeypatch):
    """A city that was founded and published by earlier software, with one camera and a list."""

    def make(folder):
        with earlier_version(monkeypatch):
            desk = publish_first(found(folder, capsys))
            path, kit = desk.enrol()
            (desk.folder / "identity").write_bytes(kit.private["hotlist.key"])
            enrol(desk, path)

    desk = copied(cities, "before-list-keys", tmp_path, capsys, make)
    (desk.city / "hotlist.csv").write_bytes(b"".join(ROWS))
    return desk


def rotated(desk, *more, on=FRESH):
    return desk.rotate("--role", "hotlist", *more, on=on)


def test_a_city_of_an_earlier_version_goes_on_as_it_was(old_desk, monkeypatch):
    assert at_once(old_desk)["result"] == "encrypted"
    assert not (old_desk.repository / "targets/hotlist/cameras").exists()
    assert opened(old_desk, FRESH, "identity")
    with earlier_version(monkeypatch):
        assert camera(old_desk, FRESH, folder="old-camera").city.is_dir()
    assert at_once(old_desk, on="2026-11-20T09:00:00Z")["result"] == "unchanged"


def test_two_of_the_charters_signers_give_its_lists_keys_of_their_own(old_desk, monkeypatch):
    at_once(old_desk)
    said = rotated(old_desk)
    assert said.code == 0, said.err
    assert "hotlist: may sign hotlist/cameras/*.keys too" in said.out
    for who in ("ada", "ben"):
        assert old_desk.sign(who, on=FRESH).code == 0
    assert old_desk.publish(on=FRESH).code == 0
    assert at_once(old_desk)["result"] == "encrypted"
    assert (old_desk.repository / "targets/hotlist/cameras").is_dir()
    assert opened(old_desk, FRESH, "identity")
    is_error(rotated(old_desk), 2, "nothing changes")
    with earlier_version(monkeypatch):  # the one sentence of a camera that must be updated first
        refused = camera(old_desk, FRESH, folder="old-camera")
        assert refused.what == "hotlist is handed paths that are not its own"


def test_a_change_of_keys_alone_hands_no_new_paths_out(old_desk):
    said = rotated(old_desk, "--add", old_desk.pub("gus"))
    assert said.code == 0, said.err
    assert "cameras" not in said.out
