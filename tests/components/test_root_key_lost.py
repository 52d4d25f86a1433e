"""The city's root key, which signs the roster, is lost or handed on: another takes its place by the
signatures of the policy's signers, and the enrolled cameras stay.
"""

import pytest

from agent.errors import EnvelopeRefusedError
from agent.verifying.roster_check import parse_root, verify_roster
from tests.support.clerk_city import CAMERA, LATER, NEXT_DAY, OTHER, camera, is_error

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def lost(open_desk):
    """One camera is enrolled and published; then the root key is gone."""
    path, _ = open_desk.enrol()
    file = ("--passphrase-file", open_desk.folder / "passphrase")
    enrol = ("--enrol", path, "--roster-key", open_desk.key("roster"), *file)
    for who, more in (("dora", enrol), ("eli", ())):
        assert open_desk.sign(who, *more, on=LATER).code == 0
    assert open_desk.publish(on=LATER).code == 0
    open_desk.key("roster").unlink()
    assert (
        open_desk.run(
            "bundle", "key", open_desk.folder / "roster2", "--holder", "City root", *file, on=""
        ).code
        == 0
    )
    return open_desk


def anew(desk, *more):
    file = ("--passphrase-file", desk.folder / "passphrase")
    return desk.sign("dora", "--new-roster-key", desk.key("roster2"), *file, *more, on=NEXT_DAY)


def test_another_key_signs_the_same_cameras_and_both_signers_are_told(lost):
    old_root = (lost.city / "root.json").read_bytes()
    done = anew(lost)
    assert done.code == 0, done.err
    assert f"{CAMERA}:" not in done.out, "no camera comes or goes"
    second = lost.sign("eli", on=NEXT_DAY)
    for told in (done.out, second.out):
        assert "the city's root key changes (now key " in told
        assert "give the new root.json to every recipient" in told
    assert lost.publish(on=NEXT_DAY).code == 0
    generation = camera(lost, NEXT_DAY)
    roster = (generation.city / "roster.jws").read_bytes()
    root = (generation.city / "root.json").read_bytes()
    assert set(verify_roster(roster, parse_root(root)).devices) == {CAMERA}
    with pytest.raises(EnvelopeRefusedError):
        verify_roster(roster, parse_root(old_root))


def test_the_new_key_enrols_from_then_on(lost):
    """A key of another kind does not, nor the one of before."""
    path, _ = lost.enrol(OTHER)
    is_error(anew(lost, "--roster-key", lost.key("roster2")), 2, "leave --roster-key out")
    assert anew(lost).code == 0
    assert lost.sign("eli", on=NEXT_DAY).code == 0
    assert lost.publish(on=NEXT_DAY).code == 0
    file = ("--passphrase-file", lost.folder / "passphrase")
    wrong = ("--enrol", path, "--roster-key", lost.key("gus"))
    is_error(lost.sign("dora", *wrong, on=NEXT_DAY), 2, "not the city's root key")
    right = ("--enrol", path, "--roster-key", lost.key("roster2"), *file)
    assert f"{OTHER}: enrolled" in lost.sign("dora", *right, on=NEXT_DAY).out


def test_one_signature_does_not_change_it(lost):
    before = (lost.repository / "metadata/timestamp.json").read_bytes()
    assert anew(lost).code == 0
    is_error(lost.publish(on=NEXT_DAY), 3, '"Dora Lind": 1 of 2')
    assert (lost.repository / "metadata/timestamp.json").read_bytes() == before


def test_a_root_that_came_without_its_roster_is_one_clear_error(lost):
    """A machine that stopped between the two drafts."""
    assert anew(lost).code == 0
    published = (lost.repository / "targets/policy").glob("*.root.json")
    (lost.city / "root.json").write_bytes(next(published).read_bytes())
    is_error(anew(lost, "--start-again"), 2, "roster.jws", "together from a copy")
