"""Versions of the sealed read: N and N − 1, the highest that both know, and what every version
keeps.
"""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.text.encoding import b64url
from agent.core.wire.sealed_read import join, jws_header, minimum_of, split, tags_of
from agent.core.wire.versions import (
    KEPT_TAGS,
    VERSIONS,
    EnvelopeMinimum,
    TagForm,
    Versions,
    highest_common,
    parse_minimum,
    version_of,
)
from agent.errors import EnvelopeRefusedError
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.support.second_version import NEW, OLD
from tests.unit.test_sealed_read import TAGS

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
READ, DEVICE, RECIPIENT = "ab" * 16, "cam-1", "exampleville-pd"
MINIMUM = {"v": 9, "read": READ, "device": DEVICE, "recipient": RECIPIENT}


def refusal(action, *arguments):
    with pytest.raises(EnvelopeRefusedError) as refused:
        action(*arguments)
    return refused.value.reason


def form():
    return TagForm(dict, lambda _tags: TAGS)


class TestKnown:
    @pytest.mark.parametrize("numbers", [{1}, {1, 2}, {2, 3}, {7, 8}])
    def test_the_newest_and_the_one_before(self, numbers):
        known = Versions({number: form() for number in numbers}).known
        assert known == tuple(sorted(numbers, reverse=True))

    @pytest.mark.parametrize("numbers", [{2}, {3}, {1, 3}, {1, 2, 3}, {0, 1}])
    def test_no_gap_no_third_and_no_newest_alone(self, numbers):
        with pytest.raises(ValueError, match="N and N - 1"):
            Versions({number: form() for number in numbers})

    def test_this_build_knows_version_1(self):
        assert VERSIONS.known == (1,)

    @pytest.mark.parametrize(
        ("ours", "theirs", "common"),
        [
            ((1,), (1,), 1),
            ((2, 1), (1,), 1),
            ((1,), (2, 1), 1),
            ((2, 1), (2, 1), 2),
            ((3, 2), (2, 1), 2),
            ((3, 2), (1,), None),
            ((1,), (3, 2), None),
        ],
    )
    def test_the_highest_that_both_know(self, ours, theirs, common):
        assert highest_common(ours, theirs) == common


class TestTags:
    @pytest.mark.parametrize("version", NEW.known)
    def test_there_and_back_in_each_version(self, version):
        tags = replace(TAGS, version=version)
        table = NEW.format_tags(tags)
        assert table["v"] == version
        assert NEW.parse_tags(table) == tags

    def test_a_version_that_is_not_known_is_named(self):
        assert (
            refusal(OLD.parse_tags, NEW.format_tags(replace(TAGS, version=2)))
            == "unsupported-version"
        )

    @pytest.mark.parametrize("version", [True, 1.0, "1", None, [], 0, -1, 2**53])
    def test_a_version_is_a_whole_number_from_1(self, version):
        assert refusal(OLD.parse_tags, {**OLD.format_tags(TAGS), "v": version}) == "malformed"

    @pytest.mark.parametrize("untrusted", [None, [], "tags", 1, {}])
    def test_what_is_no_tags_has_no_version(self, untrusted):
        assert refusal(version_of, untrusted) == "malformed"

    @pytest.mark.parametrize("version", NEW.known)
    def test_every_version_keeps_the_minimum(self, version):
        assert parse_minimum(NEW.format_tags(replace(TAGS, version=version))) == EnvelopeMinimum(
            version, TAGS.read_id, TAGS.device, TAGS.recipient
        )


class TestMinimum:
    @settings(max_examples=25)
    @given(st.dictionaries(st.text().filter(lambda name: name not in KEPT_TAGS), st.integers()))
    def test_other_tags_may_be_anything(self, others):
        assert parse_minimum({**others, **MINIMUM}) == EnvelopeMinimum(9, READ, DEVICE, RECIPIENT)

    @pytest.mark.parametrize("name", KEPT_TAGS)
    def test_each_is_needed(self, name):
        table = {key: value for key, value in MINIMUM.items() if key != name}
        assert refusal(parse_minimum, table) == "malformed"

    @pytest.mark.parametrize("name", KEPT_TAGS)
    @pytest.mark.parametrize(
        "value", [None, True, 1.5, [], {}, "", "\n", "a/b", "../x", "x" * 65, -1, 2**60]
    )
    def test_each_refuses_what_no_version_writes(self, name, value):
        assert refusal(parse_minimum, {**MINIMUM, name: value}) == "malformed"

    @pytest.mark.parametrize("untrusted", [None, [], "tags", 1])
    def test_what_is_no_tags_at_all(self, untrusted):
        assert refusal(parse_minimum, untrusted) == "malformed"

    @pytest.mark.parametrize(
        ("read", "untrusted", "told"),
        [
            (parse_minimum, {}, "lacks "),
            (parse_minimum, {**MINIMUM, "v": 0}, "`v` must be a whole number from 1 to"),
            (version_of, {"v": 0}, "`v` must be a whole number from 1 to"),
            (version_of, {}, "is not a JSON object with `v`"),
        ],
    )
    def test_what_is_wrong_is_said_of_the_tags(self, read, untrusted, told):
        with pytest.raises(EnvelopeRefusedError, match=f": tags: {told}"):
            read(untrusted)

    def test_versions_count_from_1(self):
        assert parse_minimum({**MINIMUM, "v": 1}).version == version_of({"v": 1}) == 1


def foreign(tags=MINIMUM, signer=DEVICE, rest=".other segments.and=more...\t", **header):
    """A read of a version that nobody has written: another first line, the outer signature as
    ever.
    """
    text = json.dumps({"suite": "of another age", "alpr": {**tags, "colour": "red"}, **header})
    jwe = b64url(text.encode()).encode() + rest.encode()
    protected = b64url(json.dumps(jws_header(signer)).encode())
    return join(jwe, protected, b64url(KEY.sign(protected.encode() + b"." + jwe)))


class TestWhatEveryVersionKeeps:
    """Two lines, the header segment with the tags, four of the tags, the outer signature."""

    VERIFIER = EnvelopeVerifier(
        {name: KEY.public_key().public_bytes_raw() for name in (DEVICE, "cam-2")}
    )

    def test_a_first_line_of_another_age_still_says_whose_it_is(self):
        assert self.VERIFIER.verify_any_version(foreign()) == EnvelopeMinimum(
            9, READ, DEVICE, RECIPIENT
        )
        assert refusal(self.VERIFIER.verify, foreign()) == "unsupported-version"

    def test_it_is_read_only_after_the_signature(self):
        broken = foreign({**MINIMUM, "read": "no id"})
        assert refusal(self.VERIFIER.verify_any_version, broken) == "malformed"
        assert refusal(EnvelopeVerifier({}).verify_any_version, broken) == "device-not-enrolled"
        altered = broken.replace(b"other", b"0ther")
        assert refusal(self.VERIFIER.verify_any_version, altered) == "signature-invalid"

    def test_one_camera_cannot_speak_for_another(self):
        assert refusal(self.VERIFIER.verify_any_version, foreign(signer="cam-2")) == "malformed"

    @pytest.mark.parametrize(
        "wire",
        [
            foreign(alpr=[]),
            foreign(alpr={}),
            foreign({**MINIMUM, "v": "9"}),
            foreign(rest=""),
            foreign(rest=".\n."),
            foreign().replace(b"..", b"."),
            foreign() + b"\n",
            foreign(padding="x" * 4_096),
        ],
    )
    def test_another_outer_form_is_no_sealed_read(self, wire):
        assert refusal(self.VERIFIER.verify_any_version, wire) == "malformed"

    def test_a_known_version_gets_no_such_freedom(self):
        envelope = split(foreign({**MINIMUM, "v": 1}))
        assert minimum_of(envelope).version == 1
        assert refusal(tags_of, envelope) == "malformed"
        assert (
            refusal(self.VERIFIER.verify_any_version, foreign({**MINIMUM, "v": 1})) == "malformed"
        )
