"""A release of software at the city's desk: our release key's statement, the city's signers, and
neither alone.
"""

import json

import pytest

from tests.support.clerk_city import LATER, camera, is_error
from tests.support.small_package import deb, publish_key, software_city, vouched

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def city(open_desk):
    return software_city(open_desk)


@pytest.fixture
def package(city):
    return deb(city.folder / "platewarden_1.4.0_arm64.deb")


def release(desk, *more, on=""):
    return desk.run("software", "release", "--city", desk.city, *more, on=on)


def drafted(desk, package, *more):
    done = release(desk, "--statement", vouched(desk, package), "--package", package, *more)
    assert done.code == 0, done.err
    return done


def signed(desk, *who):
    for name in who:
        done = desk.sign(name, on=LATER)
        assert done.code == 0, done.err
    return done


def test_two_sign_it_and_a_camera_has_it_with_the_package_beside_it(city, package):
    done = drafted(city, package, "--share", "10")
    assert "version 1.4.0, for 10 % of all" in done.out
    assert '2 of "Dora Lind"' in done.out
    shown = city.sign("dora", on=LATER)
    assert "Software of the cameras" in shown.out
    assert "the release key has signed its packages" in shown.out
    is_error(city.publish(on=LATER), 3, "bundle-signature-threshold", "role software")
    signed(city, "eli")
    stick = city.folder / "stick"
    assert city.publish("--to", stick, on=LATER).code == 0
    generation = camera(city, LATER)
    text = (generation.city / "software/release.json").read_bytes()
    assert text == (city.city / "software.json").read_bytes()
    assert generation.facts.signed_by["software"] == ("Dora Lind", "Eli Roy")
    told = json.loads(city.run("software", "show", "--city", city.city, "--json", on="").out)
    assert (told["version"], told["signed_by"], told["absent"]) == (
        "1.4.0",
        ["Dora Lind", "Eli Roy"],
        [],
    )
    for repository in (city.repository, stick):
        (lies,) = (repository / "packages").iterdir()
        assert lies.read_bytes() == package.read_bytes()


def test_our_release_key_alone_is_not_enough(city, package):
    """A statement that nobody of the city has signed reaches no camera."""
    drafted(city, package)
    assert city.publish("--renew", on=LATER).code == 0
    generation = camera(city, LATER)
    assert not (generation.city / "software/release.json").exists()
    assert "software" in generation.facts.absent


@pytest.mark.parametrize("key", ["dora", "ada"])
def test_the_city_alone_is_not_enough(city, package, key):
    """A statement that a holder of the city signed in place of the release key."""
    statement = vouched(city, package, key=key)
    is_error(release(city, "--statement", statement), 3, "software-release-key", "charter")
    assert not (city.city / "software.json").exists()


def test_nobody_signs_a_draft_that_was_changed_by_hand(city, package):
    drafted(city, package)
    draft = city.city / "software.json"
    table = json.loads(draft.read_text())
    header, payload, signature = table["statement"].split(".")
    table["statement"] = f"{header}.{payload}.{signature[:-4]}AAAA"
    draft.write_text(json.dumps(table))
    is_error(city.sign("dora", on=LATER), 3, "software-release-key")


def test_a_version_below_the_charter_s_floor(city):
    old = deb(city.folder / "old.deb", "0.9.9")
    is_error(release(city, "--statement", vouched(city, old)), 3, "software-below-floor", "1.0.0")


def test_a_charter_that_says_nothing_of_software(open_desk):
    package = deb(open_desk.folder / "a.deb")
    done = release(open_desk, "--statement", vouched(open_desk, package))
    is_error(done, 3, "software-not-in-charter", "release_keys")


def test_a_package_of_another_version(city, package):
    other = deb(city.folder / "other.deb", "1.5.0")
    done = release(city, "--statement", vouched(city, package), "--package", other)
    is_error(done, 2, "no package of version 1.4.0")


def test_the_share_grows_without_another_statement_and_old_packages_go(city, package):
    drafted(city, package, "--share", "5", "--camera", "main-street-2")
    signed(city, "dora", "eli")
    assert city.publish(on=LATER).code == 0
    done = release(city, "--share", "50")
    assert "50 % of all" in done.out
    signed(city, "eli", "fay")
    assert city.publish(on=LATER).code == 0
    newer = deb(city.folder / "newer.deb", "1.5.0")
    drafted(city, newer, "--back")
    assert len(list((city.repository / "packages").iterdir())) == 2, "cameras still fetch the other"
    shown = signed(city, "dora", "eli")
    assert "GO BACK" in shown.out
    assert city.publish(on=LATER).code == 0
    drafted(city, newer)
    assert len(list((city.repository / "packages").iterdir())) == 1


def test_a_share_without_a_release(city):
    is_error(release(city, "--share", "50"), 2, "there is no release yet")


def test_it_goes_to_a_second_signer_on_a_stick_and_back(city, package):
    drafted(city, package)
    stick = city.folder / "stick"
    stick.mkdir()
    done = city.run("bundle", "carry", "--city", city.city, "--to", stick, on=LATER)
    assert done.code == 0, done.err
    there = stick / "platewarden-exampleville"
    words = ("bundle", "sign", "--city", there, "--key", city.key("eli"), "--yes")
    assert city.run(*words, on=LATER).code == 0
    done = city.run("bundle", "take", "--city", city.city, stick, on=LATER)
    assert done.code == 0, done.err
    signed(city, "dora")
    assert city.publish(on=LATER).code == 0
    assert camera(city, LATER).facts.signed_by["software"] == ("Dora Lind", "Eli Roy")


def test_nobody_signs_software_yet(open_desk):
    charter = open_desk.city / "charter.toml"
    key = publish_key(open_desk, "gus")
    rules = f'[software]\nrelease_keys = ["{key}"]\nfloor = "1.0.0"\n'
    charter.write_text(f"{charter.read_text()}\n{rules}")
    package = deb(open_desk.folder / "a.deb")
    done = release(open_desk, "--statement", vouched(open_desk, package))
    assert done.code == 0, done.err
    assert "Nobody signs software yet" in done.out
    assert "No package for arm64, Python 3.11 is here" in done.out
    told = open_desk.run("software", "show", "--city", open_desk.city, on="").out
    assert told == "No software is released: cameras keep what they run.\n"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"name": "platewarden-city"}, "is no package platewarden"),
        ({"version": "soon"}, "is no package platewarden"),
    ],
)
def test_vouching_for_something_else(city, made, told):
    package = deb(city.folder / "x.deb", **made)
    words = ("software", "vouch", package, "--key", city.key("gus"), "--out", city.folder / "x")
    is_error(city.run(*words, on=""), 2, told)
    assert not (city.folder / "x").exists()


def test_vouching_for_two_versions_or_for_one_kind_twice(city, package):
    words = ("software", "vouch", "--key", city.key("gus"), "--out", city.folder / "x", package)
    other = deb(city.folder / "other.deb", "1.5.0")
    is_error(city.run(*words, other, on=""), 2, "several versions: 1.4.0, 1.5.0")
    assert city.run(*words, package, on="").code == 3


def test_a_role_that_lapsed_stops_new_software_and_nothing_else(city, package):
    drafted(city, package)
    signed(city, "dora", "eli")
    assert city.publish(on=LATER).code == 0
    shown = city.run("bundle", "show", "--city", city.city, on=LATER).out
    assert "software" in shown
    generation = camera(city, LATER)
    far = generation.expiry["software"]
    (lapse,) = [one for one in generation.lapsed(far) if one.role == "software"]
    assert lapse.stops == "new software"
