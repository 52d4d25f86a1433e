"""Voting: what several reads of one car say together."""

import random
from dataclasses import replace

import numpy as np
import pytest

from agent.core.reading.opinions import opinion_of
from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Track
from agent.core.reading.views import views
from agent.core.reading.voting import MAX_ALTERNATIVES, _voters, _with_stacks, vote
from agent.core.reasons import Limit
from tests.support.judging import read


def elect(*reads):
    return vote(Track(1, reads), "cam-1")


def passing(*reads):
    """The same reads of a plate that moves on by half its width from each to the next."""
    return [
        replace(one, box=replace(one.box, box=(50.0 * number, *one.box.box[1:])))
        for number, one in enumerate(reads)
    ]


def test_one_read_speaks_for_itself():
    only = read(
        "PWD0001",
        confidence=0.7,
        state="US-CA",
        alternatives=[("PWDO001", 0.2)],
        at=3.0,
        region="us",
    )
    found = elect(only)
    assert (found.text.value, found.confidence, found.char_confidence) == (
        "PWD0001",
        0.7,
        only.char_confidence,
    )
    assert (found.state, found.region, found.camera, found.frames) == ("US-CA", "us", "cam-1", 1)
    assert found.captured == only.captured
    assert [(one.text.value, one.probability) for one in found.alternatives] == [("PWDO001", 0.2)]


def test_the_majority_wins_at_each_position_even_where_no_read_has_it_all():
    found = elect(read("PWD0001"), read("PWD8001"), read("PW00001"), read("PWD0007"))
    assert found.text.value == "PWD0001"
    found = elect(read("XWD0001"), read("PXD0001"), read("PWX0001"), read("PWD0X01"))
    assert found.text.value == "PWD0001"
    assert found.frames == 4


def test_a_confident_read_outweighs_doubtful_ones():
    assert (
        elect(
            read("PWD0001", confidence=0.98),
            read("PWD8001", confidence=0.3),
            read("PWD8001", confidence=0.3),
        ).text.value
        == "PWD0001"
    )
    assert (
        elect(
            read("PWD0001", confidence=0.9),
            read("PWD8001", confidence=0.9),
            read("PWD8001", confidence=0.9),
        ).text.value
        == "PWD8001"
    )


def test_alternatives_count():
    doubtful = [read("PWD8001", confidence=0.5, alternatives=[("PWD0001", 0.45)])] * 2
    assert elect(*doubtful, read("PWD0001", confidence=0.9)).text.value == "PWD0001"


def test_texts_of_different_length_are_voted_on_together():
    assert elect(read("PWD0001"), read("PWD0001"), read("PWD001")).text.value == "PWD0001"
    assert (
        elect(
            read("PWD001", confidence=0.2),
            read("PWD001", confidence=0.2),
            read("PWD0001", confidence=0.9),
        ).text.value
        == "PWD0001"
    )


def test_agreement_is_no_surer_than_the_surest_read_and_disagreement_lowers_it():
    alone = elect(read("PWD0001", confidence=0.8))
    together = elect(*passing(*[read("PWD0001", confidence=0.8)] * 5))
    apart = elect(
        *passing(*[read("PWD0001", confidence=0.8)] * 3, *[read("PWD8001", confidence=0.8)] * 2)
    )
    assert alone.confidence == 0.8
    assert 0.65 < together.confidence < 0.8
    assert apart.confidence < together.confidence
    assert min(apart.char_confidence) == apart.char_confidence[3]
    with_a_sure_one = elect(*passing(*[read("PWD0001", confidence=0.8)] * 4, read("PWD0001")))
    assert with_a_sure_one.confidence > 0.9


@pytest.mark.parametrize("said", [0.82, 0.88, 0.92])
@pytest.mark.parametrize("count", [3, 5, 12])
def test_many_frames_that_all_doubt_make_no_sure_text(count, said):
    """What makes one frame of a car doubt is in each of them: of such votes, a third were wrong
    (P10).
    """
    found = elect(*passing(*[read("PWD0001", confidence=said)] * count))
    assert found.text.value == "PWD0001"
    assert found.confidence < 0.9
    assert elect(*passing(*[read("PWD0001", confidence=0.97)] * count)).confidence >= 0.9


@pytest.mark.parametrize(
    ("reads", "place"),
    [
        (["PWD0001"] * 3 + ["PWD8001"] * 2, 3),
        (["PWD0001"] * 2 + ["PWD0007"], 6),
        (["PWD0001"] * 3 + ["PWD001"] * 2, 3),
    ],
)
def test_a_character_is_as_sure_as_the_texts_that_have_it(reads, place):
    """Near 1 where the reads disagree, it would tell an officer a certainty that nobody has."""
    found = elect(*[read(text, confidence=0.8) for text in reads])
    assert found.text.value == "PWD0001"
    [other] = found.alternatives
    none_of_them = 1 - found.confidence - other.probability
    agreed = 1 - none_of_them / 7  # one of seven characters is wrong then, each alike
    expected = [agreed] * 7
    expected[place] -= other.probability
    assert found.char_confidence == pytest.approx(expected)


def test_where_it_is_none_of_the_texts_the_doubtful_character_is_the_wrong_one():
    doubtful = replace(
        read("PWD0001", confidence=0.5), char_confidence=(0.99,) * 3 + (0.5,) + (0.99,) * 3
    )
    found = elect(*passing(doubtful, doubtful))
    doubts = [1 - one for one in found.char_confidence]
    shares = [0.01 / 0.56] * 7
    shares[3] = 0.5 / 0.56
    assert [doubt / sum(doubts) for doubt in doubts] == pytest.approx(shares, abs=1e-3)


def test_a_reader_that_doubts_the_whole_is_not_overruled_by_its_characters():
    doubtful = replace(read("PWD0001", confidence=0.99), confidence=0.4)
    assert elect(*[doubtful] * 6).confidence < 0.6
    # Doubts about single characters go in all directions.
    of_characters = read("PWD0001", confidence=0.4)
    assert opinion_of(of_characters, 1.0).doubt < 0.5 * opinion_of(doubtful, 1.0).doubt


def test_the_sharpest_crop_that_shows_the_voted_text_is_kept_with_its_time():
    crops = [np.full((4, 4, 3), number, dtype=np.uint8) for number in range(3)]
    found = elect(
        read("PWD0001", sharpness=1, crop=crops[0], at=1.0),
        read("PWD0001", sharpness=5, crop=crops[1], at=2.0),
        read("PWD8001", sharpness=9, crop=crops[2], at=3.0),
    )
    assert found.crop is crops[1]
    assert found.captured.utc.second == 2


def test_a_state_needs_a_clear_majority():
    assert (
        elect(
            read("PWD1", state="US-CA"),
            read("PWD1", state="US-CA"),
            read("PWD1", state="US-NV"),
            read("PWD1"),
        ).state
        == "US-CA"
    )
    assert elect(read("PWD1", state="US-CA"), read("PWD1", state="US-NV")).state is None
    assert elect(read("PWD1"), read("PWD1")).state is None


def test_nothing_read_is_a_sighting_without_text():
    found = elect(read("", region="unknown"), read("", sharpness=3))
    assert (found.text, found.confidence, found.char_confidence, found.alternatives) == (
        PlateText(""),
        0.0,
        (),
        (),
    )


def test_alternatives_are_merged_bounded_and_without_the_winner():
    reads = [
        read(
            "PWD0001",
            alternatives=[(f"PWD00{number:02}", 0.01 * number) for number in range(10, 30)],
        ),
        read("PWD0001", alternatives=[("PWDO001", 0.4)]),
    ]
    found = elect(*reads, read("PWD8001", confidence=0.5))
    listed = [one.text.value for one in found.alternatives]
    assert len(listed) == MAX_ALTERNATIVES == 8
    assert set(listed[:2]) == {"PWD8001", "PWDO001"}
    assert "PWD0001" not in listed
    probabilities = [one.probability for one in found.alternatives]
    assert probabilities == sorted(probabilities, reverse=True)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_voted_the_result_is_sane_and_the_order_does_not_matter(seed):
    chance = random.Random(seed)
    texts = ["".join(chance.choices("PWD0O18B", k=chance.choice([5, 6, 6]))) for _ in range(4)]
    reads = [
        read(
            chance.choice(texts),
            confidence=chance.choice([0.0, 0.001, 0.5, 0.999999, 1.0]),
            alternatives=[(chance.choice(texts), chance.random())],
        )
        for _ in range(chance.randint(2, 12))
    ]
    found = elect(*reads)
    assert len(found.text) == len(found.char_confidence) > 0
    assert 0.0 <= found.confidence <= min(found.char_confidence) + 1e-9 <= 1.0 + 1e-9
    backwards = elect(*reversed(reads))
    assert (backwards.text, backwards.confidence, backwards.char_confidence) == (
        found.text,
        found.confidence,
        found.char_confidence,
    )


def test_voting_makes_reading_better_on_simulated_errors():
    """With a fifth of the characters wrong in each frame and honest confidences, six frames give
    nearly every plate.
    """
    chance = random.Random(1)
    right = {"single": 0, "voted": 0}
    for _ in range(25):
        truth = "".join(chance.choices("ABCDEFGH0123456789", k=7))
        reads = []
        for _ in range(6):
            wrong = [chance.random() < 0.2 for _ in truth]
            seen = "".join(
                chance.choice("ABCDEFGH0123456789") if bad else true
                for bad, true in zip(wrong, truth, strict=True)
            )
            surely = tuple(
                chance.uniform(0.4, 0.8) if bad else chance.uniform(0.6, 0.99) for bad in wrong
            )
            reads.append(
                replace(read(seen), char_confidence=surely, confidence=float(np.prod(surely)))
            )
        right["single"] += reads[0].text.value == truth
        right["voted"] += elect(*reads).text.value == truth
    assert right["single"] < 12
    assert right["voted"] > 22


def test_a_region_that_nobody_knew_is_unknown_and_outweighs_nobody():
    assert elect(read("PWD1", region="unknown"), read("PWD1", region="unknown")).region == "unknown"
    doubtful = read("PWD1", region="us", confidence=0.2)
    assert elect(*[read("PWD1", region="unknown")] * 3, doubtful).region == "us"


def test_the_crop_shows_a_plate_where_no_read_has_the_voted_text_itself():
    crops = [np.full((4, 4, 3), number, dtype=np.uint8) for number in range(2)]
    apart = [read(text, crop=crops[0]) for text in ("XWD0001", "PXD0001", "PWX0001", "PWD0X01")]
    found = elect(*apart, read("", sharpness=9, crop=crops[1]))
    assert found.text.value == "PWD0001"
    assert found.crop is crops[0]
    doubtful = read("", alternatives=[("PWD0001", 0.5)], crop=crops[0])
    found = elect(doubtful, doubtful)
    assert (found.text.value, found.crop is crops[0]) == ("PWD0001", True)


@pytest.mark.parametrize(("said", "kept"), [(1.2, 1.0), (-0.1, 0.0)])
def test_a_confidence_beyond_its_bounds_is_brought_back(said, kept):
    assert elect(replace(read("PWD0001"), confidence=said)).confidence == kept


def test_a_single_read_does_not_suspect_itself_nor_nothing():
    only = read("PWD0001", alternatives=[("PWD0001", 0.1), ("", 0.05), ("PWD8001", 0.2)])
    assert [one.text.value for one in elect(only).alternatives] == ["PWD8001"]


def test_a_suspicion_that_the_pool_had_no_room_for_is_listed_all_the_same():
    many = [(f"PWD00{number}", 0.04) for number in range(10, 28)]
    wide = read("PWD0001", confidence=0.3, alternatives=many, width=300)
    narrow = read("ABC1234", confidence=0.9, width=1)
    found = elect(wide, wide, narrow)
    told = {one.text.value: one.probability for one in found.alternatives}
    assert told["ABC1234"] == 0.0
    assert found.alternatives[-1].text.value == "ABC1234"


def test_three_of_five_are_no_clear_majority_yet():
    states = ["US-CA"] * 3 + ["US-NV"] * 2
    assert elect(*[read("PWD1", confidence=0.5, state=state) for state in states]).state is None


def test_a_wide_plate_is_believed_before_a_narrow_one():
    wide, narrow = read("PWD0001", width=200), read("PWD8001", width=50, y=400)
    high = replace(narrow, box=replace(narrow.box, box=(0.0, 400.0, 50.0, 200.0)))
    assert elect(wide, high).text.value == "PWD0001"
    assert elect(high, wide).text.value == "PWD0001"
    nothing = replace(narrow, box=replace(narrow.box, box=(0.0, 0.0, 0.0, 0.0)))
    assert elect(nothing, nothing).text.value == "PWD8001"


def test_of_very_many_reads_the_surest_thirty_two_vote():
    sure, doubtful = read("PWD0001", confidence=0.9), read("PWD8001", confidence=0.5)
    assert elect(*[sure] * 32, doubtful).confidence == elect(*[sure] * 32).confidence
    assert elect(*[sure] * 32, doubtful).frames == 33
    assert elect(*[sure] * 31, doubtful).alternatives
    assert not elect(*[sure] * 32, doubtful).alternatives


@pytest.mark.parametrize("said", [0.6, 0.8, 0.93])
def test_ten_reads_of_one_standing_plate_are_no_more_than_one(said):
    """Half hidden, it is misread alike in every frame (P10)."""
    alone = read("PWD0001", confidence=said)
    standing = elect(*[alone] * 10).confidence
    assert standing == pytest.approx(said)
    assert elect(*passing(*[alone] * 10)).confidence < said, "the surest of them was picked"
    trembling = [read("PWD0001", x=100.0 + n % 3, confidence=said) for n in range(10)]
    assert elect(*trembling).confidence == pytest.approx(standing)


def test_a_standing_plate_whose_picture_changes_is_seen_anew():
    chance = np.random.default_rng(1)
    crops = [chance.integers(0, 255, (12, 48, 3), dtype=np.uint8) for _ in range(2)]
    same = [read("PWD0001", confidence=0.8, crop=crops[0])] * 4
    other = read("PWD0001", confidence=0.8, crop=np.kron(crops[1], np.ones((8, 8, 1), np.uint8)))
    assert views([*same, other]) == (0, 0, 0, 0, 1)
    noisy = [np.clip(crops[0] + chance.normal(0, 3, (12, 48, 3)), 0, 255).astype(np.uint8)] * 4
    again = [read("PWD0001", confidence=0.8, crop=crop) for crop in noisy]
    assert set(views([*same, *again])) == {0}


def test_a_plate_without_a_picture_is_one_view():
    empty = read("PWD0001", confidence=0.8, crop=np.zeros((0, 0, 3), np.uint8))
    assert views([empty, empty]) == (0, 0)


@pytest.mark.parametrize("sure", [0.9, 0.97])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("text", ["1", "PWD", "XK90", "KTX77YA", ""])
@pytest.mark.parametrize("said", [0.05, 0.29, 0.99])
def test_an_unreadable_or_a_short_read_never_lowers_a_sure_one(sure, count, text, said):
    if said > 0.3 and len(text) > 3:
        return  # neither
    plates = passing(*[read("PWD0001", confidence=sure)] * count)
    found = elect(*plates, *[read(text, x=900.0, width=20, confidence=said)] * 3)
    assert found.text.value == "PWD0001"
    assert found.confidence >= elect(*plates).confidence - 1e-12


@pytest.mark.parametrize("said", [0.5, 0.8, 0.97])
def test_two_texts_that_several_read_never_give_a_third(said):
    one, other = read("PWD1201", confidence=said), read("PWD3401", confidence=said)
    for reads in ([one, one, other, other], [one, one, one, other, other]):
        assert elect(*passing(*reads)).text.value in {"PWD1201", "PWD3401"}
        assert elect(*passing(*reads)).confidence < 0.75
    doubtful = [
        replace(one, confidence=0.2, char_confidence=(0.99, 0.99, 0.99, 0.6, 0.6, 0.99, 0.99))
        for one in (one, one, other, other)
    ]
    assert elect(*passing(*doubtful)).text.value in {"PWD1201", "PWD3401"}


EDGE, MASK = frozenset({Limit.CUT_BY_EDGE}), frozenset({Limit.CUT_BY_MASK})


def cut(text, confidence=0.5, limits=EDGE):
    return replace(read(text, confidence=confidence), limits=limits)


def test_no_number_of_limited_reads_makes_a_sure_one():
    found = elect(*[cut("PWD000") for _ in range(12)])
    assert (found.text.value, found.limits) == ("PWD000", EDGE)
    assert found.confidence == 0.5
    assert elect(cut("PWD000")).limits == EDGE, "one alone as well"


def test_where_the_whole_plate_was_read_the_cut_reads_have_no_say():
    found = elect(*[cut("PWD000") for _ in range(8)], read("PWD0001"), read("PWD0001"))
    assert (found.text.value, found.limits) == ("PWD0001", frozenset())
    assert found.confidence == pytest.approx(0.95), "as sure as each of the two"
    assert found.frames == 10


def test_a_whole_read_that_says_next_to_nothing_lifts_no_limit():
    found = elect(*[cut("PWD000") for _ in range(4)], read("PWD000", confidence=0.2))
    assert (found.limits, found.confidence) == (EDGE, 0.5)


def test_one_look_that_missed_the_limit_does_not_outweigh_those_that_saw_it():
    found = elect(cut("PWD000"), cut("PWD000", limits=MASK), read("PWD000", confidence=0.99))
    assert found.text.value == "PWD000"
    assert (found.limits, found.confidence) == (EDGE | MASK, 0.5)


@pytest.mark.parametrize(
    "limits", [{Limit.NO_DIGIT}, {Limit.WORDING}, {Limit.NO_DIGIT, Limit.WORDING}]
)
def test_a_word_is_no_plate_though_a_few_reads_saw_a_digit_in_it(limits):
    """Twenty-seven of 31 reads said `BNHZOD`, four `BNHZ0D`: the four were told."""
    word = read("PARCELO", alternatives=[("PARCEL0", 0.25)])
    words = [replace(word, confidence=0.5, limits=frozenset(limits))] * 9
    misread = read("PARCEL0", confidence=0.7, alternatives=[("PARCELO", 0.29)])
    found = elect(*words, *[misread] * 3)
    assert (found.text.value, found.limits) == ("PARCELO", limits)
    assert found.confidence <= 0.5


def test_one_read_that_saw_no_digit_takes_nothing_from_a_plate():
    word = replace(read("PWD000I", confidence=0.5), limits=frozenset({Limit.NO_DIGIT}))
    found = elect(word, *[read("PWD0001", confidence=0.97)] * 4)
    assert (found.text.value, found.limits) == ("PWD0001", frozenset())
    assert found.confidence > 0.9


def test_a_limit_that_half_of_the_looks_saw_is_none():
    assert elect(cut("PWD0001"), read("PWD0001")).limits == frozenset()
    assert elect(*[cut("PWD0001")] * 2, read("PWD0001", confidence=0.2)).limits == EDGE


@pytest.mark.parametrize(
    ("reads", "voters"),
    [
        ([("PWD0001", 0.25), ("PW", 0.2)], 2),  # none says anything of a plate
        ([("PWD0001", 0.8), ("PWD0001", 0.2), ("", 0.0)], 3),  # none is sure
        ([("PWD0001", 0.9), ("PWD0001", 0.2), ("", 0.0)], 1),
        ([("PWD0001", 0.8), ("PWD", 0.8)], 1),  # a piece of it
    ],
)
def test_who_has_a_say(reads, voters):
    given = [read(text, confidence=sure) for text, sure in reads]
    assert _voters(given) == given[:voters]


def stacked(text, confidence=0.8):
    return replace(read(text, confidence=confidence), stacked=True)


def test_reads_without_the_stack_do_not_speak_against_it():
    """Its two small letters make an 8 or a 9 to the first look, and a vote of both made nothing."""
    left = [read("8546748", confidence=0.89)] * 3 + [read("9546748", confidence=0.85)] * 3
    found = elect(*passing(*left, *[stacked("QV546748")] * 4))
    assert found.text.value == "QV546748"
    assert 0.5 < found.confidence <= 0.8
    assert {"8546748", "9546748"} <= {one.text.value for one in found.alternatives}


@pytest.mark.parametrize(
    ("others", "count", "counted"),
    [
        ([("8546748", 0.89)], 2, []),
        ([("546748", 0.89)], 2, []),  # the stack is left out
        ([("Q546748", 0.89)], 2, [0]),  # one character more may be none
        ([("546748", 0.89)], 1, [0]),  # seen in one frame alone
        ([("8546748", 0.9)], 2, [0]),  # a sure read
        ([("8546749", 0.8), ("KTX77Y", 0.8), ("QV546749", 0.8), ("46748", 0.8)], 2, [0, 1, 2]),
        ([("QV546748", 0.8), ("QVA546748", 0.8), ("", 0.0)], 2, [0, 1, 2]),
    ],
)
def test_whom_a_stack_silences(others, count, counted):
    given = [read(text, confidence=sure) for text, sure in others]
    seen = [stacked("QV546748")] * count
    assert _with_stacks([*given, *seen]) == [*(given[place] for place in counted), *seen]


def test_what_cannot_be_read_is_no_stack():
    reads = [*[stacked("QV546748", 0.2)] * 3, read("8546748", confidence=0.5)]
    assert _with_stacks(reads) == reads
