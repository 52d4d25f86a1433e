"""A fleet's counting finds each broken promise, and the gaps are what a clock would show."""

from dataclasses import replace

import pytest

from tests.fleet.counting import Told, faults
from tests.fleet.gaps import Gap, Moment, gaps

READS = frozenset({"a", "b", "c"})
ONCE = dict.fromkeys(READS, 1)
GOOD = Told(sent=READS, receipted=READS, stored=ONCE, lines=ONCE, rung=3)


def test_where_all_holds_nothing_is_said():
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"stored": {"a": 1, "b": 1}, "rung": 2}, "1 lost: receipted or not, and in no store: c"),
        ({"stored": ONCE | {"x": 1}, "lines": ONCE | {"x": 1}, "rung": 4}, "1 stored, and nobody"),
        ({"stored": ONCE | {"b": 2}}, "1 stored more than once: b"),
        ({"receipted": READS - {"a"}}, "1 without a receipt: a"),
        ({"lines": {"a": 1, "c": 1}}, "1 stored and never told: b"),
        ({"lines": ONCE | {"a": 3}, "may_tell_again": 1}, "2 told again, 1 at most"),
        ({"rung": 2}, "1 never rung"),
        ({"rung": 5, "may_ring_again": 1}, "2 rung again, 1 at most"),
        ({"waiting": 2}, "2 still wait"),
        ({"odd": 1}, "1 receipts that fit no read"),
        (
            {"sent": frozenset(), "receipted": frozenset(), "stored": {}, "lines": {}, "rung": 0},
            "nothing was sent",
        ),
    ],
)
def test_each_broken_promise_is_found_alone(broken, words):
    [found] = faults(replace(GOOD, **broken))
    assert found.startswith(words)


def test_what_was_in_hand_at_a_kill_may_come_again():
    again = {"lines": ONCE | {"a": 2}, "rung": 4, "may_tell_again": 1, "may_ring_again": 1}
    assert faults(replace(GOOD, **again)) == []


def test_of_many_reads_some_are_named():
    sent = frozenset(f"{number:03}" for number in range(100))
    stored = dict.fromkeys(sent, 1)
    [found] = faults(Told(sent, frozenset(), stored, stored, 100))
    assert found == "100 without a receipt: 000, 001, 002, 003, 004"


def test_a_gap_is_the_longest_time_without_a_receipt():
    sent = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 12.0}
    got = {"a": 1.5, "b": 2.5, "c": 9.5, "d": 12.25}
    moments = [Moment("calm", 0.0), Moment("a receiver", 2.75), Moment("the broker", 11.0)]
    assert gaps(moments, 13.0, sent, got) == [
        Gap("calm", 7.0, 0.5, 2),
        Gap("a receiver", 7.0, 6.5, 1),
        Gap("the broker", 2.75, 0.25, 1),
    ]


def test_without_any_receipt_all_of_it_is_silence():
    assert gaps([Moment("calm", 1.0)], 5.0, {"a": 2.0}, {}) == [Gap("calm", 4.0, 3.0, 1)]
