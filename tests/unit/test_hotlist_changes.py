"""Changes of an imported list: what comes out has the very bytes of the new list, rows that went
are gone in the same step, and whatever does not give exactly that is refused.
"""

import hashlib
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.hotlist import changes as subject
from agent.core.hotlist.changes import MAGIC, changes_between, with_changes
from agent.core.hotlist.columns import MAX_ALIKE, ROW
from agent.core.hotlist.compiled_format import decode
from agent.core.hotlist.index import hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.errors import ConfigError
from tests.support.judging import HEADER, NOON, TODAY

AGENCIES = ("Town PD", "County Sheriff", "State Patrol")
CATEGORIES = ("stolen-vehicle", "stolen-plate", "missing-person")


def row(number, agency=0, category=0, days=30):
    """A few numbers share one text, and some texts look alike."""
    text = f"PWD{number // 3 % 97:02d}{'O0Q'[number % 3] if number % 5 == 0 else 'X'}"
    expires = TODAY + timedelta(days=days)
    return f"{text},US-CA,{CATEGORIES[category]},{AGENCIES[agency]},C-{number},2026-11-10,{expires}"


def listed(*rows):
    """The file of these rows."""
    text = "\n".join([HEADER, *rows]).encode()
    return bytes(import_list(Source([text], "hotlist.csv", NOON), None, TODAY).encoded())


def told(data):
    """All its entries."""
    listed_now = hotlist_of(decode(bytearray(data), "list"), None)
    (index,) = listed_now.indexes or (None,)
    return {index.entry(index.row(place)) for place in range(len(index))} if index else set()


BASE = listed(*(row(number) for number in range(120)))
NEXT = listed(*(row(number, agency=number % 2) for number in range(4, 124)))


class TestWhatComesOut:
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_it_is_the_new_list_to_the_byte(self, data):
        numbers = st.dictionaries(
            st.integers(0, 300),
            st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 40)),
            min_size=1,
            max_size=60,
        )
        before, after = data.draw(numbers), data.draw(numbers)
        if data.draw(st.booleans()):  # mostly the same, as lists are from day to day
            after = before | dict(list(after.items())[:3])
            after.pop(next(iter(before)))
        shuffled = data.draw(
            st.permutations([row(number, *more) for number, more in after.items()])
        )
        base, result = listed(*(row(one, *more) for one, more in before.items())), listed(*shuffled)
        found = changes_between(base, result)
        assert found is not None
        assert with_changes(base, found, "changes") == result

    def test_what_went_is_gone_in_the_same_step_as_what_came(self):
        base, result = listed(row(1), row(30)), listed(row(30), row(60))
        made = with_changes(base, changes_between(base, result), "changes")
        assert told(made) == told(result)
        assert not {one for one in told(base) if one.case == "C-1"} & told(made)

    def test_a_date_that_moved_is_one_row_that_goes_and_one_that_comes(self):
        base, result = listed(row(1), row(30)), listed(row(1, days=9), row(30))
        head = json.loads(header_of(changes_between(base, result)))
        assert (head["gone"], head["come"]) == (1, 1)

    def test_a_list_that_got_empty_and_one_that_was(self):
        empty = listed()
        for base, result in ((BASE, empty), (empty, BASE), (empty, listed()), (BASE, BASE)):
            assert with_changes(base, changes_between(base, result), "changes") == result

    def test_it_is_small_where_little_changed(self):
        many = [row(number, days=number % 40 + 1) for number in range(280)]
        base, result = listed(*many), listed(*many[3:], row(290))
        assert len(changes_between(base, result)) < len(result) / 8

    def test_in_pieces_it_is_the_same(self, monkeypatch):
        """A list of millions is gone through in pieces, so that its numbers fit into memory."""
        at_once = changes_between(BASE, NEXT)
        monkeypatch.setattr(subject, "AT_ONCE", 7)
        assert changes_between(BASE, NEXT) == at_once

    def test_what_cannot_be_said_so_is_the_whole(self, monkeypatch):
        """As where two rows share a mark: the result is tried before it is told."""
        monkeypatch.setattr(
            subject, "_marks", lambda compiled, _header: compiled.columns.rows["text"]
        )
        base, result = listed(row(0), row(1)), listed(row(0), row(2))
        assert changes_between(base, result) is None


def header_of(changes):
    begin = len(MAGIC) + 8
    return changes[begin : begin + int.from_bytes(changes[len(MAGIC) : begin], "little")]


def again(changes, head=None, body=None):
    """With another header or body, and a sum that fits: as its owner might make it."""
    begin = len(MAGIC) + 8
    old = header_of(changes)
    told = json.dumps(json.loads(old) | (head or {}), separators=(",", ":")).encode()
    rest = changes[begin + len(old) : -32] if body is None else body
    made = MAGIC + len(told).to_bytes(8, "little") + told + rest
    return made + hashlib.sha256(made).digest()


class TestWhatIsRefused:
    """Each gives one ConfigError, and never a list."""

    good = changes_between(BASE, NEXT)

    def refused(self, changes, base=BASE):
        with pytest.raises(ConfigError) as caught:
            with_changes(base, changes, "changes.age")
        assert not [one for one in ("PWD", "Town", "C-1") if one in str(caught.value)]
        return str(caught.value)

    def test_another_base(self):
        assert "belong to another list" in self.refused(self.good, NEXT)

    def test_every_byte_that_is_flipped_and_every_cut(self):
        for at in range(0, len(self.good), 7):
            spoilt = bytearray(self.good)
            spoilt[at] ^= 1
            self.refused(bytes(spoilt))
            self.refused(self.good[:at])

    def test_every_byte_that_its_owner_flips(self):
        """The sum fits: the result's own is what counts."""
        begin = len(MAGIC) + 8 + len(header_of(self.good))
        body = self.good[begin:-32]
        for at in range(0, len(body), 5):
            spoilt = bytearray(body)
            spoilt[at] ^= 1 << at % 8
            self.refused(again(self.good, body=bytes(spoilt)))

    @pytest.mark.parametrize(
        "head",
        [
            {"v": 2},
            {"base": "0" * 64},
            {"result": "0" * 64},
            {"result": "PWD0001"},
            {"gone": 1},
            {"gone": 1 << 40},
            {"come": 0},
            {"case_bytes": 0},
            {"header": 0},
            {"more": 1},
        ],
        ids=str,
    )
    def test_a_header_that_says_otherwise(self, head):
        self.refused(again(self.good, head))

    def test_rows_that_are_not_there_or_twice(self):
        head = json.loads(header_of(self.good))
        begin = len(MAGIC) + 8 + len(header_of(self.good))
        body = bytearray(self.good[begin:-32])
        at = head["header"]
        for place in (1 << 31, 0):
            spoilt = body.copy()
            last = at + 4 * (head["gone"] - 1)
            spoilt[last : last + 4] = place.to_bytes(4, "little")
            assert "its rows" in self.refused(again(self.good, body=bytes(spoilt)))
        spoilt = body.copy()
        row_at = at + 4 * head["gone"]
        case_at = row_at + list(ROW.names).index("case_at") * 8
        spoilt[case_at : case_at + 4] = b"\xff" * 4
        assert "its rows" in self.refused(again(self.good, body=bytes(spoilt)))

    def test_a_base_that_is_none(self):
        head = {"base": hashlib.sha256(b"no list").hexdigest()}
        self.refused(again(self.good, head), b"no list")

    def test_rows_that_share_a_case_a_million_times_over(self, monkeypatch):
        """What comes out would have each of them: its header says how much that may be."""
        monkeypatch.setattr(subject, "in_order", lambda _: pytest.fail("made so much room"))
        head = json.loads(header_of(self.good))
        body = bytearray(self.good[len(MAGIC) + 8 + len(header_of(self.good)) : -32])
        length_at = ROW.fields["case_length"][1]
        case_at = ROW.fields["case_at"][1]
        for nth in range(head["come"]):
            at = head["header"] + 4 * head["gone"] + nth * ROW.itemsize
            body[at + case_at : at + case_at + 4] = bytes(4)
            body[at + length_at] = min(255, head["case_bytes"])
        assert "its rows" in self.refused(again(self.good, body=bytes(body)))

    def test_a_list_larger_than_any_may_be(self, monkeypatch):
        columns = decode(NEXT, "list").columns
        rows, cases = columns.rows, columns.cases
        monkeypatch.setattr(subject, "MAX_FILE_BYTES", rows.nbytes + len(cases) - 1)
        assert "its rows" in self.refused(self.good)

    def test_an_empty_base_whose_slots_cannot_be_told_back(self):
        empty, odd = listed(), b'"multiplier":'
        at = empty.index(odd) + len(odd)
        end = empty.index(b",", at)
        even = empty[:at] + b"2".rjust(end - at) + empty[end:-32]
        base = even + hashlib.sha256(even).digest()
        head = {"base": hashlib.sha256(base).hexdigest()}
        assert "contradict" in self.refused(again(changes_between(empty, BASE), head), base)

    def test_a_name_that_a_kept_row_needs(self):
        base, result = listed(row(1), row(30, agency=1)), listed(row(1), row(30, agency=1), row(60))
        made = changes_between(base, result)
        spoilt = made.replace(b"County Sheriff", b"County Sherif2")
        begin = len(MAGIC) + 8 + len(header_of(made))
        assert "whose name is gone" in self.refused(again(made, body=spoilt[begin:-32]), base)

    def test_so_many_alike_that_a_look_would_take_long(self, monkeypatch):
        assert MAX_ALIKE == 1000
        monkeypatch.setattr(subject, "MAX_ALIKE", 1)
        assert "look alike" in self.refused(self.good)
