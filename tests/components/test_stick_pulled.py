"""A stick that is pulled, or a machine that stops, at any file operation of `bundle carry`, `sign`
on the stick, and `take`: the city is the old one or the new one, the daily job goes on, and the
same command again finishes.
"""

import shutil

import pytest

from agent.bundles.repository.published import CityRepository
from tests.support.clerk_city import LATER, NEXT_DAY, camera
from tests.support.killed_at import operations, ran_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_disk"), pytest.mark.timeout(600)]
THERE = "stick/platewarden-exampleville"
MOST_TRIES = 24


def carry(desk):
    return desk.run("bundle", "carry", "--city", desk.city, "--to", desk.folder / "stick", on=LATER)


def sign_there(desk, who):
    there = ("--city", desk.folder / THERE, "--key", desk.key(who), "--yes")
    return desk.run("bundle", "sign", *there, on=NEXT_DAY)


def take(desk):
    return desk.run("bundle", "take", "--city", desk.city, desk.folder / "stick", on=NEXT_DAY)


def signed_in(city):
    """How many have signed the pending policy; None: it is not pending. It is whole, or this
    raises.
    """
    pending = CityRepository(city).pending().get("policy")
    return None if pending is None else len(pending.metadata.signatures)


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def killed_everywhere(desk, tmp_path, act):
    """Let `act` be killed at every so-manieth operation; yields the desk after each."""
    kept = shutil.copytree(desk.folder, tmp_path / "kept")
    total = operations(desk.folder, lambda: act(desk))
    assert total > 1, total
    for nth in range(0, total, max(1, total // MOST_TRIES)):
        shutil.rmtree(desk.folder)
        shutil.copytree(kept, desk.folder)
        assert not ran_until(nth, desk.folder, lambda: act(desk)), f"{nth} of {total}"
        yield nth
    shutil.rmtree(kept)


@pytest.fixture
def drafted(open_desk):
    """A new policy is drafted, and a stick is there."""
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    (open_desk.folder / "stick").mkdir()
    return open_desk


def finishes(desk):
    """Two signatures come back, and cameras get the policy."""
    assert sign_there(desk, "dora").code in {0, 3}, "signed before it was killed, or now"
    assert sign_there(desk, "eli").code == 0
    done = take(desk)
    assert done.code == 0, done.err
    assert signed_in(desk.city) == 2
    assert (desk.city / "policy.toml").read_text().count("version = 8") == 1
    assert desk.publish(on=NEXT_DAY).code == 0
    assert camera(desk, NEXT_DAY, folder="last").versions["policy"] == 2
    shutil.rmtree(desk.folder / "last")


def test_carry(drafted, tmp_path):
    seen = set()
    for _ in killed_everywhere(drafted, tmp_path, carry):
        seen.add(signed_in(drafted.city))
        there = files_in(drafted.folder / THERE)
        if there:
            assert signed_in(drafted.folder / THERE) == 0
        assert carry(drafted).code == 0
        assert there in (set(), files_in(drafted.folder / THERE)), "all of it, or nothing"
        assert drafted.publish("--renew", on=LATER).code == 0
        finishes(drafted)
    assert seen == {None, 0}


def test_signing_on_the_stick(drafted, tmp_path):
    assert carry(drafted).code == 0
    seen = set()
    for _ in killed_everywhere(drafted, tmp_path, lambda desk: sign_there(desk, "dora")):
        seen.add(signed_in(drafted.folder / THERE))
        finishes(drafted)
    assert seen <= {0, 1}
    assert 0 in seen


def test_taking_what_was_begun_on_the_stick(open_desk, tmp_path):
    """The most that `take` writes: a version, its files and the drafts."""
    (open_desk.folder / "stick").mkdir()
    assert carry(open_desk).code == 0
    policy = open_desk.folder / THERE / "policy.toml"
    policy.write_text(policy.read_text().replace("version = 7", "version = 8"))
    assert sign_there(open_desk, "dora").code == 0
    seen = set()
    for _ in killed_everywhere(open_desk, tmp_path, take):
        seen.add(signed_in(open_desk.city))
        assert open_desk.publish("--renew", on=LATER).code == 0
        assert camera(open_desk, LATER, folder="then").versions["policy"] == 1
        shutil.rmtree(open_desk.folder / "then")
        finishes(open_desk)
    assert seen == {None, 1}
