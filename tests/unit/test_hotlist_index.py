"""The compact index against a naive model, and its binary form: what is damaged or forged is
refused, never misread.

Broken by hand to see it fail: the bucket taken from the low bits; a run of equal slots cut at the
bucket's end; the case's offset one too far.
"""

import hashlib
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.hotlist.builder import ListBuilder
from agent.core.hotlist.categories import AllowList
from agent.core.hotlist.columns import Columns, bucket_bits, bucket_starts, most_alike
from agent.core.hotlist.compiled_format import MAGIC, decode, encode, shapes_of
from agent.core.hotlist.confusion import CONFUSABLE_GROUPS
from agent.core.hotlist.entry import FIELDS
from agent.core.hotlist.index import hotlist_of
from agent.core.hotlist.intake.compiled_rows import compile_rows
from agent.core.hotlist.intake.list_import import Source, import_list, parse_hotlist
from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Alternative
from agent.errors import ConfigError
from tests.support.judging import HEADER, NOON, TODAY

# Few characters, so that texts repeat and look alike.
FEW = st.text("0O1I5SX7", min_size=1, max_size=4)
ANY = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12)
ROWS = st.lists(
    st.tuples(
        FEW | ANY,
        st.sampled_from(["US-CA", "US-NV", "DE"]),
        st.sampled_from(["stolen-vehicle", "amber-alert", "never-release"]),
        st.sampled_from(["Town PD", "County"]),
        st.sampled_from(["C-1", "C-2", "A longer reference 77"]),
        st.dates(date(2026, 11, 1), TODAY),
        st.dates(TODAY - timedelta(days=3), date(2027, 3, 1)),
        st.sampled_from(["", "motorcycle"]),
    ),
    max_size=60,
)
SEEN = st.lists(FEW | ANY, min_size=1, max_size=9)


def csv_of(rows):
    return "\n".join([f"{HEADER},class", *(",".join(map(str, row)) for row in rows)]).encode()


def canon(text):
    for group in CONFUSABLE_GROUPS:
        for character in group:
            text = text.replace(character, group[0])
    return text


def naive(rows):
    """{(text, state, category, agency, case, class): (source date, expiry)}, row by row, in the
    words of the reference.
    """
    kept = {}
    for plate, state, category, agency, case, reported, expires, vehicle_class in rows:
        if reported >= expires:
            continue
        key = (plate, state, category, agency, case, vehicle_class)
        old = kept.get(key)
        if old is None:
            kept[key] = (reported, expires)
        elif category == "never-release":
            kept[key] = max(old, (reported, expires), key=lambda one: (one[1], one[0]))
        else:
            kept[key] = max(old, (reported, expires), key=lambda one: (one[0], -one[1].toordinal()))
    return {key: dates for key, dates in kept.items() if dates[1] > TODAY}


def told(entries):
    return {
        (one.plate.value, one.state, one.category, one.agency, one.case, one.vehicle_class): (
            one.source_date,
            one.expires,
        )
        for one in entries
    }


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, seen=SEEN)
def test_the_index_finds_what_a_dictionary_finds(rows, seen):
    rows = [row for row in rows if row[5] < row[6]]
    model = naive(rows)
    by_fold = defaultdict(dict)
    for key, dates in model.items():
        by_fold[canon(key[0])][key] = dates
    found = parse_hotlist(csv_of(rows), "list", TODAY)
    assert len(found) == len(model)
    for text in [*seen, *(row[0] for row in rows)]:
        alike = by_fold.get(canon(text), {})
        assert told(found.alike(text)) == alike
        assert told(found.texts(text)) == {
            key: dates for key, dates in alike.items() if key[0] == text
        }
        assert found.filter.perhaps([Alternative(PlateText(text), 0.1)]) >= [
            int(any(key[0] == text for key in alike))
        ]


def test_the_filter_answers_for_nearly_every_text_that_nobody_lists():
    """Also when some entries were added by hand: it covers both lists."""
    imported, by_hand = (
        hotlist_rows(f"{kind}{number:03}" for number in range(1000)) for kind in ("PWA", "PWB")
    )
    found = hotlist_of(imported, None, manual=by_hand).filter
    listed, others = (
        [
            Alternative(PlateText(f"{kind}{number:03}"), 0.1)
            for kind in kinds
            for number in range(1000)
        ]
        for kinds in (("PWA", "PWB"), ("PWC", "PWD"))
    )
    assert found.perhaps(listed) == [1] * 2000
    assert sum(found.perhaps(others)) < 200


def hotlist_rows(texts):
    rows = [
        (text, "US-CA", "stolen-vehicle", "A", "C-1", TODAY, date(2027, 1, 1), "") for text in texts
    ]
    return import_list(Source([csv_of(rows)], "list", NOON), None, TODAY).compiled


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, seen=SEEN, allowed=st.sets(st.sampled_from(["stolen-vehicle", "amber-alert"])))
def test_the_file_gives_the_same_list_back_also_with_fewer_categories(rows, seen, allowed):
    rows = [row for row in rows if row[5] < row[6]]
    compiled = import_list(Source([csv_of(rows)], "list", NOON), None, TODAY).compiled
    data = encode(compiled.header, compiled.columns)
    assert data == encode(compiled.header, compiled.columns)
    assert decode(bytearray(data), "list").header == compiled.header
    back = hotlist_of(decode(bytearray(data), "list"), allowed)
    model = {
        key: dates for key, dates in naive(rows).items() if key[2] in {*allowed, "never-release"}
    }
    assert len(back) == len(model)
    assert sum(back.dropped.values()) == len(naive(rows)) - len(model)
    for text in [*seen, *(row[0] for row in rows)]:
        assert told(back.texts(text)) == {
            key: dates for key, dates in model.items() if key[0] == text
        }


# What each field of a row may hold: right, wrong and empty.
OPTIONS = (
    ["PWD 1", "pwd-2", "", "PWD\u00c4", "PWD3"],
    ["US-CA", "", "??"],
    ["stolen-vehicle", "gang", "No!", "parking"],
    ["Town PD", ""],
    ["C-1", "", "C 2"],
    ["2026-11-10", "x", "2027-01-01"],
    ["2027-01-10", "2026-11-12", "2026-11-10"],
    ["", "car", "CAR"],
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(*map(st.sampled_from, OPTIONS)), max_size=5))
def test_many_rows_at_once_and_row_by_row_are_the_same(rows):
    quick, slow = (ListBuilder(TODAY, AllowList({"stolen-vehicle", "parking"})) for _ in range(2))
    faults = [slow.add(*row) for row in rows]
    done = bool(rows) and quick.add_many(dict(zip(FIELDS, zip(*rows, strict=True), strict=True)))
    if done:
        assert not any(faults)
        assert (len(quick), quick.allow.dropped) == (len(slow), slow.allow.dropped)
        first, second = (
            compile_rows(builder, "list", "00" * 32, NOON) for builder in (quick, slow)
        )
        assert encode(first.header, first.columns) == encode(second.header, second.columns)
    else:
        assert (len(quick), quick.allow.dropped) == (0, {})
        assert not rows or any(faults)


def damaged():
    """What each change to a right file is called, and the file with it; the sum at the end is right
    again unless it is what was changed.
    """
    row = ("PWD1", "US-CA", "stolen-vehicle", "A", "C-1", TODAY, date(2027, 1, 1), "")
    compiled = import_list(Source([csv_of([row])], "list", NOON), None, TODAY).compiled
    header, columns = compiled.header, compiled.columns
    right = encode(header, columns)

    def resealed(data):
        return data + hashlib.sha256(data).digest()

    def column(name, value):
        rows = columns.rows.copy()
        rows[name] = value
        return encode(header, Columns(rows, columns.cases))

    yield "empty", b""
    yield "another file", b"plate,state,category" * 10
    yield "made by an older version", resealed(b"platewarden-hl1\n" + right[len(MAGIC) : -32])
    yield "cut short", right[:-1]
    yield "one bit", right[:60] + bytes([right[60] ^ 1]) + right[61:]
    yield "header too long", resealed(MAGIC + (1 << 40).to_bytes(8, "little") + right[24:-32])
    yield "no JSON", resealed(right[:24] + b"[" + right[25:-32])
    yield "version 2", resealed(right[:-32].replace(b'"v":1', b'"v":2'))
    yield (
        "more entries than there are",
        resealed(right[:-32].replace(b'"entries":1', b'"entries":9')),
    )
    yield "a name that is none", resealed(right[:-32].replace(b"US-CA", b"US\\u0"))
    yield "state of no name", column("state", 7)
    yield "case beyond the end", column("case_at", 4000)
    yield "case longer than all", column("case_length", 200)
    yield "text of 13 characters", column("text", (1 << 64) - 1)
    yield "no text", column("text", 3)
    yield "control characters", encode(header, Columns(columns.rows, np.array([7, 10, 27], "<u1")))
    yield "a time that is none", encode(header.changed(as_of="yesterday"), columns)
    yield "something in the spare byte", column("spare", 1)
    yield "an even multiplier", encode(header.changed(multiplier=2), columns)


@pytest.mark.parametrize("what", [name for name, _ in damaged()])
def test_a_damaged_or_forged_file_is_refused_without_a_plate(what):
    with pytest.raises(ConfigError) as caught:
        decode(dict(damaged())[what], "hotlist.bin")
    assert "hotlist import" in str(caught.value)
    assert "PWD" not in str(caught.value)


def test_slots_out_of_order_are_refused():
    rows = [
        (f"PWD{number}", "US-CA", "stolen-vehicle", "A", "C-1", TODAY, date(2027, 1, 1), "")
        for number in range(9)
    ]
    compiled = import_list(Source([csv_of(rows)], "list", NOON), None, TODAY).compiled
    backwards = compiled.columns.take(np.arange(9)[::-1])
    with pytest.raises(ConfigError, match="contradict"):
        decode(encode(compiled.header, backwards), "list")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=50))
def test_buckets_hold_every_slot_once(slots):
    ordered = np.array(sorted(slots), "<u8")
    bits = bucket_bits(len(slots))
    starts = bucket_starts(ordered, bits)
    assert (starts[0], starts[-1], len(starts)) == (0, len(slots), (1 << bits) + 1)
    for place, slot in enumerate(ordered):
        bucket = int(slot) >> (64 - bits)
        assert starts[bucket] <= place < starts[bucket + 1]
    assert most_alike(ordered) == max((slots.count(one) for one in slots), default=0)


def test_shapes_are_counted_by_different_texts():
    compiled = import_list(
        Source(
            [
                csv_of(
                    [
                        (text, "US-CA", "stolen-vehicle", "A", case, TODAY, date(2027, 1, 1), "")
                        for text in ("1ABC234", "9XYZ000", "ABC", "0")
                        for case in ("C-1", "C-2")
                    ]
                )
            ],
            "l",
            NOON,
        ),
        None,
        TODAY,
    ).compiled
    assert compiled.header.shapes == {"DLLLDDD": 2, "LLL": 1, "D": 1}
    assert shapes_of(np.zeros(0, "<u8")) == {}


def test_a_list_made_twice_is_the_same_file_and_another_list_has_other_buckets():
    rows = [("PWD1", "US-CA", "stolen-vehicle", "A", "C-1", TODAY, date(2027, 1, 1), "")]
    first, again, other = (
        import_list(Source([csv_of(one)], "list", datetime(2026, 11, 22, tzinfo=UTC)), None, TODAY)
        for one in (rows, rows, rows * 2)
    )
    assert first.encoded() == again.encoded()
    assert first.compiled.header.multiplier != other.compiled.header.multiplier
