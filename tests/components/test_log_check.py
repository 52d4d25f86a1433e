"""Judging rows against checkpoints, without disk or keys: any alteration is seen, and exactly the
leaves concerned are named.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.log.checkpoint import Checkpoint
from agent.core.log.leaf import salted_leaf_hash
from agent.core.log.merkle import Frontier
from agent.core.reasons import Reason
from agent.storage.log_check import Mark, examine
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


# HYPOTHESIS_PROFILE does not raise these: change the number to search
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
def test_pruned_leaves_are_no_fault_until_their_hash_changes(pruned):
    rows = [
        replace(one, computed=None, pruned=True, claim=None, at="", kind="")
        if place in pruned
        else one
        for place, one in enumerate(ROWS)
    ]
    assert examine(rows, marks()) == ()
    victim = min(pruned)
    rows[victim] = replace(rows[victim], stored=bytes(32))
    assert named(examine(rows, marks()), Reason.LEAF_CHANGED) == {victim}


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
