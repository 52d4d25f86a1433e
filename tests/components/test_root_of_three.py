"""The city's root is held by three, of whom two sign the roster: each on their own, in any order,
and nobody twice. Cameras and recipients believe no roster that fewer have signed.
"""

import json

import pytest

from agent.errors import EnvelopeRefusedError
from agent.verifying.roster_check import parse_root, verify_roster
from tests.support import clerk_city
from tests.support.clerk_city import CAMERA, FIRST, LATER, NEXT_DAY, OTHER, camera, is_error

pytestmark = pytest.mark.usefixtures("quick_disk")
NAMES = ("rita", "sam", "tea")


def roster(desk, who, *more, on=LATER):
    """One holder's act. The founding's root key alone has a passphrase."""
    words = ("--roster-key", desk.key(who), "--yes", *more)
    file = ("--passphrase-file", desk.folder / "passphrase")
    return desk.run("bundle", "roster", "--city", desk.city, *words, *file, on=on)


@pytest.fixture
def three(open_desk):
    """Three holders have made their keys; the founding's single root key is lost."""
    open_desk.key("roster").unlink()
    file = ("--passphrase-file", open_desk.folder / "passphrase")
    for name in NAMES:
        words = ("bundle", "key", open_desk.folder / name, "--holder", name, *file)
        made = open_desk.run(*words, on="")
        assert made.code == 0, made.err
    return open_desk


def new_holders(desk):
    return [part for name in NAMES for part in ("--new-roster-key", desk.pub(name))]


@pytest.fixture
def held(three):
    """Two of three hold the root, and it is published."""
    assert roster(three, "rita", *new_holders(three)).code == 0
    assert roster(three, "tea").code == 0
    for who in ("dora", "eli"):
        done = three.sign(who, on=LATER)
        assert done.code == 0, done.err
        assert "the city's root key changes (now 2 of keys " in done.out
    assert three.publish(on=LATER).code == 0
    return three


def published(desk, on=NEXT_DAY):
    generation = camera(desk, on)
    root = parse_root((generation.city / "root.json").read_bytes())
    return root, (generation.city / "roster.jws").read_bytes()


def test_a_lost_key_becomes_two_of_three_by_the_policys_signers(held):
    root, text = published(held)
    assert (root.threshold, len(root.keys)) == (2, 3)
    assert verify_roster(text, root).devices == {}


def test_two_holders_enrol_and_a_camera_believes_it(held):
    path, _ = held.enrol()
    done = roster(held, "sam", "--enrol", path)
    assert f"{CAMERA}: enrolled; fingerprint " in done.out
    assert "signed by 1 of 2" in done.out
    assert "Missing: 1" in done.out
    second = roster(held, "rita")
    assert f"{CAMERA}: enrolled; fingerprint " in second.out, "the second is shown the same"
    assert "Enough have signed the roster" in second.out
    for who in ("dora", "fay"):
        assert held.sign(who, on=NEXT_DAY).code == 0
    assert held.publish(on=NEXT_DAY).code == 0
    root, text = published(held)
    assert set(verify_roster(text, root).devices) == {CAMERA}
    one = json.loads(text)
    one["signatures"] = one["signatures"][:1] * 2
    with pytest.raises(EnvelopeRefusedError):
        verify_roster(json.dumps(one).encode(), root)


def test_one_holder_alone_changes_nothing_and_one_key_counts_once(held):
    path, _ = held.enrol()
    before = held.files()
    assert roster(held, "sam", "--enrol", path).code == 0
    is_error(roster(held, "sam"), 2, "has signed the roster already")
    is_error(held.sign("dora", on=NEXT_DAY), 2, "signed by 1 of the 2", "bundle roster")
    assert held.files() == before
    assert held.publish("--renew", on=NEXT_DAY).code == 0, "the daily job goes on"


def test_a_holder_who_is_none_signs_nothing(held):
    is_error(roster(held, "gus"), 2, "not the city's root key")
    path, _ = held.enrol()
    words = ("--enrol", path, "--roster-key", held.key("rita"))
    is_error(held.sign("dora", *words, on=NEXT_DAY), 2, "2 of 3 keys", "bundle roster")


def test_a_holder_is_replaced(held):
    """Tea's key is lost: Gus's takes its place, and hers counts no more."""
    file = ("--passphrase-file", held.folder / "passphrase")
    held.run("bundle", "key", held.folder / "uma", "--holder", "uma", *file, on="")
    now = [part for name in ("rita", "sam", "uma") for part in ("--new-roster-key", held.pub(name))]
    assert roster(held, "sam", *now).code == 0
    is_error(roster(held, "tea"), 2, "not the city's root key")
    assert roster(held, "uma").code == 0
    for who in ("dora", "eli"):
        assert held.sign(who, on=NEXT_DAY).code == 0
    assert held.publish(on=NEXT_DAY).code == 0
    root, text = published(held)
    assert verify_roster(text, root).devices == {}
    assert len(root.keys) == 3


@pytest.mark.parametrize(
    "names", [("rita",), ("rita", "rita"), ("rita", "sam", "rita"), ("rita", "missing")]
)
def test_a_root_that_is_no_two_of_several_is_refused(three, names):
    words = [part for name in names for part in ("--new-roster-key", three.pub(name))]
    done = roster(three, "rita", *words)
    assert done.code == 2, done.out
    assert "platewarden: " in done.err


def test_a_drafted_change_that_is_not_complete_is_not_built_on(held):
    path, _ = held.enrol()
    other, _ = held.enrol(OTHER)
    assert roster(held, "sam", "--enrol", path).code == 0
    is_error(roster(held, "rita", "--enrol", other), 2, "roster.jws", "bundle roster")


def test_somebody_enrolled_by_the_roster_alone_while_another_is_asked(open_desk, monkeypatch):
    """Nothing is pending from it, so only the drafts tell."""
    first, second = open_desk.enrol()[0], open_desk.enrol(OTHER)[0]

    def confirm(*_args, **_options):
        assert roster(open_desk, "roster", "--enrol", second).code == 0
        return True

    monkeypatch.setattr("typer.confirm", confirm)
    options = ("--roster-key", open_desk.key("roster"))
    options += ("--passphrase-file", open_desk.folder / "passphrase")
    key = ("--key", open_desk.key("dora"), "--enrol", first)
    done = open_desk.run("bundle", "sign", "--city", open_desk.city, *key, *options, on=LATER)
    is_error(done, 2, "while you were asked, somebody enrolled cameras")


@pytest.fixture
def founded(tmp_path, capsys):
    """A city whose root three hold from its first day on; two of the charter's have signed."""
    desk = found_by(tmp_path, capsys, NAMES)
    for who in ("ada", "ben"):
        assert desk.sign(who).code == 0
    return desk


def found_by(folder, capsys, names, *more):
    desk = clerk_city.drafted(folder, capsys)
    file = ("--passphrase-file", folder / "passphrase")
    for name in NAMES:
        made = desk.run("bundle", "key", folder / name, "--holder", name, *file, on="")
        assert made.code == 0, made.err
    holders = [part for name in names for part in ("--root-signer", desk.pub(name))]
    made = desk.run(*clerk_city.init(desk, root=[*holders, *more]))
    assert made.code == 0, made.err
    assert "Now 2 of the 3 who hold the city's root type: platewarden bundle roster" in made.out
    return desk


def test_a_city_is_founded_with_two_of_three(founded):
    """The first day had one key alone, and whoever held it was believed."""
    is_error(founded.sign("dora"), 2, "signed by 0 of the 2", "bundle roster")
    assert "signed by 1 of 2" in roster(founded, "tea", on=FIRST).out
    is_error(founded.sign("dora"), 2, "signed by 1 of the 2", "bundle roster")
    assert "Enough have signed the roster" in roster(founded, "rita", on=FIRST).out
    for who in ("dora", "eli"):
        done = founded.sign(who)
        assert done.code == 0, done.err
    done = founded.publish()
    assert done.code == 0, done.err
    root, text = published(founded, LATER)
    assert (root.threshold, len(root.keys)) == (2, 3)
    assert verify_roster(text, root).devices == {}


def test_a_city_of_three_enrols_by_two(founded):
    for who in ("tea", "rita"):
        assert roster(founded, who, on=FIRST).code == 0
    for who in ("dora", "eli"):
        assert founded.sign(who).code == 0
    assert founded.publish().code == 0
    path, _ = founded.enrol()
    assert roster(founded, "sam", "--enrol", path).code == 0
    assert roster(founded, "tea").code == 0
    for who in ("dora", "fay"):
        assert founded.sign(who, on=NEXT_DAY).code == 0
    assert founded.publish(on=NEXT_DAY).code == 0
    root, text = published(founded)
    assert set(verify_roster(text, root).devices) == {CAMERA}


@pytest.mark.parametrize(
    ("root", "says"),
    [
        ([], "one key, or several"),
        (["--root-signer", "rita"], "1 different keys, of which 2 must sign"),
        (["--root-signer", "rita", "--root-signer", "rita"], "1 different keys"),
        (["--root-signer", "rita", "--root-signer", "sam", "--roster-key", "x.pem"], "one key, or"),
        (["--root-signer", "rita", "--root-signer", "nobody"], "nobody.pub"),
    ],
)
def test_a_founding_with_a_root_that_cannot_be_leaves_nothing(tmp_path, capsys, root, says):
    desk = clerk_city.drafted(tmp_path, capsys)
    file = ("--passphrase-file", tmp_path / "passphrase")
    for name in ("rita", "sam"):
        desk.run("bundle", "key", tmp_path / name, "--holder", name, *file, on="")
    there = sorted(desk.city.iterdir())
    given = [
        desk.pub(one) if before == "--root-signer" else one
        for before, one in zip(["", *root], root, strict=False)
    ]
    is_error(desk.run(*clerk_city.init(desk, root=given)), 2, says)
    assert sorted(desk.city.iterdir()) == there
