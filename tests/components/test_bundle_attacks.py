"""The list of known attacks on an update system, quickly: one city and one camera are made once and
copied, and the disk is not waited for. tests/promises/test_p05 runs it over the real disk.
"""

import copy
import os
import shutil

import pytest

from tests.support.bundle_attacks import ATTACKS, Camera, refused_for_its_own_reason


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A camera that took in its city's bundles once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _descriptor: None)
        return Camera(tmp_path_factory.mktemp("camera"))


@pytest.fixture
def camera(first, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    shutil.copytree(first.folder, tmp_path, dirs_exist_ok=True, symlinks=True)
    return first.moved(tmp_path)


@pytest.mark.parametrize(
    ("attack", "reason", "told"), ATTACKS, ids=[attack.__name__ for attack, *_ in ATTACKS]
)
def test_an_attack_is_refused_for_its_own_reason_and_nothing_changes(camera, attack, reason, told):
    refused_for_its_own_reason(camera, attack, reason, told)


def test_without_an_attack_the_next_day_is_taken_in(camera):
    """So that the attacks are refused for what they are."""
    before = copy.copy(camera.store.current())
    camera.city.day_passes()
    assert camera.take_in().number == before.number + 1
