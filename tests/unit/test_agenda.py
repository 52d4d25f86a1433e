"""The agenda: what is due comes first, what is parked never, a closed lane is passed over."""

from contextlib import closing

import pytest

from agent.core.time.agenda import Agenda


@pytest.fixture
def agenda():
    return Agenda()


def given(agenda, now_s, closed=()):
    with closing(agenda.due(now_s, closed)) as due:
        return list(due)


def test_the_longest_due_comes_first_over_all_lanes(agenda):
    agenda.put("c", "x", 3.0)
    agenda.put("a", "y", 1.0)
    agenda.put("b", "x", 2.0)
    agenda.put("later", "y", 4.5)
    assert given(agenda, 4.0) == ["a", "b", "c"]


def test_of_those_due_together_the_one_put_first(agenda):
    for name in ("c", "a", "b"):
        agenda.put(name, "", 0.0)
    assert given(agenda, 0.0) == ["c", "a", "b"]


def test_what_nobody_puts_anew_stays_due(agenda):
    agenda.put("a", "", 0.0)
    assert given(agenda, 1.0) == given(agenda, 1.0) == ["a"]


def test_a_later_word_counts_more(agenda):
    agenda.put("a", "", 0.0)
    agenda.put("a", "x", 9.0)
    assert given(agenda, 1.0) == []
    assert given(agenda, 9.0) == ["a"]
    agenda.put("a", "x", 2.0)
    assert given(agenda, 2.0) == ["a"]


def test_parked_and_dropped_are_never_due_and_only_the_one_is_known(agenda):
    agenda.put("a", "", 0.0)
    agenda.put("b", "", 0.0)
    agenda.park("a")
    agenda.drop("b")
    agenda.drop("b")
    assert given(agenda, 9.0) == []
    assert (list(agenda), len(agenda), "a" in agenda, "b" in agenda) == (["a"], 1, True, False)
    assert agenda.waiting() == {}
    agenda.put("a", "", 1.0)
    assert given(agenda, 1.0) == ["a"]
    assert agenda.waiting() == {"a": 1.0}


def test_a_lane_that_closes_meanwhile_is_passed_over(agenda):
    for name in ("a1", "a2", "b1"):
        agenda.put(name, name[0], 0.0)
    closed, seen = set(), []
    with closing(agenda.due(0.0, closed)) as due:
        for name in due:
            seen.append(name)
            closed.add("a")
    assert seen == ["a1", "b1"]
    assert given(agenda, 0.0) == ["a1", "a2", "b1"]


def test_whoever_stops_half_way_loses_nothing(agenda):
    for name in ("a", "b", "c"):
        agenda.put(name, "", 0.0)
    with closing(agenda.due(0.0, ())) as due:
        assert next(due) == "a"
        agenda.put("a", "x", 5.0)
        assert next(due) == "b"
    assert given(agenda, 0.0) == ["b", "c"]
    assert given(agenda, 5.0) == ["b", "c", "a"]


def test_what_is_put_while_it_is_given_comes_once_more_only_when_due(agenda):
    agenda.put("a", "", 0.0)
    seen = []
    with closing(agenda.due(0.0, ())) as due:
        for name in due:
            seen.append(name)
            agenda.put(name, "", 1.0)
    assert seen == ["a"]


def test_thousands_that_wait_are_not_gone_through(agenda):
    for number in range(5_000):
        agenda.put(str(number), "x", 100.0)

    class Lanes(dict):
        looked = 0

        def get(self, *arguments):
            self.looked += 1
            return dict.get(self, *arguments)

    agenda._entries = entries = Lanes(agenda._entries)
    assert given(agenda, 1.0) == []
    assert entries.looked == 1
