"""What a leaf of the audit log may say: its kinds, which stand in logs for years, and bounds that
no stranger's text gets past.
"""

import hashlib
import json

import pytest

from agent.core.log.leaf import LeafKind, canonical, clean_text, salted_leaf_hash


def test_kinds_are_codes_that_never_change():
    """Logs that were written years ago are read with them."""
    assert {kind.name.lower() for kind in LeafKind} == {kind.value for kind in LeafKind}
    assert " ".join(LeafKind) == (
        "start stop release refusal withdrawal expired receipt overflow lost missing counts policy "
        "keys bundles clock decommission aim camera hotlist checkpoint outcome access "
        "hold software"
    )


def test_a_leaf_hash_is_the_documented_one():
    data = hashlib.sha256(b"salt" + b"details").digest()
    assert salted_leaf_hash(b"salt", b"details") == hashlib.sha256(b"\x00" + data).digest()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("\n" + "x" * 199, "?" + "x" * 199),
        ("x" * 199 + "\x1b", "x" * 199 + "?"),
        ("x\u202e" * 200, "x?" * 99 + "x…"),
    ],
)
def test_a_text_has_200_characters_at_most_and_none_that_speaks_to_a_terminal(text, kept):
    assert clean_text(text) == kept
    assert json.loads(canonical({text: [text]})) == {kept: [kept]}


def nested(make, levels):
    value = 1
    for _ in range(levels):
        value = make(value)
    return value


@pytest.mark.parametrize("make", [lambda value: {"a": value}, lambda value: [value]])
def test_four_levels_with_the_outermost(make):
    assert json.loads(canonical({"a": nested(make, 3)})) == {"a": nested(make, 3)}
    with pytest.raises(TypeError, match="plain, small values only"):
        canonical({"a": nested(make, 4)})


@pytest.mark.parametrize(
    "make", [lambda count: dict.fromkeys(map(str, range(count)), 1), lambda count: [1] * count]
)
def test_64_items(make):
    assert json.loads(canonical({"a": make(64)})) == {"a": make(64)}
    with pytest.raises(TypeError, match="plain, small values only"):
        canonical({"a": make(65)})


def test_16_kib():
    texts = {f"{number:02}": ["x" * 200] * 10 for number in range(8)}
    rest = 16_384 - len(canonical({**texts, "last": ""}))
    lines = ["x" * 200] * (rest // 203)
    fits = {**texts, "last": "", "more": lines}
    left = 16_384 - len(canonical(fits))
    fits["last"] = "x" * left
    assert 0 <= left < 200
    assert len(canonical(fits)) == 16_384
    with pytest.raises(ValueError, match="exceed 16384 bytes"):
        canonical({**fits, "last": "x" * (left + 1)})


@pytest.mark.parametrize("value", [b"bytes", bytearray(1), memoryview(b"a"), object(), {1, 2}])
def test_what_is_not_plain_json_is_refused(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        canonical({"a": value})
