"""Cosignatures and witness policies: the texts of C2SP byte by byte, and all that is none."""

import base64
import contextlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.audit.witnesses.cosigner import cosign, witness_key_of
from agent.core.log.checkpoint import (
    COSIGNATURE_ML_DSA_44,
    MAX_NOTE_BYTES,
    Checkpoint,
    NoteSignature,
    body,
    note,
    parse_note,
    verifier_key,
)
from agent.core.log.cosignature import (
    WitnessKey,
    cosigned_bytes,
    parse_timestamped,
    parse_witness_key,
    timestamped,
)
from agent.core.log.witness_policy import Witness, k_of, parse_policy
from agent.storage.log_notes import cosignatures

# The example of https://c2sp.org/tlog-cosignature, and the message that it says is signed.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q"
    "1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2o"
    "yin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
SIGNED = (
    b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
    b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NAME = "witness.example/w1"
AT_S = 1_800_000_000
CHECKPOINT = Checkpoint("example.com/log", 7, bytes(range(32)))


def a_note():
    return parse_note(
        note(body(CHECKPOINT), [NoteSignature("example.com/log", b"abcd", b"s" * 64)])
    )


def ml_dsa():
    key = MLDSA44PrivateKey.from_seed_bytes(bytes(range(32)))
    return key, WitnessKey(NAME, COSIGNATURE_ML_DSA_44, key.public_key().public_bytes_raw())


def ml_dsa_line(at_s=AT_S):
    """Written from the specification's `cosigned_message`, with another tool than ours."""
    key, public = ml_dsa()
    name, origin = NAME.encode(), CHECKPOINT.origin.encode()
    form = f">12sB{len(name)}sQB{len(origin)}sQQ32s"
    said = (b"subtree/v1\n\0", len(name), name, at_s, len(origin), origin)
    message = struct.pack(form, *said, 0, CHECKPOINT.size, CHECKPOINT.root)
    signature = struct.pack(">Q", at_s) + key.sign(message)
    return public, NoteSignature(NAME, public.id, signature)


class TestEd25519:
    def test_the_example_of_the_specification(self):
        taken = parse_note(EXAMPLE.encode())
        line = taken.signatures[1]
        at_s, signature = parse_timestamped(line.signature, 4)
        assert (at_s, len(signature)) == (1679315147, 64)
        assert cosigned_bytes(witness_key_of("w", KEY), taken, at_s) == SIGNED
        assert timestamped(at_s, signature) == line.signature

    def test_ours_is_good_and_tells_when(self):
        line = cosign(a_note(), NAME, KEY, AT_S)
        [one] = cosignatures([line], a_note(), [witness_key_of(NAME, KEY)])
        assert (one.at_s, one.key.name) == (AT_S, NAME)

    @pytest.mark.parametrize("changed", range(0, 72, 9))
    def test_no_bit_of_it_may_change(self, changed):
        line = cosign(a_note(), NAME, KEY, AT_S)
        data = bytearray(line.signature)
        data[changed] ^= 1
        spoiled = NoteSignature(line.name, line.key_id, bytes(data))
        [one] = cosignatures([spoiled], a_note(), [witness_key_of(NAME, KEY)])
        assert one.at_s is None

    def test_it_is_of_this_checkpoint_alone(self):
        other = parse_note(
            note(
                body(Checkpoint("example.com/log", 8, bytes(32))),
                [NoteSignature("example.com/log", b"abcd", b"s" * 64)],
            )
        )
        line = cosign(a_note(), NAME, KEY, AT_S)
        [one] = cosignatures([line], other, [witness_key_of(NAME, KEY)])
        assert one.at_s is None

    def test_a_plain_signature_of_the_same_key_is_none(self):
        """The log's own signature has another type, so another id."""
        key = witness_key_of(NAME, KEY)
        plain = NoteSignature(NAME, key.id, KEY.sign(a_note().signed))
        [one] = cosignatures([plain], a_note(), [key])
        assert one.at_s is None

    def test_lines_of_others_are_ignored(self):
        line = cosign(a_note(), NAME, KEY, AT_S)
        for key in (witness_key_of("other.example", KEY), ml_dsa()[1]):
            assert cosignatures([line], a_note(), [key]) == ()

    @pytest.mark.parametrize("at_s", [0, 1_577_836_799, 7_258_118_400, 2**63, 2**64 - 1])
    def test_a_time_before_2020_or_after_2200_is_none(self, at_s):
        line = cosign(a_note(), NAME, KEY, at_s)
        [one] = cosignatures([line], a_note(), [witness_key_of(NAME, KEY)])
        assert one.at_s is None


class TestMlDsa44:
    def test_one_made_from_the_specification_is_good(self):
        public, line = ml_dsa_line()
        [one] = cosignatures([line], a_note(), [public])
        assert one.at_s == AT_S

    def test_under_another_name_it_is_none(self):
        public, line = ml_dsa_line()
        other = WitnessKey("other.example", public.algorithm, public.raw)
        renamed = NoteSignature(other.name, other.id, line.signature)
        [one] = cosignatures([renamed], a_note(), [other])
        assert one.at_s is None

    def test_five_of_them_fit_into_a_note(self):
        _, line = ml_dsa_line()
        whole = note(a_note().signed, [*a_note().signatures, *[line] * 5])
        assert 16_384 < len(whole) < MAX_NOTE_BYTES
        assert len(parse_note(whole).signatures) == 6


class TestKeys:
    @pytest.mark.parametrize("key", [witness_key_of(NAME, KEY), ml_dsa()[1]])
    def test_go_both_ways(self, key):
        assert parse_witness_key(f"{key}\n") == key

    @pytest.mark.parametrize("text", ["", "a+b+c", verifier_key(NAME, bytes(32)), f"x{NAME}"])
    def test_what_is_none_is_refused(self, text):
        """A log's key (type 0x01) is no witness's."""
        with pytest.raises(ValueError, match="not a witness's verifier key"):
            parse_witness_key(text)


def keys(number):
    return [
        witness_key_of(f"w{n}.example", Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)))
        for n in range(number)
    ]


def policy(*lines, number=4):
    witnesses = [f"witness W{n} {key}" for n, key in enumerate(keys(number))]
    return parse_policy("\n".join([*witnesses, *lines, ""]).encode())


class TestPolicy:
    def test_k_of_n(self):
        two = k_of(2, [Witness(key.name, key) for key in keys(3)])
        assert str(two) == "2 of 3 (w0.example, w1.example, w2.example)"
        assert not two.met({"w0.example"})
        assert two.met({"w0.example", "w2.example"})
        assert k_of(None, two.witnesses).met({one.name for one in two.witnesses})
        assert not k_of(None, two.witnesses).met({"w0.example", "w1.example"})

    def test_the_specification_s_form(self):
        asked = policy(
            "# ours",
            f"log {verifier_key('example.com/log', bytes(32))} https://log.example",
            "group X 2 W0 W1 W2\t",
            "group XY all X W3",
            "quorum XY",
        )
        assert asked.met({"W0", "W2", "W3"})
        assert not asked.met({"W0", "W1", "W2"})
        assert not asked.met({"W0", "W3"})
        assert policy("group A any W0 W1", "quorum A").met({"W1"})
        assert policy("quorum none").met(())

    def test_an_address_is_taken(self):
        [key] = keys(1)
        line = f"witness A {key} https://witness.example/a\nquorum A\n"
        assert parse_policy(line.encode()).witnesses[0].url == "https://witness.example/a"

    @pytest.mark.parametrize(
        ("lines", "told"),
        [
            ((), "no line `quorum"),
            (("quorum W9",), "line 5: one quorum"),
            (("quorum W0", "quorum W0"), "line 6: one quorum"),
            (("group A 2 W0", "quorum A"), "line 5: 2 of 1 is no quorum"),
            (("group A 0 W0", "quorum A"), "line 5: 0 of 1"),
            (("group A some W0", "quorum A"), "line 5: some of 1"),
            (("group A any B", "group B any W0", "quorum A"), "line 5: B is named before"),
            (("group A any A", "quorum A"), "line 5: A is named before"),
            (("group A any W0 W0", "quorum A"), "line 5: W0 is a member already"),
            (("group A any W0", "group B any W0", "quorum A"), "line 6: W0 is a member already"),
            (("group W0 any W1", "quorum W0"), "line 5: W0 is taken"),
            (("group none any W1", "quorum none"), "line 5: none is taken"),
            (("witness A nonsense", "quorum A"), "line 5: not a witness's verifier key"),
            (("allow W0", "quorum W0"), "line 5: is no line"),
            (("quorum", "quorum W0"), "line 5: is no line"),
        ],
    )
    def test_what_is_none_is_refused_with_its_line(self, lines, told):
        with pytest.raises(ValueError, match=told):
            policy(*lines)

    def test_one_witness_under_two_names_is_refused(self):
        [key] = keys(1)
        twice = [Witness("a", key), Witness("b", key)]
        with pytest.raises(ValueError, match="the same key"):
            k_of(1, twice)
        text = f"witness A {key}\nwitness B {key}\ngroup G 2 A B\nquorum G\n"
        with pytest.raises(ValueError, match="the same key"):
            parse_policy(text.encode())

    @pytest.mark.parametrize("least", [0, 3])
    def test_no_quorum_beyond_the_witnesses(self, least):
        with pytest.raises(ValueError, match="is no quorum"):
            k_of(least, [Witness(key.name, key) for key in keys(2)])

    @pytest.mark.parametrize("data", [b"\n" * 2_000, b"#" * 300_000, b"\xff\nquorum none"])
    def test_a_file_has_a_bound(self, data):
        with pytest.raises(ValueError):
            parse_policy(data)


@given(st.binary(max_size=200), st.sampled_from([b"", b"witness ", b"group A any ", b"quorum "]))
def test_random_bytes_raise_value_error_only(data, head):
    with contextlib.suppress(ValueError):
        parse_policy(head + data)
    with contextlib.suppress(ValueError):
        parse_witness_key(data.decode("latin-1"))
    with contextlib.suppress(ValueError):
        parse_timestamped(base64.b64encode(data), 4)
