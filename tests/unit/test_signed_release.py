"""What two parties sign of a version: read strictly, and staged so that nobody leaves again."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from agent.core.policy.charter import parse_charter
from agent.core.software.signed_release import (
    MAX_RELEASE_BYTES,
    PackageFile,
    Release,
    Statement,
    format_release,
    format_statement,
    parse_release,
    parse_statement,
    turn,
)
from agent.core.software.software_version import SoftwareVersion, parse_version
from agent.errors import ConfigError, EnvelopeRefusedError
from tests.support.judging import EXAMPLE

VERSION = SoftwareVersion(1, 4, 0)
ARM = PackageFile("arm64", "3.11", "a" * 64, 40_000_000)
STATEMENT = Statement(VERSION, 3, (ARM, replace(ARM, python="3.13", sha256="b" * 64)))
RELEASE = Release("a.b.c", 10, frozenset({"main-street-2"}))
TEXT = (EXAMPLE / "charter.toml").read_text(encoding="utf-8")
KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
numbers = some.integers(0, 999_999)
versions = some.builds(SoftwareVersion, numbers, numbers, numbers)


def changed(document: bytes, **members: object) -> bytes:
    return json.dumps({**json.loads(document), **members}).encode()


def test_both_documents_read_what_they_write():
    assert parse_statement(format_statement(STATEMENT)) == STATEMENT
    assert parse_release(format_release(RELEASE)) == RELEASE
    assert parse_release(format_release(replace(RELEASE, back=True))).back


@given(versions, versions)
def test_versions_are_written_and_compared_number_by_number(one, other):
    assert parse_version(str(one)) == one
    assert (one < other) == (
        (one.major, one.minor, one.patch) < (other.major, other.minor, other.patch)
    )


@pytest.mark.parametrize(
    "text", ["", "1.4", "1.4.0.1", "1.04.0", "1.4.0~rc1", "v1.4.0", "1.4.٠", "1.4.0\n", "-1.4.0"]
)
def test_what_is_no_version(text):
    with pytest.raises(ValueError, match="no version"):
        parse_version(text)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"v": 2}, "`v`"),
        ({"version": "1.4"}, "`version`"),
        ({"state": 0}, "`state`"),
        ({"state": True}, "`state`"),
        ({"packages": []}, "`packages`"),
        ({"also": 1}, "does not know"),
    ],
)
def test_a_statement_that_is_refused(members, told):
    with pytest.raises(EnvelopeRefusedError, match=told):
        parse_statement(changed(format_statement(STATEMENT), **members))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("sha256", "A" * 64),
        ("sha256", "a" * 63),
        ("architecture", "../arm64"),
        ("python", "3"),
        ("python", "2.7"),
        ("bytes", 0),
        ("bytes", 1 << 40),
    ],
)
def test_a_package_that_is_refused(member, value):
    packages = json.loads(format_statement(STATEMENT))["packages"]
    packages[0][member] = value
    with pytest.raises(EnvelopeRefusedError, match=f"`{member}`"):
        parse_statement(changed(format_statement(STATEMENT), packages=packages))


def test_two_packages_for_one_kind_of_machine():
    twice = replace(STATEMENT, packages=(ARM, replace(ARM, sha256="c" * 64)))
    with pytest.raises(EnvelopeRefusedError, match="one package for each kind"):
        parse_statement(format_statement(twice))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"share": 101}, "`share`"),
        ({"share": -1}, "`share`"),
        ({"share": "10"}, "`share`"),
        ({"back": 1}, "`back`"),
        ({"back": None}, "`back`"),
        ({"cameras": ["main-street-2", "main-street-2"]}, "each once"),
        ({"cameras": ["../x"]}, "`id`"),
        ({"cameras": [1]}, "`id`"),
        ({"statement": ""}, "`statement`"),
        ({"group": "north"}, "does not know"),
    ],
)
def test_a_release_that_is_refused(members, told):
    with pytest.raises(EnvelopeRefusedError, match=told):
        parse_release(changed(format_release(RELEASE), **members))


def test_a_release_that_is_too_long_is_not_read():
    with pytest.raises(EnvelopeRefusedError, match="longer than"):
        parse_release(b" " * MAX_RELEASE_BYTES + format_release(RELEASE))


def test_each_kind_of_machine_finds_its_own_package():
    assert STATEMENT.package_for("arm64", "3.13").sha256 == "b" * 64
    assert STATEMENT.package_for("amd64", "3.13") is None
    assert STATEMENT.package_for("arm64", "3.12") is None


@given(some.text("abcdefgh-123", min_size=1, max_size=20), some.integers(0, 100))
def test_whoever_is_in_stays_in_as_the_share_grows(camera, share):
    narrow, wide = Release("a.b.c", share), Release("a.b.c", min(100, share + 7))
    assert not narrow.is_for(camera, VERSION) or wide.is_for(camera, VERSION)
    assert Release("a.b.c", 100).is_for(camera, VERSION)
    assert not Release("a.b.c", 0).is_for(camera, VERSION)
    assert Release("a.b.c", 0, frozenset({camera})).is_for(camera, VERSION)


def test_a_tenth_is_a_tenth_and_another_version_begins_with_others():
    cameras = [f"camera-{number}" for number in range(2_000)]
    first = {name for name in cameras if turn(name, VERSION) < 10}
    other = {name for name in cameras if turn(name, SoftwareVersion(1, 5, 0)) < 10}
    assert 150 < len(first) < 250
    assert len(first & other) < 60


class TestCharter:
    """[software]: whose release key, how many signers, and the floor."""

    def test_the_rules(self):
        text = f'{TEXT}\n[software]\nrelease_keys = ["{KEY}"]\nsigners = 3\nfloor = "1.2.0"\n'
        rules = parse_charter(text.encode(), "charter.toml").software
        assert (rules.release_keys, rules.signers) == ((bytes.fromhex(KEY),), 3)
        assert rules.floor == SoftwareVersion(1, 2, 0)

    def test_a_charter_that_says_nothing_lets_nothing_be_installed(self):
        assert parse_charter(TEXT.encode(), "charter.toml").software is None

    def test_two_must_sign_where_the_charter_does_not_say_how_many(self):
        text = f'{TEXT}\n[software]\nrelease_keys = ["{KEY}"]\nfloor = "1.2.0"\n'
        assert parse_charter(text.encode(), "charter.toml").software.signers == 2

    @pytest.mark.parametrize(
        ("lines", "told"),
        [
            (f'release_keys = ["{KEY}"]\n', "floor"),
            (f'release_keys = ["{KEY}"]\nfloor = "1.2"\n', "no version"),
            (f'release_keys = ["{KEY}"]\nfloor = "1.2.0"\nsigners = 1\n', "signers"),
            ('release_keys = []\nfloor = "1.2.0"\n', "release_keys"),
            ('release_keys = ["abc"]\nfloor = "1.2.0"\n', "Ed25519"),
            (f'release_keys = ["{"0" * 64}"]\nfloor = "1.2.0"\n', "weak"),
            (f'release_keys = ["{KEY}", "{KEY}"]\nfloor = "1.2.0"\n', "twice"),
            (f'release_keys = ["{KEY}"]\nfloor = "1.2.0"\nquick = true\n', "unknown"),
        ],
    )
    def test_what_is_refused_names_its_line(self, lines, told):
        text = f"{TEXT}\n[software]\n{lines}"
        with pytest.raises(ConfigError, match=told) as refused:
            parse_charter(text.encode(), "charter.toml")
        assert "charter.toml:" in str(refused.value)
