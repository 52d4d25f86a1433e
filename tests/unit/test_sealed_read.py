"""Tags, wire form, padding and strict JSON: one way to write each value, everything else
refused.
"""

import dataclasses
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.text import strict_json
from agent.core.time.instant import ClockTrust
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.receipt import Receipt, format_receipt, parse_receipt
from agent.core.wire.sealed_read import (
    CONTENT_TYPE,
    MAX_WIRE_BYTES,
    PADDING_BUCKETS_BYTES,
    pad,
    split,
    tags_of,
)
from agent.core.wire.tags import Tags, format_tags, parse_tags
from agent.errors import EnvelopeRefusedError
from tests.support.sealed import Parties, release, sighting

TAGS = Tags(
    read_id="ab" * 16,
    device="cam-1",
    sequence=1,
    captured_at=datetime(2027, 1, 15, 12, tzinfo=UTC),
    clock=ClockTrust.OS,
    policy_name="City of Exampleville ALPR policy",
    policy_version=7,
    policy_digest="cd" * 32,
    rule="stolen-and-amber",
    category="stolen-vehicle",
    match=MatchLevel.EXACT,
    recipient="exampleville-pd",
    purpose="stolen-vehicle-recovery",
    epoch=date(2027, 2, 4),
    deadline=datetime(2027, 2, 5, tzinfo=UTC),
)
identifiers = st.text("AZaz09-", min_size=1, max_size=64).filter(lambda name: name[0] != "-")


def refusal(action, *arguments):
    with pytest.raises(EnvelopeRefusedError) as refused:
        action(*arguments)
    return refused.value


def parse(wire, *bound):
    """As a reader does: what every version keeps, then the whole."""
    return tags_of(split(wire, *bound))


class TestTags:
    def test_there_and_back(self):
        assert parse_tags(format_tags(TAGS)) == TAGS

    @settings(max_examples=25)
    @given(
        device=identifiers,
        rule=identifiers,
        sequence=st.integers(1, 2**53 - 1),
        trust=st.sampled_from([ClockTrust.OS, ClockTrust.TRUSTED]),
    )
    def test_there_and_back_over_json(self, device, rule, sequence, trust):
        tags = dataclasses.replace(TAGS, device=device, rule=rule, sequence=sequence, clock=trust)
        assert (
            parse_tags(strict_json.parse_object(strict_json.canonical(format_tags(tags)), "tags"))
            == tags
        )

    @pytest.mark.parametrize("name", sorted(format_tags(TAGS)))
    def test_each_tag_is_needed(self, name):
        table = format_tags(TAGS)
        del table[name]
        assert refusal(parse_tags, table).reason == "malformed"

    @pytest.mark.parametrize("name", sorted(format_tags(TAGS)))
    def test_each_tag_refuses_values_of_another_kind(self, name):
        for value in (
            None,
            False,
            1.5,
            [],
            {},
            "",
            "x" * 300,
            "\n",
            "\ud800",
            "a\u202eb",
            -1,
            2**60,
        ):
            assert refusal(parse_tags, {**format_tags(TAGS), name: value}).reason == "malformed"

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"seq": 2**53}, "`seq` must be a whole number from 1 to 9007199254740991"),
            ({"seq": 0}, "`seq` must be a whole number from 1 to 9007199254740991"),
            ({"deadline": "2027-02-05T00:00:00.001Z"}, "`deadline` must be the end of the epoch's"),
            ({"captured_at": "2027-02-05T00:00:00.000Z"}, "`captured_at` must be before the dead"),
            ({"more": 1}, "has a member that this version does not know"),
        ],
    )
    def test_just_beyond_a_bound(self, changed, told):
        assert f": tags: {told}" in str(refusal(parse_tags, {**format_tags(TAGS), **changed}))

    @pytest.mark.parametrize(
        "changed",
        [
            {"sequence": 2**53 - 1},
            {"policy_version": 0},
            {"policy_version": 2**53 - 1},
            {"captured_at": datetime(2027, 2, 4, 23, 59, 59, 999_000, tzinfo=UTC)},
        ],
    )
    def test_at_a_bound(self, changed):
        tags = dataclasses.replace(TAGS, **changed)
        assert parse_tags(format_tags(tags)) == tags

    @pytest.mark.parametrize("version", [-1, 2**53])
    def test_a_policy_s_version_is_counted_from_none(self, version):
        tags = dataclasses.replace(TAGS, policy_version=version)
        assert "tags: `policy`: `version` must be a whole number from 0" in str(
            refusal(parse_tags, format_tags(tags))
        )

    @pytest.mark.parametrize("name", ["v", "seq"])
    def test_true_is_not_one(self, name):
        assert refusal(parse_tags, {**format_tags(TAGS), name: True}).reason == "malformed"

    def test_an_untrusted_clock_never_sealed_anything(self):
        assert (
            refusal(
                parse_tags, format_tags(dataclasses.replace(TAGS, clock=ClockTrust.UNTRUSTED))
            ).reason
            == "malformed"
        )

    @pytest.mark.parametrize(
        "untrusted", [None, [], "tags", 1, {"v": 1}, {**format_tags(TAGS), "v": 2}]
    )
    def test_what_is_no_tags_at_all(self, untrusted):
        assert refusal(parse_tags, untrusted).reason == "malformed"

    def test_a_refusal_never_repeats_the_value(self):
        assert "SECRET" not in str(
            refusal(parse_tags, {**format_tags(TAGS), "category": "SECRET 1", "SECRET2": 1})
        )
        assert "SECRET" not in str(
            refusal(parse_tags, {**format_tags(TAGS), "category": "SECRET 1"})
        )


def test_the_content_type_is_the_specification_s():
    assert CONTENT_TYPE == "application/platewarden-sealed-read"


class TestPadding:
    @settings(max_examples=25)
    @given(st.binary(max_size=PADDING_BUCKETS_BYTES[-1]))
    def test_ends_at_a_bucket_and_only_adds_spaces(self, plaintext):
        padded = pad(plaintext)
        assert len(padded) in PADDING_BUCKETS_BYTES
        assert padded[: len(plaintext)] == plaintext
        assert not padded[len(plaintext) :].strip(b" ")

    @pytest.mark.parametrize(
        ("length", "padded"),
        [
            (0, 2048),
            (2048, 2048),
            (2049, 8192),
            (8192, 8192),
            (8193, 16384),
            (16384, 16384),
            (16385, 32768),
            (32768, 32768),
        ],
    )
    def test_the_sizes_are_the_four_of_the_wire_format(self, length, padded):
        """docs/ref/sealed-read.md; any other length tells more, and is refused by receivers."""
        assert len(pad(bytes(length))) == padded
        assert pad(bytes(32769)) is None

    def test_too_long_is_none(self):
        assert pad(bytes(PADDING_BUCKETS_BYTES[-1] + 1)) is None
        assert len(pad(bytes(PADDING_BUCKETS_BYTES[-1]))) == PADDING_BUCKETS_BYTES[-1]


class TestWire:
    SEALED = Parties.make().sealer().seal(sighting(width=8, height=4), release(), 1)

    def test_split_finds_what_join_made(self):
        envelope = split(self.SEALED.wire)
        assert (envelope.version, tags_of(envelope)) == (1, self.SEALED.tags)
        assert (
            envelope.jwe + b"\n" + f"{envelope.jws_protected}..{envelope.signature}".encode()
            == self.SEALED.wire
        )

    @settings(max_examples=25)
    @given(cut=st.integers(min_value=0))
    def test_a_part_of_it_is_refused(self, cut):
        assert refusal(parse, self.SEALED.wire[: cut % len(self.SEALED.wire)]).reason == "malformed"

    @settings(max_examples=25)
    @given(st.binary(max_size=500))
    def test_anything_else_is_refused(self, untrusted):
        assert refusal(parse, untrusted).reason == "malformed"

    @settings(max_examples=25)
    @given(
        st.lists(st.text("ABCab01-_=", max_size=40), min_size=5, max_size=5),
        st.text("ABCab01-_=.", max_size=60),
    )
    def test_lookalikes_are_refused(self, segments, second):
        assert refusal(parse, (".".join(segments) + "\n" + second).encode()).reason == "malformed"

    def test_the_bound_is_exact(self):
        assert refusal(split, self.SEALED.wire, len(self.SEALED.wire) - 1).what.startswith(
            "is longer than"
        )
        assert parse(self.SEALED.wire, len(self.SEALED.wire)) == self.SEALED.tags
        assert len(self.SEALED.wire) < MAX_WIRE_BYTES

    @pytest.mark.parametrize("segments", [4, 6])
    def test_more_or_fewer_segments_are_refused(self, segments):
        first, second = self.SEALED.wire.split(b"\n")
        parts = [*first.split(b"."), b"AAAA"][:segments]
        refused = refusal(parse, b".".join(parts) + b"\n" + second)
        assert (refused.reason, refused.what) == (
            "malformed",
            "is not a compact JWE of five segments",
        )

    def test_the_sizes_of_the_wire_format(self):
        """docs/ref/sealed-read.md; what is larger is not looked into."""
        assert refusal(split, b"x" * 65_537).what == "is longer than 65536 bytes"
        assert refusal(split, b"x" * 65_536).what == "is not two lines"
        assert refusal(split, b"A" * 4_097 + b"\n").what == "is longer than 4096 characters"
        assert refusal(split, b"A" * 4_096 + b"\n").what != "is longer than 4096 characters"

    @pytest.mark.parametrize("at", [0, 1_500, -1])
    def test_other_bytes_than_ascii_are_named_wherever_they_stand(self, at):
        wire = bytearray(self.SEALED.wire)
        wire[at] = 0xC3
        assert refusal(split, bytes(wire)).what == "is not ASCII text"

    def test_a_third_line_is_named(self):
        assert refusal(split, self.SEALED.wire + b"\n").what == "is not two lines"
        assert refusal(split, self.SEALED.wire.replace(b"\n", b"")).what == "is not two lines"

    @pytest.mark.parametrize(
        ("line", "segment", "told"),
        [
            (0, 1, "encrypted key: must be 40 bytes"),
            (0, 2, "initialisation vector: must be 12 bytes"),
            (0, 3, "ciphertext: must be 2048 or 8192 or 16384 or 32768 bytes"),
            (0, 4, "tag: must be 16 bytes"),
            (1, 2, "signature: is not a detached signature of 64 bytes"),
        ],
    )
    def test_each_part_has_its_size_and_its_name(self, line, segment, told):
        lines = self.SEALED.wire.split(b"\n")
        parts = lines[line].split(b".")
        parts[segment] = b"AAAA"
        lines[line] = b".".join(parts)
        assert told in str(refusal(parse, b"\n".join(lines)))
        parts[segment] = b"?"
        lines[line] = b".".join(parts)
        assert f"{told.partition(':')[0]}: " in str(refusal(parse, b"\n".join(lines)))

    def test_a_header_without_tags_is_no_sealed_read(self):
        _, second = self.SEALED.wire.split(b"\n")
        assert refusal(parse, b"e30.x\n" + second).what == "is not a compact JWE with `alpr`"


class TestStrictJson:
    @pytest.mark.parametrize(
        "text",
        [
            '{"a":1,"a":2}',
            '{"a":{"b":1,"b":1}}',
            '{"a":NaN}',
            '{"a":Infinity}',
            '{"a":-Infinity}',
            "[]",
            "1",
            '"x"',
            "",
            "{",
            '{"a":1}x',
            "[" * 5000,
            '{"a":' + "9" * 5000 + "}",
        ],
    )
    def test_refuses(self, text):
        assert refusal(strict_json.parse_object, text.encode(), "x").reason == "malformed"

    @pytest.mark.parametrize("data", [b"\xff{}", b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16")])
    def test_refuses_other_encodings(self, data):
        assert refusal(strict_json.parse_object, data, "x").reason == "malformed"

    @settings(max_examples=25)
    @given(
        st.dictionaries(
            st.text(),
            st.integers() | st.text() | st.booleans() | st.none() | st.lists(st.integers()),
        )
    )
    def test_canonical_bytes_come_back(self, table):
        try:
            data = strict_json.canonical(table)
        except UnicodeEncodeError:  # lone surrogates have no UTF-8
            return
        assert strict_json.parse_object(data, "x") == table
        assert strict_json.canonical(dict(reversed(table.items()))) == data

    def test_canonical_refuses_not_a_number(self):
        with pytest.raises(ValueError):
            strict_json.canonical({"a": float("nan")})

    @pytest.mark.parametrize(
        "value",
        [
            {"kty": "OKP", "crv": "X25519", "x": "A" * 43, "d": "A" * 43},
            {"kty": "EC", "crv": "X25519", "x": "A" * 43},
            {"kty": "OKP", "crv": "X25519", "x": "A" * 42},
        ],
    )
    def test_a_private_or_foreign_key_is_no_public_key(self, value):
        assert refusal(strict_json.parse_public_jwk, value, "X25519", "x").reason == "malformed"


class TestReceipt:
    RECEIPT = Receipt(
        "ab" * 16,
        "cd" * 32,
        "cam-1",
        "exampleville-pd",
        "stored",
        datetime(2027, 1, 15, tzinfo=UTC),
    )

    @pytest.mark.parametrize("outcome", ["stored", "rejected:malformed", "rejected:key-destroyed"])
    def test_there_and_back(self, outcome):
        receipt = dataclasses.replace(self.RECEIPT, outcome=outcome)
        assert parse_receipt(format_receipt(receipt)) == receipt
        assert receipt.stored == (outcome == "stored")

    @pytest.mark.parametrize(
        "outcome",
        [
            "",
            "Stored",
            "rejected",
            "rejected:",
            "rejected:A",
            "rejected:" + "a" * 41,
            "stored\n",
            "rejected:a b",
        ],
    )
    def test_other_outcomes_are_refused(self, outcome):
        table = json.loads(format_receipt(self.RECEIPT)) | {"outcome": outcome}
        assert refusal(parse_receipt, json.dumps(table).encode()).reason == "malformed"

    def test_a_receipt_of_another_version_is_refused(self):
        table = json.loads(format_receipt(self.RECEIPT)) | {"v": 2}
        assert "]: receipt: `v` must be 1" in str(
            refusal(parse_receipt, json.dumps(table).encode())
        )
        assert "]: receipt: " in str(refusal(parse_receipt, b"[]"))
