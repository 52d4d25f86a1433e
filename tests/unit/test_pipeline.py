"""The straight line over fakes: what a rule releases is sealed once, everything else ends as a
number.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from agent import pipeline
from agent.core.hotlist.intake.list_import import parse_hotlist
from agent.core.policy.counts import Counts
from agent.core.policy.decider import Decider
from agent.core.reading.sighting import Frame
from agent.core.reading.tracking import Tracker
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import RefusedError
from tests.fakes.audit import FakeAuditLog
from tests.fakes.sealing import FakeSealer
from tests.fakes.storage import FakeOutbox
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.support.judging import policy, rule

START = datetime(2027, 1, 15, 12, tzinfo=UTC)
HIT = FakePlate("TST0042", box=(40, 60, 120, 30))
OTHER = FakePlate("TST7777", box=(300, 60, 120, 30))
HOTLIST = (
    b"plate,state,category,agency,case,source_date,expires\n"
    b"TST0042,US-CA,stolen-vehicle,Exampleville PD,2027-1,2027-01-10,2027-02-01\n"
)


def frames(count: int) -> list[Frame]:
    image = np.zeros((240, 640, 3), np.uint8)
    return [
        Frame(image, Instant(START + timedelta(milliseconds=100 * number)), number)
        for number in range(count)
    ]


@pytest.fixture
def line() -> pipeline.Line:
    plates = [HIT, OTHER]
    log = FakeAuditLog()
    return pipeline.Line(
        camera="CAM-01",
        detector=FakeDetector(plates),
        reader=FakeReader(plates),
        tracker=Tracker(),
        hotlist=parse_hotlist(HOTLIST, "hotlist.csv", date(2027, 1, 15)),
        decider=Decider(policy(rule(min_confidence=0.5))),
        sealer=FakeSealer(),
        outbox=FakeOutbox(log),
        log=log,
        counts=Counts(),
    )


def test_the_hit_is_sealed_once_and_the_rest_is_a_number(line):
    pipeline.watch(line, frames(12), lambda: None)
    (counts,) = line.counts.close()
    assert len(line.outbox.pending()) == 1
    assert (counts["seen"], counts["sightings"], counts["released"], counts["dropped"]) == (
        24,
        2,
        1,
        1,
    )
    assert counts["reasons"] == {"no-hotlist-match": 1}


def test_the_keeper_is_called_after_every_frame(line):
    called = []
    pipeline.watch(line, frames(5), lambda: called.append(1))
    assert len(called) == 5


@pytest.mark.parametrize("reason", [Reason.NO_EPOCH_KEY, Reason.NO_COMMON_VERSION])
def test_a_read_that_cannot_be_sealed_is_refused_in_the_log_and_the_line_goes_on(line, reason):
    class Unable:
        def seal(self, *_arguments):
            raise RefusedError(reason, "nothing to seal it to")

    refusing = replace(line, sealer=Unable())
    pipeline.watch(refusing, frames(12), lambda: None)
    assert line.outbox.pending() == []
    assert [leaf["reason"] for leaf in line.log.details("refusal")] == [reason]
    assert line.counts.close()[0]["reasons"][reason] == 1


def test_no_frames_no_sightings(line):
    pipeline.watch(line, [], lambda: None)
    assert line.counts.close() == ()


def test_what_nobody_can_read_is_no_sighting_and_is_never_matched(line):
    """Even a hot list with a one-character entry must not be hit by a traffic sign."""
    sign = [FakePlate("TST0042", confidence=0.04)]
    pipeline.watch(
        replace(line, detector=FakeDetector(sign), reader=FakeReader(sign)), frames(1), lambda: None
    )
    (counts,) = line.counts.close()
    assert (counts["seen"], counts["unreadable"], counts["sightings"]) == (1, 1, 0)
    assert line.outbox.pending() == []


def test_a_doubtful_box_is_a_plate_only_when_its_text_is_legible():
    doubtful = replace(FakePlate("TEST123").plate_box(), least_text=0.3)

    class Doubting:
        def find_plates(self, frame):
            return [doubtful]

    (frame,) = frames(1)
    for said, expected in ((0.2, 0), (0.4, 1)):
        reader = FakeReader([FakePlate("TEST123", confidence=said)])
        assert len(pipeline.plates_in(Doubting(), reader, frame)) == expected


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"PLATE": 0.8, "STICKER": 0.6, "BESIDE": 0.9}, ["BESIDE", "PLATE"]),
        ({"PLATE": 0.3, "STICKER": 0.6}, ["STICKER"]),
        ({"PLATE": 0.9, "BESIDE": 0.9, "WHOLE": 0.5}, ["WHOLE"]),
        ({"PLATE": 0.9, "BESIDE": 0.8, "WHOLE": 0.3}, ["PLATE", "BESIDE"]),
    ],
    ids=[
        "sticker on a plate",
        "sticker on nothing legible",
        "cutting",
        "no cutting: illegible as one",
    ],
)
def test_of_two_boxes_on_one_plate_the_better_read_stays(said, kept):
    places = {
        "PLATE": (100, 100, 200, 100),
        "STICKER": (110, 110, 20, 10),
        "BESIDE": (400, 100, 200, 100),
        "WHOLE": (0, 0, 640, 320),
    }
    plates = [
        FakePlate(name, box=places[name], confidence=confidence)
        for name, confidence in said.items()
    ]

    class Detector:
        def find_plates(self, _frame):
            return [
                replace(p.plate_box(), whole=True, least_text=0.4)
                if p.text == "WHOLE"
                else p.plate_box()
                for p in plates
            ]

    assert [
        read.text.value for read in pipeline.plates_in(Detector(), FakeReader(plates), frames(1)[0])
    ] == kept


def test_a_stale_list_raises_nothing_and_the_count_says_why(line):
    old = parse_hotlist(
        HOTLIST, "hotlist.csv", date(2027, 1, 15), as_of=START - timedelta(hours=25)
    )
    pipeline.watch(replace(line, hotlist=old), frames(12), lambda: None)
    (counts,) = line.counts.close()
    assert (counts["released"], counts["reasons"]) == (0, {"hotlist-stale": 2})
    assert line.outbox.pending() == []


def test_while_time_is_not_trusted_everything_is_counted_and_nothing_leaves(line):
    untrusted = [
        replace(one, captured=replace(one.captured, trust=ClockTrust.UNTRUSTED))
        for one in frames(12)
    ]
    pipeline.watch(line, untrusted, lambda: None)
    (counts,) = line.counts.close()
    assert line.outbox.pending() == []
    assert (counts["sightings"], counts["released"], counts["reasons"]) == (
        2,
        0,
        {"clock-untrusted": 2},
    )


def test_a_closed_line_releases_nothing_and_the_count_says_why(line):
    pipeline.watch(replace(line, closed=Reason.BUNDLE_LAPSED), frames(12), lambda: None)
    (counts,) = line.counts.close()
    assert (line.outbox.pending(), counts["reasons"]) == ([], {"bundle-lapsed": 2})


def test_another_line_holds_from_the_next_frame_on(line):
    """Detector, tracker and counts go on; a car that is in the picture is judged by the newer
    one.
    """
    closed = replace(line, closed=Reason.BUNDLE_LAPSED)
    changes = iter([closed])
    pipeline.watch(line, frames(12), lambda: next(changes, None))
    (counts,) = line.counts.close()
    assert counts["reasons"] == {"bundle-lapsed": 2}


def test_a_standing_car_is_looked_up_in_a_newer_list(line):
    """And once only: what was released is not told again."""
    empty = parse_hotlist(HOTLIST.splitlines()[0] + b"\n", "hotlist.csv", date(2027, 1, 15))
    seen, before = [], replace(line, hotlist=empty)

    def between_frames():
        seen.append(len(line.outbox.pending()))
        if len(seen) in {10, 25}:
            line.tracker.tell_dropped_again()
            return line
        return None

    pipeline.watch(before, frames(40), between_frames)
    assert seen[9] == 0
    assert seen[24] == 1
    assert len(line.outbox.pending()) == 1
