"""P5: what may leave changes only by enough named key holders.

Each known attack on an update system, made with tuf's own API, is refused for its own reason, and
the camera keeps what it had.
"""

from datetime import timedelta

import pytest

from agent.bundles.layout import POLICY, ROOT, SNAPSHOT, TIMESTAMP
from agent.core.reasons import Reason
from agent.errors import RefusedError
from tests.support.bundle_attacks import (
    ATTACKS,
    DAY,
    HOUR,
    MORE,
    Camera,
    city_made_for_trying,
    refused_for_its_own_reason,
)
from tests.support.bundle_city import person


@pytest.fixture
def camera(tmp_path):
    return Camera(tmp_path)


@pytest.mark.parametrize(
    ("attack", "reason", "told"), ATTACKS, ids=[attack.__name__ for attack, *_ in ATTACKS]
)
def test_an_attack_is_refused_for_its_own_reason_and_nothing_changes(camera, attack, reason, told):
    refused_for_its_own_reason(camera, attack, reason, told)


def test_the_same_change_signed_by_enough_is_obeyed(camera):
    """So that the attacks are refused for what they are."""
    camera.city.edit_policy(*MORE)
    taken = camera.take_in()
    assert MORE[1] in (taken.city / "policy.toml").read_bytes()
    assert taken.facts.signed_by[POLICY] == ("Dora Lind", "Eli Roy")


def test_a_rig_obeys_a_city_made_for_trying(tmp_path):
    camera = Camera(tmp_path, rig=True)
    city_made_for_trying(camera)
    assert camera.take_in().facts.city.rig


def test_keys_that_were_stolen_lose_their_power_with_the_next_root(camera):
    city, thief = camera.city, list(camera.city.signers[TIMESTAMP])
    camera.city.signers[TIMESTAMP] = camera.city.signers[SNAPSHOT] = [person("new daily job")]

    def replace(root):
        for role in (TIMESTAMP, SNAPSHOT):
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            root.add_key(city.signers[role][0].public_key, role)

    city.root(change=replace)
    city.online()
    assert camera.take_in().versions[ROOT] == 2
    city.now += HOUR
    city.timestamp(signers=thief)
    with pytest.raises(RefusedError) as refused:
        camera.take_in()
    assert refused.value.reason == Reason.BUNDLE_OTHER_CITY


def test_after_the_online_keys_were_replaced_an_older_policy_is_still_a_rollback(camera):
    """TUF forgets what an untrusted snapshot said, so that a thief cannot block a city by a huge
    version; what people sign does not go back all the same.
    """
    camera.city.edit_policy(*MORE)
    camera.take_in()
    thieves_snapshot = person("new daily job")

    def replace(root):
        for role in (TIMESTAMP, SNAPSHOT):
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            root.add_key(thieves_snapshot.public_key, role)

    camera.city.root(change=replace)
    camera.city.online(versions={POLICY: 1}, signers=[thieves_snapshot])
    with pytest.raises(RefusedError, match="policy is version 1, and version 2") as refused:
        camera.take_in()
    assert refused.value.reason == Reason.BUNDLE_ROLLBACK


@pytest.mark.parametrize("back", [DAY, timedelta(days=20 * 365)])
def test_a_clock_set_back_behind_the_newest_bundle_takes_nothing_in(camera, back):
    camera.city.day_passes()
    with pytest.raises(RefusedError, match="it cannot be earlier than 2026-11-23") as refused:
        camera.take_in(-back - HOUR)
    assert refused.value.reason == Reason.CLOCK_BEHIND_BUNDLES


def test_a_clock_behind_the_floor_takes_nothing_in(camera):
    camera.city.day_passes()
    with pytest.raises(RefusedError) as refused:
        camera.take_in(HOUR, at_least=camera.city.now + 2 * HOUR)
    assert refused.value.reason == Reason.CLOCK_BEHIND_BUNDLES


def test_a_bundle_from_the_future_waits_until_the_clock_has_caught_up(camera):
    camera.city.day_passes()
    with pytest.raises(RefusedError, match="the newest bundle was signed at") as refused:
        camera.take_in(-HOUR)
    assert refused.value.reason == Reason.CLOCK_BEHIND_BUNDLES
    assert camera.take_in(timedelta()) is not None
