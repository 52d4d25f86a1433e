"""What verification asks beyond the list of attacks: of a camera's first bundles, of clocks, years
and sizes at their bounds, of roles that are handed less than they could be, and of rigs.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.bundles.generation_store import BundleStore
from agent.bundles.layout import (
    CHARTER_PATH,
    CITY_PATH,
    HOTLIST,
    HOTLIST_PATH,
    POLICY,
    POLICY_PATH,
    ROOT,
    SNAPSHOT,
    TARGETS,
)
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.errors import RefusedError, StorageError
from agent.settings import Limits
from tests.support.bundle_city import KEYS, OWN, BundleCity

pytestmark = pytest.mark.usefixtures("quick_disk")

HOUR = timedelta(hours=1)
ALL_DATES_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class Camera:
    """One that has taken in nothing yet. `take_in`: at the moment of issue, unless told."""

    def __init__(self, city, folder, *, rig=False, **limits):
        self.city, self.inbox = city, folder / "bundles-in"
        self.store = BundleStore(folder / "bundles", city.anchor(folder), Limits(**limits), rig=rig)

    def take_in(self, later=timedelta(0)):
        return self.store.take_in(self.city.write(self.inbox), Instant(self.city.now + later))

    def refused(self, reason, *told, later=timedelta(0)):
        """For this reason and in these words; what was verified before stays."""
        before = self.store.current()
        with pytest.raises(RefusedError) as refused:
            self.take_in(later)
        assert refused.value.reason == reason
        for words in told:
            assert words in str(refused.value)
        assert "generations/" not in str(refused.value)  # a folder that is gone by now
        assert self.store.current() == before


@pytest.fixture
def city():
    return BundleCity()


@pytest.fixture
def camera(city, tmp_path):
    return Camera(city, tmp_path)


# --- clocks and years ---


def test_what_was_issued_at_this_very_moment_is_taken_and_what_comes_from_the_future_is_not(
    city, camera
):
    city.timestamp(issued=city.now + HOUR)
    told = (
        "the newest bundle was signed at 2026-11-22 07:00:00 UTC",
        "and here it is 2026-11-22 06:59:59 UTC",
    )
    camera.refused(Reason.CLOCK_BEHIND_BUNDLES, *told, later=HOUR - timedelta(seconds=1))
    assert camera.take_in(HOUR).number == 1


def test_a_clock_set_back_takes_nothing_in(city, camera):
    """Else everything that has expired would be valid again."""
    issued = city.now
    camera.take_in()
    city.timestamp(issued=issued)
    told = (
        "the clock says 2026-11-22 05:59:59 UTC",
        "cannot be earlier than 2026-11-22 06:00:00 UTC",
    )
    camera.refused(Reason.CLOCK_BEHIND_BUNDLES, *told, later=-timedelta(seconds=1))
    assert camera.take_in().number == 2


def test_a_time_that_was_surely_reached_is_a_floor_as_well(city, camera):
    camera.city.write(camera.inbox)
    floor = city.now + HOUR
    with pytest.raises(
        RefusedError, match=r"cannot be earlier than 2026-11-22 07:00:00"
    ) as refused:
        camera.store.take_in(camera.inbox, Instant(city.now, at_least=floor))
    assert refused.value.reason == Reason.CLOCK_BEHIND_BUNDLES
    assert camera.store.take_in(camera.inbox, Instant(floor, at_least=floor)).number == 1


@pytest.mark.parametrize("role", [ROOT, TARGETS, SNAPSHOT, POLICY, HOTLIST])
def test_no_role_lives_until_the_end_of_all_dates(city, camera, role):
    if role == ROOT:
        city.root(change=lambda root: setattr(root, "expires", ALL_DATES_END))
    elif role != SNAPSHOT:
        city.release(role, expires=ALL_DATES_END)
    city.online(expires={SNAPSHOT: ALL_DATES_END} if role == SNAPSHOT else None)
    camera.refused(Reason.BUNDLE_MALFORMED, f"{role} expires in the year 9999")


def test_a_policy_that_is_not_in_force_yet_waits(city, camera):
    city.edit_policy(b"effective = 2026-11-01", b"effective = 2026-11-23")
    camera.refused(Reason.POLICY_NOT_IN_FORCE)


# --- sizes ---


def files_of(city):
    return {path: data for files in city.files.values() for path, data in files.items()}


def test_all_files_together_are_bounded(city, tmp_path):
    city.files[HOTLIST][HOTLIST_PATH] = bytes(2**20)
    city.release(HOTLIST)
    city.online()
    total = sum(map(len, files_of(city).values()))
    assert Camera(city, tmp_path / "as-much", max_bundle_bytes=total).take_in().number == 1
    told = f"all files hold {total} bytes; at most {total - 1} are taken"
    Camera(city, tmp_path / "one-more", max_bundle_bytes=total - 1).refused(
        Reason.BUNDLE_TOO_LARGE, told, "raise max_bundle_bytes in [limits]"
    )


def test_the_hot_list_has_a_bound_that_other_files_do_not_have(city, tmp_path):
    most = 2**16
    city.files[HOTLIST][HOTLIST_PATH] = bytes(most)
    city.files[TARGETS][CHARTER_PATH] += b"#" * most
    for role in (TARGETS, HOTLIST):
        city.release(role)
    city.online()
    camera = Camera(city, tmp_path, max_hotlist_bytes=most)
    assert camera.take_in().number == 1
    city.files[HOTLIST][HOTLIST_PATH] += b"1"
    city.release(HOTLIST)
    city.online()
    camera.refused(Reason.BUNDLE_TOO_LARGE, f"at most {most} are taken", "raise max_hotlist_bytes ")


# --- roles ---


def delegated(city, role, paths):
    """The role is handed these paths only."""
    city.release(
        TARGETS, change=lambda targets: setattr(targets.delegations.roles[role], "paths", paths)
    )


def test_a_role_that_is_handed_fewer_paths_is_taken_with_what_it_has(city, camera):
    delegated(city, HOTLIST, [HOTLIST_PATH])
    city.online()
    assert (camera.take_in().city / "hotlist.age").read_bytes() == b"sealed list"


def test_a_file_whose_path_was_not_handed_to_its_role_is_refused(city, camera):
    delegated(city, POLICY, [POLICY_PATH])
    city.online()
    camera.refused(Reason.BUNDLE_ROLE_OUTSIDE_PATHS, "not signed by the role that it belongs to")


@pytest.mark.parametrize("before", [False, True], ids=["the first", "after another"])
def test_a_role_that_tuf_never_loads_is_refused(city, camera, before):
    """Without its first path it is never asked for, and an older one may lie there."""
    if before:
        camera.take_in()
    delegated(city, POLICY, [])
    city.release(POLICY)
    city.online()
    camera.refused(Reason.BUNDLE_SNAPSHOT_MISMATCH, "policy is not the one that snapshot names")


def test_a_first_bundle_without_a_policy_is_incomplete(city, camera):
    del city.metadata[POLICY]
    city.metadata.pop(SNAPSHOT)
    city.online()
    camera.refused(Reason.BUNDLE_INCOMPLETE, "policy is not among the roles that snapshot names")


def test_a_city_that_does_not_sign_its_name_is_incomplete(city, camera):
    del city.files[TARGETS][CITY_PATH]
    city.release(TARGETS)
    city.online()
    camera.refused(Reason.BUNDLE_INCOMPLETE, "city.json is not among the files that targets signs")


def test_a_role_that_nobody_signed_yet_counts_as_version_none(city, camera):
    del city.metadata[KEYS]
    city.metadata.pop(SNAPSHOT)
    city.online()
    versions = camera.take_in().versions
    assert (versions[KEYS], versions[HOTLIST]) == (0, 1)


def test_another_city_is_named_beside_ones_own(city, camera):
    camera.take_in()
    city.identity = replace(OWN, id="elsewhere")
    city.files[TARGETS][CITY_PATH] = city.files[TARGETS][CITY_PATH].replace(
        b'"id":"exampleville"', b'"id":"elsewhere"'
    )
    city.release(TARGETS)
    city.online()
    camera.refused(
        Reason.BUNDLE_OTHER_CITY,
        "is of 'elsewhere', and this camera is 'exampleville''s (enrol anew)",
    )


def test_a_rig_obeys_a_city_made_for_trying_that_one_person_signs(tmp_path):
    city = BundleCity(identity=replace(OWN, rig=True))

    def alone(root):
        for role in (ROOT, TARGETS):
            root.roles[role].threshold = 1

    city.root(change=alone)
    city.online()
    assert Camera(city, tmp_path, rig=True).take_in().facts.city.rig


# --- what the camera says of a city's mistake ---


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"version = ", b"verison = ", "refused [bundle-malformed]: policy.toml:"),
        (b'retention = "21d"', b'retention = "300d"', "longer than 21d (charter.toml:"),
        (
            b'ca = "city-hall-ca.pem"',
            b'ca = "other.pem"',
            "refused [bundle-malformed]: ca/other.pem: no such file",
        ),
    ],
)
def test_a_file_is_named_as_the_city_names_it(city, camera, old, new, told):
    """Not in the folder that is made for it, which is gone when anybody reads of it."""
    city.edit_policy(old, new)
    with pytest.raises(RefusedError) as refused:
        camera.take_in()
    assert told in str(refused.value)
    assert str(camera.store.folder) not in str(refused.value)


# --- this machine ---


def test_a_disk_that_fails_under_tuf_is_this_machines_fault(camera, monkeypatch):
    def full(*_paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="cannot write what was verified: the disk is full"):
        camera.take_in()
    assert camera.store.current() is None
