"""The tracker's judgements one by one, at their bounds: which read continues which vehicle, when
one has gone, when its reads agree, what is told, and what is known unread.
"""

from dataclasses import astuple, replace
from datetime import timedelta
from types import SimpleNamespace as Made

import pytest

from agent.core.reading import tracking
from agent.core.reading.tracking import Tracker, Tracking
from agent.core.reading.tracks import continuation
from agent.core.reading.tracks.due import Due
from tests.support.judging import NOON, frame, read

BOX = (100.0, 100.0, 100.0, 33.0)
A, B, C = "TST0042", "TST1001", "ABC9999"


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def test_the_numbers_that_were_measured():
    """docs/design/tracking.md: they change with a measurement only."""
    assert astuple(Tracking()) == (
        *(2.0, 5.0, (2, 0.99, 3, 3, 3, 5, 0.8, 0.8), 0.9, 3, 15.0, 5),
        *(20.0, 12, 64, 30.0, 600.0, 256, 0.5, 2.0, 5, 0.19, 0.5),
    )


class TestLikeness:
    """After a tenth of a second a vehicle may be 3.5 plate widths away."""

    @staticmethod
    def of(text, last=0.0, expected=0.0, fits=False, *, best=A, seconds=0.1, **other):
        sure, known, width = (
            other.get(name, default)
            for name, default in (("sure", 0.95), ("known", True), ("width", 100.0))
        )
        motion = Made(
            box=BOX,
            at=NOON,
            known=known,
            from_last=lambda _box: last,
            from_expected=lambda _box, _now: expected,
            fits=lambda _box, _now: fits,
            covers=lambda _box: other.get("covers", fits),
        )
        first = read(best, confidence=other.get("first", sure))
        reads, told = [first] * other.get("reads", 2), other.get("told")
        one = Made(motion=motion, best=first, reads=reads, told=told)
        seen = read(text, width=width, confidence=sure)
        return continuation.likeness(one, seen, after(seconds), widths_per_s=20.0, gap_s=2.0)

    @pytest.mark.parametrize(
        ("last", "expected", "fits", "likeness"),
        [
            (1.0, 3.0, False, 2.5),
            (3.0, 1.0, False, 2.5),
            (3.5, 7.0, False, 2 + 1 / 4.5),
            (3.6, 0.0, False, 0.0),
            (3.6, 0.0, True, 0.5),
        ],
    )
    def test_the_very_text(self, last, expected, fits, likeness):
        assert self.of(A, last, expected, fits) == pytest.approx(likeness)

    @pytest.mark.parametrize(
        ("seconds", "last", "possible"),
        [(0.0, 1.5, True), (0.0, 1.6, False), (0.5, 11.5, True), (0.5, 11.6, False)],
    )
    def test_how_far_one_can_drive(self, seconds, last, possible):
        assert (self.of(A, last, last, seconds=seconds) > 0) == possible

    @pytest.mark.parametrize(
        ("last", "expected", "fits", "known", "likeness"),
        [
            (1.0, 9.0, False, False, 1.5),
            (3.5, 9.0, False, False, 1 + 1 / 4.5),
            (3.6, 9.0, True, False, 0.5 / 4.6),
            (3.0, 1.75, False, True, 1 + 1 / 2.75),
            (3.0, 1.8, False, True, 0.0),
            (3.0, 1.8, True, True, 0.5 / 2.8),
        ],
    )
    def test_a_similar_text(self, last, expected, fits, known, likeness):
        found = self.of("TST0043", last, expected, fits, sure=0.8, known=known)
        assert found == pytest.approx(likeness)

    @pytest.mark.parametrize(
        ("best", "text", "fits", "likeness"),
        [
            (A, "TST0043", True, 0.5),
            (A, "TST0043", False, 0.0),
            ("ABCD", "ABXY", True, 0.5),  # half of it
            (A, C, True, 0.0),
            (A, "", True, 0.5),
            (A, "", False, 0.0),
        ],
    )
    def test_another_text_or_none(self, best, text, fits, likeness):
        assert self.of(text, 0.0, 0.0, fits, best=best) == likeness

    @pytest.mark.parametrize(
        ("width", "fits", "likeness"),
        [(250.0, False, 3.0), (350.0, False, 0.0), (350.0, True, 3.0), (30.0, False, 0.0)],
    )
    def test_how_much_one_can_grow(self, width, fits, likeness):
        assert self.of(A, fits=fits, width=width) == likeness

    @pytest.mark.parametrize(
        ("changes", "possible"),
        [
            ({"sure": 0.6}, True),
            ({"sure": 0.61}, False),
            ({"first": 0.6, "reads": 1}, True),
            ({"first": 0.61, "reads": 1}, False),
            ({"first": 0.6, "reads": 2}, False),
            ({"first": 0.6, "reads": 1, "told": "told"}, False),
            ({"sure": 0.6, "seconds": 0.5}, True),
            ({"sure": 0.6, "seconds": 0.6}, False),
            ({"sure": 0.6, "fits": False}, False),
        ],
    )
    def test_a_glimpse_may_be_a_misread_of_a_text_unlike_it(self, changes, possible):
        assert (self.of(C, **{"fits": True, **changes}) > 0) == possible

    def test_what_says_too_little_may_be_a_part_of_it_long_after(self):
        assert self.of("", fits=True, width=160.0, seconds=2.1) > 0

    @pytest.mark.parametrize("text", ["TST0043", A])
    @pytest.mark.parametrize(
        ("changes", "stands"),
        [
            ({"fits": True, "width": 150.0}, True),
            ({"fits": True, "width": 151.0}, False),
            ({"fits": False, "width": 100.0}, False),
            ({"fits": True, "covers": False}, False),
            ({"fits": False, "covers": True}, False),
        ],
    )
    def test_out_of_sight_for_longer_another_text_must_stand_there(self, text, changes, stands):
        for seconds, bound in ((2.0, True), (2.1, stands)):
            likely = self.of(text, sure=0.8, seconds=seconds, **changes) > 0
            assert likely == (bound or text == A)


def test_best_pairs_first_each_once_and_none_that_is_impossible(monkeypatch):
    tracker = Tracker()
    tracker._followed = ["first", "second"]
    table = {("first", 0): 2.0, ("first", 1): 1.9, ("second", 0): 1.95, ("second", 1): 0.0}
    monkeypatch.setattr(tracking, "likeness", lambda one, number, _now, **_: table[one, number])
    assert tracker._associate([0, 1], NOON) == [("first", 0), (None, 1)]
    table["second", 1] = 0.1
    assert tracker._associate([0, 1], NOON) == [("first", 0), ("second", 1)]


class TestGoing:
    @staticmethod
    def one(**other):
        motion = Made(at=NOON)
        return Made(motion=motion, **{"told": None, "best": read(A), "missed": False, **other})

    def test_who_is_unseen_for_a_moment_has_not_gone(self):
        assert Tracker()._gone(self.one(told="told"), after(2.0)) is False

    @pytest.mark.parametrize("other", [{"told": "told"}, {"best": read("")}])
    def test_of_who_was_told_or_cannot_be_read_no_more_is_awaited(self, other):
        assert Tracker()._gone(self.one(**other), after(2.1)) is True

    @pytest.mark.parametrize(("sure", "gone"), [(0.9, True), (0.89, False)])
    def test_who_may_be_read_better_is_awaited(self, monkeypatch, sure, gone):
        tracker, one = Tracker(), self.one()
        monkeypatch.setattr(tracker, "_vote", lambda _one: Made(confidence=sure))
        assert tracker._gone(one, after(2.1)) is gone
        assert one.missed is True

    @pytest.mark.parametrize(("seconds", "gone"), [(5.0, False), (5.1, True)])
    def test_but_not_for_long(self, seconds, gone):
        assert Tracker()._gone(self.one(missed=True), after(seconds)) is gone


class TestJudging:
    @pytest.fixture
    def told(self, monkeypatch):
        """What was told, and whether further reads may come."""
        found = []
        monkeypatch.setattr(
            Tracker, "_tell", lambda _self, one, elected, waits: found.append((elected, waits))
        )
        return found

    @staticmethod
    def one(**other):
        values = {"fresh": True, "told": None, "reads": [read(A)] * 5}
        return Made(motion=Made(since=NOON), **{**values, **other})

    @pytest.mark.parametrize(
        ("confidence", "seconds", "asked", "told_it"),
        [
            *((0.9, 14.9, 0.9, [True]), (0.89, 14.9, 0.9, []), (0.89, 15.0, 0.9, [False])),
            *((0.95, 99.0, 0.95, [True]), (0.94, 99.0, 0.95, []), (0.9, 99.0, 0.95, [])),
        ],
    )
    def test_reads_that_agree_are_told_if_the_vote_is_sure_or_after_their_wait(
        self, told, monkeypatch, confidence, seconds, asked, told_it
    ):
        """Told surely, it would not be told again as a rule asks for it."""
        elected, one, tracker = Made(confidence=confidence), self.one(), Tracker()
        tracker.wait_for(asked)
        monkeypatch.setattr(Due, "agree", lambda *_: True)
        monkeypatch.setattr(Tracker, "_vote", lambda *_: elected)
        assert tracker._judge(one, after(seconds)) is None
        assert told == [(elected, waits) for waits in told_it]
        assert one.fresh is False

    @pytest.mark.parametrize(
        ("seconds", "other", "told_it"),
        [
            (15.0, {}, True),
            (14.9, {}, False),
            (15.0, {"told": "told"}, False),
            (15.0, {"reads": [read(A)] * 4 + [read("")]}, False),
        ],
    )
    def test_one_that_never_gets_sure_is_told_after_its_wait(
        self, told, monkeypatch, seconds, other, told_it
    ):
        monkeypatch.setattr(Due, "agree", lambda *_: False)
        monkeypatch.setattr(Tracker, "_vote", lambda *_: "elected")
        assert Tracker()._judge(self.one(**other), after(seconds)) is None
        assert told == [("elected", False)] * told_it

    def test_at_the_end_it_is_told_sure_or_not(self, told, monkeypatch):
        monkeypatch.setattr(Tracker, "_vote", lambda *_: "elected")
        tracker = Tracker()
        tracker._followed = [self.one(track_id=1), self.one(track_id=2, told="told")]
        assert tracker.finish() == []
        assert (told, tracker._followed) == ([("elected", False)], [])


class Memory:
    """Stands for what was told. `asked`: of `same` and `alike`, in order."""

    def __init__(self, same=None, alike=None):
        self.answers, self.asked = {"same": same, "alike": alike}, []

    def same(self, text, _motion, *, sure):
        self.asked.append(("same", text, sure))
        return self.answers["same"]

    def alike(self, text, _motion):
        self.asked.append(("alike", text))
        return self.answers["alike"]

    def add(self, text, _motion, *, sure):
        self.asked.append(("add", text, sure))
        return "added"


class TestTelling:
    def tell(self, memory, *, reads=None, told=None, confidence=0.95, waits=True):
        tracker = Tracker()
        tracker._remembered, tracker._next_id = memory, 8
        self.done = []
        one = Made(
            track_id=3,
            told=told and Made(text=told),
            reads=reads or [read(A)] * 3,
            motion=Made(restart=lambda: self.done.append("restart")),
            become=lambda *what: self.done.append(what),
        )
        elected = Made(text=Made(value=A), confidence=confidence)
        return tracker._tell(one, elected, waits=waits)

    @pytest.mark.parametrize(("confidence", "sure"), [(0.9, True), (0.89, False)])
    def test_a_new_one_is_told_and_remembered(self, confidence, sure):
        memory = Memory()
        track = self.tell(memory, confidence=confidence)
        assert (track.track_id, len(track.reads)) == (3, 3)
        assert memory.asked == [("same", A, sure), ("add", A, sure)]
        assert self.done == [(3, "added")]

    @pytest.mark.parametrize("where", ["same", "alike"])
    def test_one_that_memory_knows_is_not_told_again(self, where):
        moved = []
        known = Made(moved=moved.append)
        assert self.tell(Memory(**{where: known}), reads=[read(A)], waits=False) is None
        assert len(moved) == 1
        assert self.done == [(3, known)]

    def test_a_doubtful_one_waits_for_further_reads(self):
        memory = Memory(alike=Made(moved=lambda _motion: pytest.fail("moved")))
        assert self.tell(memory, reads=[read(A)] * 2, waits=True) is None
        assert self.done == []

    @pytest.mark.parametrize(
        ("reads", "asked"),
        [
            ([read(A)] * 3, False),
            ([read(A)] * 2, True),
            ([read(A)] * 2 + [read(B)], True),
            ([read(A)] * 2 + [read(A, confidence=0.2)], True),
        ],
    )
    def test_few_reads_may_be_a_misread_of_what_stands_there(self, reads, asked):
        memory = Memory()
        assert self.tell(memory, reads=reads) is not None
        assert (("alike", A) in memory.asked) == asked

    @pytest.mark.parametrize(("told", "number", "restarts"), [(None, 3, 0), (A, 8, 0), (B, 8, 1)])
    def test_another_text_where_one_was_told_is_another_vehicle(self, told, number, restarts):
        track = self.tell(Memory(), told=told)
        assert track.track_id == number
        assert self.done == ["restart"] * restarts + [(number, "added")]


def test_reads_of_a_vehicle_that_was_hidden_are_not_this_one_s():
    tracker = Tracker()
    mine = [read(A), read(A), read(B), read("")]
    one, other = Made(best=read(A), reads=mine), Made(best=read(B), reads=[])
    tracker._followed = [one, other]
    assert [kept.text.value for kept in tracker._own(one)] == [A, A, ""]
    tracker._followed = [one, Made(best=read(A), reads=[])]
    assert [kept.text.value for kept in tracker._own(one)] == [A, A, B, ""]
    tracker._followed = [one, Made(best=read(""), reads=[])]
    assert [kept.text.value for kept in tracker._own(one)] == [A, A, B, ""]
    alone = Made(best=read(B), reads=mine)
    tracker._followed = [alone]
    assert len(tracker._own(alone)) == 4


class TestFrames:
    def test_two_frames_of_one_instant_end_nothing(self):
        tracker = Tracker()
        for number in range(2):
            assert tracker.add(frame(number, 1.0), [read(A, confidence=0.5)]) == []
        assert len(tracker._followed) == 1

    def test_who_has_left_is_judged_by_the_picture_s_height_and_width(self, monkeypatch):
        sizes, shown = [], frame(0, 0.0)
        monkeypatch.setattr(Tracker, "_end_left", lambda _s, _now, size: sizes.append(size) or [])
        Tracker().add(replace(shown, image=shown.image[:5, :7]), [])
        assert sizes == [(5, 7)]

    def test_tracks_are_numbered_from_one(self):
        tracker = Tracker()
        tracker.add(frame(0, 0.0), [read(A, 0.0), read(B, 400.0)])
        assert [one.track_id for one in tracker._followed] == [1, 2]

    @pytest.mark.parametrize(("most", "left"), [(4, [1, 2, 3]), (3, [1, 2, 3]), (2, [1, 3])])
    def test_of_too_many_the_longest_unseen_go(self, most, left):
        tracker = Tracker(Tracking(max_tracks=most))
        tracker._followed = [
            Made(track_id=number, told="told", motion=Made(at=after(at)))
            for number, at in ((1, 2.0), (2, 1.0), (3, 3.0))
        ]
        assert tracker._end_surplus() == []
        assert [one.track_id for one in tracker._followed] == left

    @pytest.mark.parametrize(("asked", "sure"), [(0.95, 0.95), (0.5, 0.9)])
    def test_a_rule_may_ask_for_more_and_not_for_less(self, asked, sure):
        tracker = Tracker()
        tracker.wait_for(asked)
        assert tracker._sure_confidence == sure

    def test_what_was_dropped_is_told_again_and_what_was_released_is_not(self):
        tracker = Tracker()
        released, dropped = Made(released=True), Made(released=False)
        tracker._followed = [Made(told=told) for told in (None, released, dropped)]
        tracker.tell_dropped_again()
        assert [one.told for one in tracker._followed] == [None, released, None]


class TestKnown:
    """What a box shows, unread."""

    SETTLED = read(A)

    def known(self, seconds=0.1, *, frame_at=0.0, read_s=0.0, box=BOX, **other):
        """`seconds` after the last frame, in which it was seen; it was read at `read_s`."""
        tracker = Tracker()
        tracker._now = after(frame_at)
        motion = Made(at=NOON, expected=lambda _now: BOX, stood=other.pop("stood", True))
        values = {"best": self.SETTLED, "settled": True, "reads": []}
        tracker._followed = [Made(motion=motion, read_at=after(read_s), **{**values, **other})]
        return tracker.known(frame(9, seconds), replace(self.SETTLED.box, box=box))

    def test_one_that_was_told_in_its_place(self):
        found = self.known(box=(101.0, 100.0, 100.0, 33.0))
        assert (found.text, found.box.box[0]) == (self.SETTLED.text, 101.0)

    @pytest.mark.parametrize(
        ("seconds", "found"), [(0.0, True), (0.5, True), (0.6, False), (-0.1, False)]
    )
    def test_only_shortly_after_it_was_seen(self, seconds, found):
        assert (self.known(seconds) is not None) == found

    def test_only_where_it_was_seen_in_the_last_frame(self):
        assert self.known(frame_at=0.05) is None

    @pytest.mark.parametrize(("read_s", "found"), [(-1.8, True), (-1.9, False)])
    def test_only_so_long_after_it_was_read(self, read_s, found):
        assert (self.known(read_s=read_s) is not None) == found

    @pytest.mark.parametrize(
        ("count", "stood", "read_s", "found"),
        [
            *((5, True, -0.3, True), (5, True, -0.4, False), (4, True, 0.0, False)),
            *((5, False, 0.0, True), (5, False, -0.08, True), (5, False, -0.1, False)),
            (4, False, 0.0, False),
        ],
    )
    def test_one_that_was_read_often(self, count, stood, read_s, found):
        """For half a second where it stands, else for 0.19 s."""
        reads = [read(B)] * (count - 1) + [read(A, confidence=0.89)]
        shown = self.known(read_s=read_s, settled=False, reads=reads, stood=stood)
        assert (shown is not None) == found
        if shown is not None:
            assert shown.text.value == A

    @pytest.mark.parametrize("stood", [True, False])
    def test_not_one_that_was_read_often_and_surely_now(self, stood):
        """Something else keeps it from being told, which the next read may decide."""
        reads = [read(B)] * 11 + [read(A, confidence=0.9)]
        assert self.known(settled=False, reads=reads, stood=stood) is None

    @pytest.mark.parametrize(("share", "found"), [(0.3, True), (0.29, False)])
    def test_only_where_the_box_lies_on_the_expected_place(self, monkeypatch, share, found):
        monkeypatch.setattr(tracking, "overlap", lambda *_: share)
        assert (self.known() is not None) == found
