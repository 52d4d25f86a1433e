"""Judging rows against checkpoints, without disk or keys: any alteration is seen, and exactly the
leaves concerned are named.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.audit.log_check import Fault, Mark, examine
from agent.core.log.checkpoint import Checkpoint
from agent.core.log.leaf import salted_leaf_hash
from agent.core.log.merkle import Frontier
from agent.core.reasons import Reason
from agent.storage.log_reader import LeafRow

SIZE = 24


def row(place, text=""):
    """A whole leaf, as it would be read back."""
    leaf = salted_leaf_hash(bytes(32), f"{place}{text}".encode())
    return LeafRow(
        place,
        leaf,
        leaf,
        pruned=False,
        claim=place,
        at=f"2027-01-15T12:00:{place:02d}.000Z",
        kind="release",
    )


ROWS = tuple(row(place) for place in range(SIZE))


def marks(sizes=range(1, SIZE + 1)):
    """Signed checkpoints after these sizes, with their peaks."""
    found, frontier = {}, Frontier()
    for one in ROWS:
        frontier = frontier.append(one.stored)
        if frontier.size in sizes:
            found[frontier.size] = Mark(Checkpoint("log", frontier.size, frontier.root()), frontier)
    return found


def named(faults, *reasons):
    """All leaves that faults of these reasons name."""
    return {
        leaf
        for fault in faults
        if fault.reason in reasons
        for leaf in range(fault.leaf, fault.last + 1)
    }


# No profile of HYPOTHESIS_PROFILE raises these: change the number to search.
quick = settings(max_examples=30)
some = st.sets(st.integers(0, SIZE - 1), min_size=1, max_size=SIZE - 1)


def test_a_whole_log_has_no_fault():
    assert examine(ROWS, marks()) == ()
    assert examine(ROWS, marks({SIZE})) == ()
    assert examine(ROWS, marks({5, SIZE})) == ()


@quick
@given(some, st.booleans())
def test_exactly_the_deleted_leaves_are_missing(deleted, close_the_gaps):
    kept = [one for one in ROWS if one.place not in deleted]
    if close_the_gaps:
        kept = [replace(one, place=place) for place, one in enumerate(kept)]
    faults = examine(kept, marks())
    assert named(faults, Reason.LEAF_MISSING, Reason.LOG_TRUNCATED) == deleted
    assert {fault.reason for fault in faults} <= {Reason.LEAF_MISSING, Reason.LOG_TRUNCATED}


@quick
@given(some)
def test_exactly_the_rewritten_leaves_are_changed(rewritten):
    """Details, salt and hash were all made anew: only the signed roots know."""
    faults = examine(
        [row(place, "x") if place in rewritten else one for place, one in enumerate(ROWS)], marks()
    )
    assert named(faults, Reason.LEAF_CHANGED) == rewritten
    assert {fault.reason for fault in faults} == {Reason.LEAF_CHANGED}


@quick
@given(some)
def test_exactly_the_leaves_with_altered_details_are_changed(altered):
    faults = examine(
        [
            replace(one, computed=bytes(32)) if place in altered else one
            for place, one in enumerate(ROWS)
        ],
        marks(),
    )
    assert named(faults, Reason.LEAF_CHANGED) == altered
    assert {fault.reason for fault in faults} == {Reason.LEAF_CHANGED}


@quick
@given(st.permutations(range(SIZE)).filter(lambda order: order != list(range(SIZE))))
def test_exactly_the_moved_leaves_are_reordered(order):
    faults = examine(
        [replace(ROWS[number], place=place) for place, number in enumerate(order)], marks()
    )
    assert named(faults, Reason.LEAF_REORDERED) == {
        number for place, number in enumerate(order) if number != place
    }
    assert {fault.reason for fault in faults} == {Reason.LEAF_REORDERED}


@quick
@given(some)
def test_exactly_the_wiped_leaves_are_withheld_until_their_hash_changes(wiped):
    rows = [
        replace(one, computed=None, pruned=True, claim=None, at="", kind="")
        if place in wiped
        else one
        for place, one in enumerate(ROWS)
    ]
    faults = examine(rows, marks())
    assert named(faults, Reason.LEAF_WITHHELD) == wiped
    assert {(fault.reason, fault.at) for fault in faults} == {(Reason.LEAF_WITHHELD, "")}
    assert named(examine(rows, marks({SIZE})), Reason.LEAF_WITHHELD) == wiped
    victim = min(wiped)
    rows[victim] = replace(rows[victim], stored=bytes(32))
    faults = examine(rows, marks())
    assert named(faults, Reason.LEAF_CHANGED) == {victim}
    assert named(faults, Reason.LEAF_WITHHELD) == wiped - {victim}


@quick
@given(some, st.sets(st.integers(1, SIZE), min_size=1))
def test_with_fewer_checkpoints_a_rewriting_is_still_seen_and_lies_in_what_is_named(
    rewritten, sizes
):
    rewritten = {place for place in rewritten if place < max(sizes)}
    rows = [row(place, "x") if place in rewritten else one for place, one in enumerate(ROWS)]
    faults = [
        fault for fault in examine(rows, marks(sizes)) if fault.reason != Reason.CHECKPOINT_INVALID
    ]
    assert bool(faults) == bool(rewritten)
    assert rewritten <= named(faults, Reason.LEAF_CHANGED, Reason.ROOT_MISMATCH)


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("sizes", [range(1, SIZE + 1), {SIZE}], ids=["each signed", "all at once"])
def test_a_leaf_with_neither_hash_nor_details_is_named(pruned, sizes):
    """Also where no checkpoint of its own disproves it: emptied, a leaf agrees with itself."""
    rows = list(ROWS)
    rows[7] = replace(rows[7], stored=None, computed=None, pruned=pruned, claim=None)
    faults = examine(rows, marks(sizes))
    assert named(faults, Reason.LEAF_CHANGED) == {7}
    assert "its details do not fit its hash" in {fault.what for fault in faults}


def at(place):
    return ROWS[place].at


REWRITTEN = (
    "its hash was recomputed, but another leaf was signed here (or one before it was deleted and "
    "the rest renumbered)"
)


class TestTold:
    """To the letter, as an auditor reads it."""

    @pytest.mark.parametrize(
        ("gone", "fault"),
        [
            (
                {3, 4},
                Fault(
                    Reason.LEAF_MISSING,
                    3,
                    4,
                    "",
                    f"deleted; it was logged between {at(2)} and {at(5)}",
                ),
            ),
            (
                {0},
                Fault(Reason.LEAF_MISSING, 0, 0, "", f"deleted; it was logged before {at(1)}"),
            ),
            (
                {22, 23},
                Fault(
                    Reason.LOG_TRUNCATED,
                    22,
                    23,
                    "",
                    "the log was cut off: 24 leaves were signed, the last one here is 21; it was "
                    f"logged after {at(21)}",
                ),
            ),
            (
                set(range(SIZE)),
                Fault(
                    Reason.LOG_TRUNCATED,
                    0,
                    23,
                    "",
                    "all 24 signed leaves are gone; its time is unknown",
                ),
            ),
        ],
    )
    def test_what_is_missing(self, gone, fault):
        assert examine([one for one in ROWS if one.place not in gone], marks()) == (fault,)

    def test_what_is_missing_between_leaves_without_a_time(self):
        rows = [replace(one, at="") for one in ROWS if one.place != 3]
        [fault] = examine(rows, marks())
        assert fault.what == "deleted; its time is unknown"

    @pytest.mark.parametrize(
        ("changed", "what"),
        [
            (
                {"stored": bytes(32)},
                "its details are the ones that were logged; the hash stored with them is not",
            ),
            (
                {"computed": bytes(32)},
                "its details are not the ones that were logged; its hash still is",
            ),
            (
                {"computed": bytes(32), "stored": bytes(31) + b"x"},
                "its details do not fit its hash",
            ),
            ({"computed": bytes(32), "stored": bytes(32)}, REWRITTEN),
        ],
    )
    def test_what_was_changed(self, changed, what):
        rows = list(ROWS)
        rows[3] = replace(rows[3], **changed)
        assert examine(rows, marks()) == (Fault(Reason.LEAF_CHANGED, 3, 3, at(3), what),)

    def test_neighbours_with_the_same_fault_are_one_and_others_are_not(self):
        rows = [row(one.place, "x") if one.place in {3, 4, 7} else one for one in ROWS]
        rows[5] = replace(rows[5], computed=bytes(32))
        told = "its details are not the ones that were logged; its hash still is"
        assert examine(rows, marks()) == (
            Fault(Reason.LEAF_CHANGED, 3, 4, at(3), REWRITTEN),
            Fault(Reason.LEAF_CHANGED, 5, 5, at(5), told),
            Fault(Reason.LEAF_CHANGED, 7, 7, at(7), REWRITTEN),
        )

    def test_faults_stand_in_the_order_of_leaves(self):
        rows = [row(3, "x") if one.place == 3 else one for one in ROWS if one.place != 10]
        found = [(fault.reason, fault.leaf) for fault in examine(rows, marks())]
        assert found == [(Reason.LEAF_CHANGED, 3), (Reason.LEAF_MISSING, 10)]

    def test_leaves_that_no_checkpoint_covers(self):
        assert examine(ROWS, marks(range(1, 21))) == (
            Fault(
                Reason.CHECKPOINT_INVALID,
                20,
                23,
                at(20),
                "no valid checkpoint covers it: the last one signs 20 leaves",
            ),
        )

    def test_a_range_that_no_checkpoint_proves_comes_last(self):
        rows = [row(2, "x") if one.place == 2 else one for one in ROWS]
        rows[9] = replace(rows[9], computed=bytes(32))
        what = (
            "at least one of these is not what was signed, or the checkpoints between them are "
            "missing"
        )
        assert examine(rows, marks({5, *range(6, SIZE + 1)})) == (
            Fault(
                Reason.LEAF_CHANGED,
                9,
                9,
                at(9),
                "its details are not the ones that were logged; its hash still is",
            ),
            Fault(Reason.ROOT_MISMATCH, 0, 4, at(0), what),
        )
        moved = [replace(rows[1], claim=None, computed=None), *rows[2:]]
        last = examine(moved, marks({5, *range(6, SIZE + 1)}))[-1]
        assert (last.reason, last.leaf, last.at) == (Reason.ROOT_MISMATCH, 0, "")

    def test_peaks_that_are_not_signed_prove_nothing_until_the_next_that_are(self):
        signed = marks()
        signed[5] = replace(signed[5], frontier=None)
        rows = [row(4, "x") if one.place == 4 else one for one in ROWS]
        assert [(one.reason, one.leaf, one.last) for one in examine(rows, signed)] == [
            (Reason.LEAF_CHANGED, 4, 4),
            (Reason.ROOT_MISMATCH, 5, 5),
        ]

    @pytest.mark.parametrize("place", [3, SIZE])
    def test_a_planted_leaf_does_not_hide_the_true_one(self, place):
        planted = replace(row(3, "x"), place=place)
        rows = sorted([planted, *ROWS], key=lambda one: one.place)
        changed = [one for one in examine(rows, marks()) if one.reason == Reason.LEAF_CHANGED]
        told = "an altered or second leaf stands at this place"
        assert changed == [Fault(Reason.LEAF_CHANGED, place, place, at(3), told)]

    def test_a_row_without_a_possible_number(self):
        rows = [replace(ROWS[3], place=-1), *ROWS[:3], *ROWS[4:]]
        told = "a row without a possible number stands in its place"
        assert examine(rows, marks()) == (Fault(Reason.LEAF_CHANGED, 3, 3, at(3), told),)


class TestWhichLeaf:
    """A row speaks for the leaf that its details state only if they are whole."""

    def found(self, rows, signed=None):
        return [(one.reason, one.leaf, one.last) for one in examine(rows, signed or marks())]

    def with_third(self, **changes):
        return [replace(one, **changes) if one.place == 3 else one for one in ROWS]

    @pytest.mark.parametrize(
        ("changes", "faults"),
        [
            ({"claim": None}, []),
            ({"claim": 9, "computed": None, "stored": None}, [(Reason.LEAF_CHANGED, 3, 3)]),
            ({"claim": 9, "computed": bytes(32)}, [(Reason.LEAF_CHANGED, 3, 3)]),
        ],
    )
    def test_else_for_its_place(self, changes, faults):
        assert self.found(self.with_third(**changes)) == faults

    def test_a_hash_column_proves_the_leaves_beside_altered_details(self):
        rows = self.with_third(computed=bytes(32))
        assert self.found(rows, marks({SIZE})) == [(Reason.LEAF_CHANGED, 3, 3)]

    def test_a_leaf_that_nothing_proves_is_named_by_its_own_number(self):
        rows = [*(one for one in ROWS if one.place != 3), replace(row(3, "x"), place=SIZE)]
        assert (Reason.LEAF_CHANGED, 3, 3) in self.found(rows)

    def test_pruned_leaves_beside_an_altered_one_are_not_named(self):
        rows = [row(2, "x") if one.place == 2 else one for one in ROWS]
        rows[9] = replace(rows[9], computed=None, pruned=True, claim=None)
        assert self.found(rows, marks({SIZE})) == [(Reason.ROOT_MISMATCH, 0, 23)]

    def test_what_is_missing_as_a_whole_is_not_called_altered_too(self):
        assert self.found(ROWS[5:], marks({5, SIZE})) == [(Reason.LEAF_MISSING, 0, 4)]

    def test_leaves_beyond_the_signed_ones_do_not_make_a_cut_a_gap(self):
        rows = [*ROWS[:22], row(SIZE)]
        assert self.found(rows) == [
            (Reason.LOG_TRUNCATED, 22, 23),
            (Reason.CHECKPOINT_INVALID, 24, 24),
        ]

    def test_a_row_without_a_possible_number_tells_no_time(self):
        rows = [replace(ROWS[3], place=-1, claim=None), *ROWS[1:]]
        [missing] = [one for one in examine(rows, marks()) if one.reason == Reason.LEAF_MISSING]
        assert missing.what == f"deleted; it was logged before {at(1)}"

    def test_the_first_two_are_neighbours_and_in_order(self):
        rows = [row(one.place, "x") if one.place < 2 else one for one in ROWS]
        assert self.found(rows) == [(Reason.LEAF_CHANGED, 0, 1)]
        rows = [replace(ROWS[1], computed=bytes(32)), *ROWS[2:]]
        assert self.found(rows) == [(Reason.LEAF_MISSING, 0, 0), (Reason.LEAF_CHANGED, 1, 1)]

    def test_neighbours_with_other_words_are_two(self):
        rows = [row(6, "x") if one.place == 6 else one for one in ROWS]
        rows[5] = replace(rows[5], computed=bytes(32))
        assert self.found(rows) == [(Reason.LEAF_CHANGED, 5, 5), (Reason.LEAF_CHANGED, 6, 6)]


def test_one_absurd_signed_size_costs_no_time():
    signed = {**marks(), 10**17: Mark(Checkpoint("log", 10**17, bytes(32)))}
    [fault] = examine(ROWS, signed)
    assert (fault.reason, fault.leaf, fault.last) == (Reason.LOG_TRUNCATED, SIZE, 10**17 - 1)


@st.composite
def tampered(draw):
    """Rows after a handful of random interventions."""
    rows = list(ROWS)
    for _ in range(draw(st.integers(1, 5))):
        if not rows:
            break
        at = draw(st.integers(0, len(rows) - 1))
        one = rows[at]
        act = draw(
            st.sampled_from(
                [
                    "delete",
                    "move",
                    "copy",
                    "rewrite",
                    "rehash",
                    "blank",
                    "half",
                    "claim",
                    "negative",
                ]
            )
        )
        other = draw(st.integers(-2, SIZE + 3))
        if act == "delete":
            del rows[at]
        elif act == "copy":
            rows.append(replace(one, place=SIZE + at))
        else:
            rows[at] = {
                "move": replace(one, place=other),
                "rewrite": replace(row(max(other, 0), "x"), place=one.place),
                "rehash": replace(one, stored=bytes(32)),
                "blank": replace(one, stored=None, computed=None, claim=None),
                "half": replace(one, computed=None),
                "claim": replace(one, claim=None if other < 0 else other, computed=bytes(32)),
                "negative": replace(one, place=-1),
            }[act]
    return sorted(rows, key=lambda one: one.place)


@settings(max_examples=60)
@given(tampered())
def test_whatever_is_done_is_seen(rows):
    assert bool(examine(rows, marks())) == (tuple(rows) != ROWS)
