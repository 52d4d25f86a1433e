"""The rehearsal's plate: a syntax of its own, that neither a misreading nor a hot list can reach,
and that reaches no category but its own.
"""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import pipeline
from agent.core.hotlist.confusion import fold_key
from agent.core.hotlist.index import hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list, parse_hotlist
from agent.core.hotlist.matching import match
from agent.core.hotlist.rehearsal import rehearsal
from agent.core.policy.counts import Counts
from agent.core.policy.decider import Decider
from agent.core.policy.policy import TEST
from agent.core.reading.plate_text import CHARACTERS
from agent.core.reading.tracking import Tracker
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.test_plate import ALPHABET, PREFIX, is_test_plate, plate_for
from agent.provision.plate_drawing import SEAM_MM, STROKE_MM, WIDTH_MM, plate_strokes
from agent.provision.plate_pdf import PAPERS_MM, plate_pdf
from agent.vision.syntax import formats
from tests.fakes.audit import FakeAuditLog
from tests.fakes.sealing import FakeSealer
from tests.fakes.storage import FakeOutbox
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.support.judging import HEADER, NOON, TODAY, frame, instant, policy, rule, sighting

PLATE = plate_for((0, 5, 10, 20))
FREE = st.tuples(*[st.integers(0, 20)] * 4)


class TestSyntax:
    @given(FREE)
    def test_what_is_made_is_recognised(self, free):
        plate = plate_for(free)
        assert is_test_plate(plate)
        assert len(plate) == 9

    @given(FREE, st.integers(0, 8), st.sampled_from(CHARACTERS))
    def test_one_character_misread_is_no_test(self, free, position, other):
        plate = plate_for(free)
        misread = plate[:position] + other + plate[position + 1 :]
        assert is_test_plate(misread) == (misread == plate)

    @given(FREE, st.integers(0, 7))
    def test_nor_two_neighbours_swapped_or_one_left_out(self, free, position):
        plate = plate_for(free)
        swapped = plate[:position] + plate[position + 1] + plate[position] + plate[position + 2 :]
        assert is_test_plate(swapped) == (swapped == plate)
        assert not is_test_plate(plate[:position] + plate[position + 1 :])

    @given(st.text(CHARACTERS, max_size=12))
    def test_nothing_else_is_one(self, text):
        assert is_test_plate(text) == (
            text[:4] == PREFIX
            and len(text) == 9
            and plate_for([ALPHABET.find(c) for c in text[4:8]]) == text
        )

    def test_chance_is_one_in_a_great_many(self):
        rng = random.Random(1)
        assert not any(is_test_plate("".join(rng.choices(CHARACTERS, k=9))) for _ in range(100_000))

    def test_no_issuer_that_we_know_of_writes_nine_characters(self):
        assert max(len(spelt) for region in formats().values() for spelt in region) <= 8

    def test_its_free_characters_are_taken_for_no_other(self):
        assert len(
            {fold_key(character) for character in CHARACTERS if character in ALPHABET}
        ) == len(ALPHABET)
        for character in ALPHABET:
            assert [other for other in CHARACTERS if fold_key(other) == fold_key(character)] == [
                character
            ]


def line(*, in_force, listed=None):
    plates = [FakePlate(PLATE)]
    log = FakeAuditLog()
    return pipeline.Line(
        camera="cam-1",
        detector=FakeDetector(plates),
        reader=FakeReader(plates),
        tracker=Tracker(),
        hotlist=listed or parse_hotlist(f"{HEADER}\n".encode(), "hotlist.csv", TODAY),
        decider=Decider(in_force),
        sealer=FakeSealer("cam-1"),
        outbox=FakeOutbox(log),
        log=log,
        counts=Counts(),
    )


def run(made):
    pipeline.watch(made, [frame(number, at=0.1 * number) for number in range(12)], lambda: None)
    (counts,) = made.counts.close()
    return [leaf["category"] for leaf in made.log.details("release")], counts


ROW = f"{PLATE},US-CA,stolen-vehicle,Town PD,C-1,2026-11-10,2027-01-10"
BOTH = policy(
    rule(rule="stolen", min_confidence=0.5),
    rule(
        rule="rehearsal",
        categories=frozenset({TEST}),
        match=frozenset({MatchLevel.TEXT}),
        min_confidence=0.5,
    ),
)


class TestLine:
    def test_it_needs_no_entry_and_a_rule(self):
        assert run(line(in_force=BOTH)) == (
            [TEST],
            {**run(line(in_force=BOTH))[1], "tests": 1, "released": 1},
        )
        released, counts = run(line(in_force=policy(rule(min_confidence=0.5))))
        assert (released, counts["tests"], counts["reasons"]) == (
            [],
            1,
            {"category-not-released": 1},
        )

    def test_listed_as_stolen_it_is_still_a_test_and_no_hit(self):
        listed = parse_hotlist(
            f"{HEADER}\n{ROW}\n".encode(), "hotlist.csv", TODAY, max_age=timedelta(days=365)
        )
        assert match(sighting(PLATE), listed) is not None
        assert run(line(in_force=BOTH, listed=listed))[0] == [TEST]
        assert run(line(in_force=policy(rule(min_confidence=0.5)), listed=listed))[0] == []

    def test_a_stale_list_does_not_stop_it(self):
        listed = parse_hotlist(f"{HEADER}\n".encode(), "hotlist.csv", TODAY)
        assert run(
            line(in_force=BOTH, listed=replace(listed, stale_after=NOON - timedelta(days=9)))
        )[0] == [TEST]

    def test_every_other_check_of_the_policy_holds(self):
        doubtful = replace(
            BOTH, releases=tuple(replace(one, min_confidence=1.0) for one in BOTH.releases)
        )
        assert run(line(in_force=doubtful))[1]["reasons"]["confidence-too-low"] == 1
        exact = replace(
            BOTH, releases=(replace(BOTH.releases[1], match=frozenset({MatchLevel.EXACT})),)
        )
        assert run(line(in_force=exact))[1]["reasons"] == {"match-level-not-released": 1}

    def test_only_the_text_itself_counts_no_alternative(self):
        assert rehearsal(sighting("ABC1234", alternatives=[PLATE])) is None
        found = rehearsal(sighting(PLATE))
        # the word stands in tags, which receivers of any version read
        assert (found.category, found.level, found.others) == ("test", MatchLevel.TEXT, ())
        assert (
            rehearsal(sighting(PLATE, captured=instant(86_400))).entry_source_date
            > found.entry_source_date
        )


class TestHotList:
    """No list can put a real vehicle into the category: what goes out under it must be a printed
    sheet.
    """

    ROWS = (
        f"{HEADER}\nABC1234,US-CA,test,Town PD,C-1,2026-11-10,2027-01-10\n"
        "ABC1235,US-CA,stolen-vehicle,Town PD,C-2,2026-11-10,2027-01-10\n"
    ).encode()

    @pytest.mark.parametrize("allowed", [None, {TEST, "stolen-vehicle"}])
    def test_rows_of_it_are_turned_away_at_the_import(self, allowed):
        imported = import_list(Source([self.ROWS], "hotlist.csv", NOON), allowed, TODAY)
        assert TEST not in imported.compiled.header.names["category"]
        assert hotlist_of(imported.compiled, allowed).by_category(TODAY) == {"stolen-vehicle": 1}
        assert hotlist_of(imported.compiled, allowed).dropped == {TEST: 1}

    @pytest.mark.parametrize("allowed", [None, {TEST, "stolen-vehicle"}])
    def test_and_in_a_list_that_somebody_else_compiled(self, monkeypatch, allowed):
        monkeypatch.setattr("agent.core.hotlist.categories.AllowList.admits", lambda *_: True)
        compiled = import_list(Source([self.ROWS], "hotlist.csv", NOON), None, TODAY).compiled
        assert TEST in compiled.header.names["category"]
        assert match(sighting("ABC1234"), hotlist_of(compiled, allowed)) is None
        assert match(sighting("ABC1235"), hotlist_of(compiled, allowed)) is not None


class TestSheet:
    @pytest.mark.parametrize("character", ALPHABET)
    def test_every_character_can_be_drawn_inside_the_plate(self, character):
        for stroke in plate_strokes(PREFIX + character * 5):
            assert all(0 < x < WIDTH_MM for x, _ in stroke.points)

    @given(FREE)
    def test_the_seam_cuts_no_character(self, free):
        for stroke in plate_strokes(plate_for(free))[1:]:
            xs = [x for x, _ in stroke.points]
            assert max(xs) + STROKE_MM / 2 < SEAM_MM or min(xs) - STROKE_MM / 2 > SEAM_MM

    @pytest.mark.parametrize("paper", PAPERS_MM)
    def test_both_parts_fit_on_the_sheet_with_margins_that_printers_can_do(self, paper):
        assert max(SEAM_MM, WIDTH_MM - SEAM_MM) <= PAPERS_MM[paper][0] - 2 * 6.5

    @pytest.mark.parametrize("paper", PAPERS_MM)
    def test_the_file_is_what_its_own_table_says(self, paper):
        data = plate_pdf(PLATE, paper)
        start = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
        assert data[start:].startswith(b"xref\n0 8\n")
        for number, line_ in enumerate(data[start:].split(b"\n")[3:10], 1):
            assert data[int(line_[:10]) :].startswith(b"%d 0 obj" % number)
        assert b"/FontFile" not in data
