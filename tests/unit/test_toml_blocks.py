"""A long array of tables read a table at a time is the same as the whole file read at once: the
table, and the place of every key and value.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.policy.camera_roster import MAX_CAMERAS, open_roster, parse_roster
from agent.core.text import toml_blocks
from agent.core.text.toml_blocks import open_blocks
from agent.core.text.toml_document import open_document
from agent.errors import ConfigError

MOST = 1 << 20
BLOCK = """[[camera]]
id = "cam-{}"
stands = "Main Street {}"
near = ["school", "library"]
mount = "fixed"
"""
LINES = st.sampled_from(
    [
        'id = "cam-1"',
        'id="cam-1"',
        'id = "cam-2"   # the old one',
        "id = 'cam-3'",
        'stands = "Gr\u00fcne Stra\u00dfe 5"',
        'stands = "a \\"b\\" \\u00e9"',
        'stands = """a\n[[camera]]\nb"""',
        'stands = "a\tb"',
        'stands = "a\x7fb"',
        'stands = "a, b"',
        "near = []",
        'near = ["school"]',
        'near = [ "school" , "library", ]',
        'near = [\n  "school",\n  "library",\n]',
        'near = ["a, b", "c"]',
        'near = ["a",  "b"]',
        "near = [1, 2]",
        "road = { a = 1 }",
        'camera.id = "x"',
        "n = 1",
        "# a comment",
        "# \x01",
        "",
        "  ",
        "[[camera]]",
        "[[camera]] # more",
        "[[camera]]\t  # more \u00e9\n[[camera]]",
        "[[camera]]#\x02",
        "[camera.more]",
        "[other]",
        "[[ camera ]]",
        'camera = "x"',
        '"id" = "q"',
        "id = ",
        'city = "Exampleville"',
    ]
)


def same(text):
    """Both ways; the document as the quick one gives it."""
    quick = open_blocks(text.encode(), "roster.toml", "camera", MOST)
    slow = open_document(text.encode(), "roster.toml", most_bytes=MOST)
    assert (quick.table, quick.broken, quick.faults) == (slow.table, slow.broken, slow.faults)
    assert (dict(quick.keys), dict(quick.values)) == (slow.keys, slow.values)
    assert len(quick.keys) == len(slow.keys)
    for path in slow.keys:
        assert quick.place((*path, "missing")) == slow.place((*path, "missing"))
    return quick


@given(st.lists(LINES, max_size=14), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_whatever_the_lines_the_two_are_the_same(lines, end, ended):
    same(end.join(['city = "E"', *lines]) + (end if ended else ""))


@given(st.lists(LINES, max_size=6), st.integers(0, 3))
def test_one_odd_table_among_plain_ones(lines, at):
    blocks = [BLOCK.format(number, number) for number in range(3)]
    blocks.insert(at, "\n".join(["[[camera]]", *lines, ""]))
    same("\n".join(['city = "E"\n', *blocks]))


def test_plain_tables_are_not_parsed_as_a_whole(monkeypatch):
    """Ten thousand cameras took seven seconds."""
    text = 'city = "E"\n\n' + "\n".join(BLOCK.format(n, n) for n in range(50))
    monkeypatch.setattr(toml_blocks, "open_document", lambda *_: pytest.fail("the whole file"))
    monkeypatch.setattr(toml_blocks, "_other", lambda *_: pytest.fail("a table by itself"))
    document = open_blocks(text.encode(), "roster.toml", "camera", MOST)
    assert document.table["camera"][49]["near"] == ["school", "library"]
    assert document.line(("camera", 49, "mount")) == 3 + 49 * 6 + 4


def test_a_place_that_is_not_there():
    document = same('city = "E"\n' + BLOCK.format(1, 1))
    for path in (("camera", 1), ("camera", "id"), ("camera", 0, "no"), ("town",)):
        assert path not in document.keys
        with pytest.raises(KeyError):
            document.values[path]


def test_a_roster_holds_twenty_thousand_cameras_and_tells_the_first_too_many():
    text = 'city = "E"\n' + "".join(BLOCK.format(n, n) for n in range(MAX_CAMERAS))
    assert len(parse_roster(text.encode(), "roster.toml").cameras) == MAX_CAMERAS == 20_000
    document, _ = open_roster((text + BLOCK.format("x", 0)).encode(), "roster.toml")
    assert document.faults[0].what == "must have at most 20000 entries"


def test_a_fault_in_one_of_many_is_told_with_its_line():
    text = 'city = "E"\n' + "".join(BLOCK.format(n, n) for n in range(100))
    wrong = text.replace("Main Street 70", "").replace('id = "cam-90"', 'id = "cam-89"')
    with pytest.raises(ConfigError) as caught:
        parse_roster(wrong.encode(), "roster.toml")
    assert f"roster.toml:{2 + 70 * 5 + 2}: camera.stands" in str(caught.value)
    assert f"roster.toml:{2 + 90 * 5 + 1}: camera.id: 'cam-89' is there twice" in str(caught.value)


def test_a_key_that_is_there_twice_is_the_whole_files_fault():
    assert same('city = "E"\n\n[[camera]]\nid = "a"\nnear = []\nid = "b"\n').broken
