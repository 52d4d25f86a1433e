"""Checkpoints and signed notes: the C2SP specification's example, our own text, and everything that
is no checkpoint.
"""

import base64
import contextlib
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from agent.core.log import checkpoint
from agent.core.log.checkpoint import (
    COSIGNATURE_V1,
    ORIGIN_PREFIX,
    Checkpoint,
    NoteSignature,
    body,
    key_id,
    note,
    origin_of,
    parse_body,
    parse_note,
    parse_signatures,
    parse_verifier_key,
    verifier_key,
)

ORIGIN = "platewarden/cam-test-1/watch"
ROOT = hashlib.sha256(b"root").digest()

# The example of Go's golang.org/x/mod/sumdb/note, from which C2SP's signed-note was made.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def a_note(checkpoint=Checkpoint(ORIGIN, 7, ROOT), name=ORIGIN):  # noqa: B008 - a frozen value
    return note(body(checkpoint), [NoteSignature(name, b"\x01\x02\x03\x04", b"s" * 64)])


def test_a_note_of_another_implementation_verifies():
    name, key = parse_verifier_key(GO_KEY)
    taken = parse_note(GO_NOTE.encode())
    [one] = taken.signatures
    assert (one.name, one.key_id) == (name, key_id(name, key))
    Ed25519PublicKey.from_public_bytes(key).verify(one.signature, taken.signed)


def test_our_note_is_what_was_put_in():
    checkpoint = Checkpoint(ORIGIN, 7, ROOT)
    taken = parse_note(a_note(checkpoint))
    assert parse_body(taken.signed) == checkpoint
    assert taken.signatures == (NoteSignature(ORIGIN, b"\x01\x02\x03\x04", b"s" * 64),)


def test_the_exact_bytes():
    assert (
        body(Checkpoint("o/log", 1, bytes(32)))
        == b"o/log\n1\n" + base64.b64encode(bytes(32)) + b"\n"
    )
    expected = b"text\n\n\xe2\x80\x94 name " + base64.b64encode(b"idididid") + b"\n"
    assert note(b"text\n", [NoteSignature("name", b"idid", b"idid")]) == expected


def test_a_witness_s_line_is_kept_beside_ours():
    two = note(
        body(Checkpoint(ORIGIN, 7, ROOT)),
        [
            NoteSignature(ORIGIN, b"1234", b"s" * 64),
            NoteSignature("witness.example", b"5678", b"t" * 72),
        ],
    )
    assert [one.name for one in parse_note(two).signatures] == [ORIGIN, "witness.example"]


@pytest.mark.parametrize("extensions", [(), ("one",), ("one", "and two", "3")])
def test_extension_lines_are_allowed(extensions):
    checkpoint = Checkpoint(ORIGIN, 7, ROOT, extensions)
    assert parse_body(body(checkpoint)) == checkpoint


def test_a_witness_s_key_id_is_the_specification_s():
    digest = hashlib.sha256(b"witness.example\n\x04" + ROOT).digest()
    assert key_id("witness.example", ROOT, COSIGNATURE_V1) == digest[:4]


@pytest.mark.parametrize("name", ["!", "~", "x" * 200])
def test_names_at_a_bound(name):
    assert parse_body(body(Checkpoint(name, 1, ROOT))).origin == name
    assert parse_verifier_key(verifier_key(name, ROOT)) == (name, ROOT)


def test_a_size_of_18_digits_is_the_largest():
    assert parse_body(body(Checkpoint(ORIGIN, 10**18 - 1, ROOT))).size == 10**18 - 1


def test_a_note_may_have_64_signatures_and_128_kib():
    line = "\N{EM DASH} name AAAAAAA=\n".encode()  # five bytes: an id and one of a signature
    for lines in (1, 64):
        text = b"x" * (131_072 - 2 - lines * len(line)) + b"\n\n" + lines * line
        assert len(text) == 131_072
        assert len(parse_note(text).signatures) == lines
        with pytest.raises(ValueError, match="the note is too long"):
            parse_note(b"x" + text)
    with pytest.raises(ValueError, match="too many signatures"):
        parse_note(b"text\n\n" + 65 * line)


def test_sixteen_signatures_of_nearly_5_kb_fit_as_the_text_asks():
    """https://c2sp.org/signed-note: "MUST accept at least up to 16 signatures", of nearly 5 kB."""
    lines = [NoteSignature(f"witness-{n}.example", bytes(4), bytes(4_700)) for n in range(16)]
    assert parse_note(note(b"text\n", lines)).signatures == tuple(lines)


def test_lines_of_unknown_keys_are_kept_byte_by_byte():
    checkpoint = Checkpoint(ORIGIN, 7, ROOT)
    lines = [
        NoteSignature(ORIGIN, bytes(4), bytes(64)),
        NoteSignature("später.example/ü", b"abcd", bytes(range(200))),
        NoteSignature("future.example", b"\xff" * 4, b"x"),
    ]
    whole = note(body(checkpoint), lines)
    taken = parse_note(whole)
    assert taken.signatures == tuple(lines)
    assert note(taken.signed, taken.signatures) == whole


@pytest.mark.parametrize("space", ["\N{NO-BREAK SPACE}", "\N{EM SPACE}", "\u2028"])
def test_a_key_s_name_holds_no_space_of_any_kind(space):
    with pytest.raises(ValueError, match="a signature line reads"):
        parse_note(f"text\n\n\N{EM DASH} na{space}me AAAAAAA=\n".encode())


def test_signature_lines_alone():
    lines = [NoteSignature("witness.example", b"abcd", bytes(72))]
    assert parse_signatures(note(b"", lines)[1:]) == tuple(lines)
    for odd in (b"", b"\n", b"x\n", b"\xff\n", note(b"", lines)[1:-1], bytes(200_000)):
        with pytest.raises(ValueError):
            parse_signatures(odd)


def test_a_verifier_key_goes_both_ways():
    raw = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert parse_verifier_key(verifier_key(ORIGIN, raw)) == (ORIGIN, raw)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        "a+00000000+AAAA",
        GO_KEY.replace("c74f", "c74e"),
        GO_KEY.replace("+AR", "+BR"),
        "a b+c74f20a3+AAAA",
    ],
)
def test_odd_verifier_keys_are_refused(text):
    with pytest.raises(ValueError):
        parse_verifier_key(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n",
        b"no signature\n",
        b"text\n\n",
        b"text\n\nname AAAAAAAA\n",
        b"text\n\n\xe2\x80\x94 name\n",
        b"text\n\n\xe2\x80\x94 name !!\n",
        b"text\n\n\xe2\x80\x94 name AAAA\n",
        b"text\n\n\xe2\x80\x94 na+me AAAAAAAA\n",
        b"text\x1b[2J\n\n\xe2\x80\x94 name AAAAAAAA\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAAA",
        b"\xff\xfe\n\n\xe2\x80\x94 name AAAAAAAA\n",
        b"x" * 140_000,
        b"text\n\n" + b"\xe2\x80\x94 name AAAAAAAA\n" * 65,
    ],
)
def test_what_is_no_note_is_refused(text):
    with pytest.raises(ValueError):
        parse_note(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"o\n1\n",
        b"o\n01\n" + base64.b64encode(ROOT) + b"\n",
        b"o\n-1\n" + base64.b64encode(ROOT) + b"\n",
        b"o\n\xd9\xa1\n" + base64.b64encode(ROOT) + b"\n",  # an Arabic-Indic one
        b"o\n" + b"9" * 19 + b"\n" + base64.b64encode(ROOT) + b"\n",
        b"o\n1\n" + base64.b64encode(ROOT[:31]) + b"\n",
        b"o\n1\n" + base64.b64encode(ROOT).rstrip(b"=") + b"\n",
        b"o o\n1\n" + base64.b64encode(ROOT) + b"\n",
        b"\n1\n" + base64.b64encode(ROOT) + b"\n",
        b"o\n1\n" + base64.b64encode(ROOT),
        b"o\n1\n" + base64.b64encode(ROOT) + b"\n\nx\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(ValueError):
        parse_body(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "ä", "\x7f", "x" * 201])
def test_a_log_s_name_cannot_break_the_lines(name):
    with pytest.raises(ValueError):
        body(Checkpoint(name, 1, ROOT))


DASH = "\N{EM DASH}".encode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DASH + b" name AAAAAAAA\n", "the note has no signatures"),
        (b"text\n\n" + DASH + b" name AAAAAAAAx", "the note has no signatures"),
        (b"text\n\n" + DASH + b"  AAAAAAAA\n", "a signature line reads"),
        (b"text\n\n" + DASH + b" name AAAAAA==\n", "a signature is too short"),
        (b"text\n\n" + DASH + b" name AAAA!AAAA\n", "not base64"),
        (b"text\n\n" + DASH + b" name AAAAAAB=\n", "not canonical base64"),
    ],
)
def test_what_is_wrong_with_a_note_is_said(text, told):
    with pytest.raises(ValueError, match=told):
        parse_note(text)


BASE64_ROOT = base64.b64encode(ROOT)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"o\n1\n", "at least three lines"),
        (b"o\n1", "at least three lines"),
        (b"o\n1\n" + BASE64_ROOT + b"\nunfinished", "at least three lines"),
        (b"o\n1\n" + BASE64_ROOT + b"\n\n", "at least three lines"),
        ("o\n\N{SUPERSCRIPT TWO}\n".encode() + BASE64_ROOT + b"\n", "not a plain decimal number"),
        (b"o\n" + b"9" * 19 + b"\n" + BASE64_ROOT + b"\n", "not a plain decimal number"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_said(text, told):
    with pytest.raises(ValueError, match=told):
        parse_body(text)


def test_a_verifier_key_has_a_name_that_may_stand_in_a_note():
    with pytest.raises(ValueError, match="without space or plus"):
        parse_verifier_key(verifier_key("two words", ROOT))


@given(st.binary(max_size=300))
def test_random_bytes_raise_value_error_only(data):
    for parse in (parse_note, parse_body):
        with contextlib.suppress(ValueError):
            parse(data)


@given(st.data())
def test_one_changed_byte_is_seen_or_refused(data):
    whole = a_note()
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    changed = whole[:place] + bytes([other]) + whole[place + 1 :]
    with contextlib.suppress(ValueError):
        assert parse_note(changed) != parse_note(whole)


LINE = "— w.example " + base64.b64encode(b"idid" + bytes(64)).decode() + "\n"


def test_a_witnesss_answer_is_read_as_the_lines_of_a_note():
    (signature,) = parse_signatures(LINE.encode())
    assert (signature.name, signature.key_id, signature.signature) == (
        "w.example",
        b"idid",
        bytes(64),
    )
    assert len(parse_signatures((LINE * 3).encode())) == 3


@pytest.mark.parametrize("answer", ["", LINE[:-1], LINE.replace("w.", "w\x00"), "\n", LINE + "x"])
def test_an_answer_that_is_no_signature_lines_is_refused(answer):
    with pytest.raises(ValueError, match=r"signature|base64"):
        parse_signatures(answer.encode())


@pytest.mark.parametrize("answer", [LINE[:-1], LINE.replace("w.", "w\x00")])
def test_an_answer_without_its_end_or_with_control_characters_goes_no_further(answer):
    with pytest.raises(ValueError, match="no signature lines"):
        parse_signatures(answer.encode())


def test_a_long_answer_is_not_looked_into(monkeypatch):
    monkeypatch.setattr(checkpoint, "MAX_NOTE_BYTES", len(LINE.encode()))
    assert len(parse_signatures(LINE.encode())) == 1
    with pytest.raises(ValueError, match="too long"):
        parse_signatures((LINE * 2).encode())


def test_the_kinds_of_key_are_those_of_c2sp():
    """signed-note and tlog-cosignature give the bytes."""
    found = (
        checkpoint.ED25519,
        checkpoint.COSIGNATURE_V1,
        checkpoint.COSIGNATURE_ML_DSA_44,
    )
    assert found == (1, 4, 6)


def test_a_log_is_named_by_domain_camera_and_process():
    assert origin_of("cam-1", "watch", "a.example") == "a.example/platewarden/cam-1/watch"
    assert origin_of("cam-1", "watch") == "platewarden/cam-1/watch"
    assert ORIGIN_PREFIX == "platewarden"
