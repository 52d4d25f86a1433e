"""agent/vision/aligner.py: from proposals to aligned plates, with a scripted network that knows
where the plate is.
"""

from datetime import UTC, datetime

import numpy as np
import pytest

from agent.core.reading.sighting import Frame, PlateBox
from agent.core.time.instant import Instant
from agent.vision.aligner import (
    FAINT,
    FOLLOWED_FROM,
    HARDLY,
    INPUT_HEIGHT_PX,
    INPUT_WIDTH_PX,
    AligningDetector,
    network_input,
    region_around,
    whole_px,
)
from agent.vision.plate_views import TOLD_AS_SURE

PLATE = np.array([[200, 100], [280, 108], [278, 148], [198, 140]], np.float32)


def upright(x, y, width, height, confidence=0.5):
    return PlateBox(
        (x, y, width, height),
        ((x, y), (x + width, y), (x + width, y + height), (x, y + height)),
        confidence,
    )


class Proposer:
    def __init__(self, *boxes):
        self.boxes = boxes

    def find_plates(self, frame):
        return self.boxes


class ScriptedSession:
    """Answers with PLATE, as seen from whatever it is shown: `frame` tells where it looks.

    Keeps how often it was asked.
    """

    def __init__(
        self, monkeypatch, *, chances=((0.9, 0.1),), closer=0.5, corners=PLATE, right=None
    ):
        self.chances = chances
        self.right = right  # chance of what lies right of all that is else looked at
        self.closer = closer
        self.corners = corners
        self.fed = []
        self.regions = []
        import agent.vision.aligner as module

        monkeypatch.setattr(module, "region_around", self.remember)

    def remember(self, box):
        self.regions.append(region_around(box))
        return self.regions[-1]

    def run(self, output_names, input_feed):
        assert output_names == ["corners", "chances"]
        crops = input_feed["crop"]
        self.fed.append(crops)
        answers = []
        for region in self.regions[-len(crops) :]:
            x0, y0, x1, y1 = whole_px(region)
            middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2], np.float32)
            seen = (
                self.corners
                if len(self.fed) > 1
                else self.corners * self.closer + middle * (1 - self.closer)
            )
            answers.append(((seen - [x0, y0]) / [x1 - x0, y1 - y0]).reshape(8))
        chances = (list(self.chances) * len(crops))[: len(crops)]
        if self.right is not None:
            places = (region[0] for region in self.regions[-len(crops) :])
            chances = [
                (self.right, 0.1) if x > 400 else one
                for x, one in zip(places, chances, strict=True)
            ]
        return [np.array(answers, np.float32), np.array(chances, np.float32)]


def frame(width=640, height=384):
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Frame(image, Instant(datetime(2026, 1, 1, tzinfo=UTC)), 0)


def test_nothing_proposed_nothing_asked(monkeypatch):
    session = ScriptedSession(monkeypatch)
    assert AligningDetector(Proposer(), session).find_plates(frame()) == ()
    assert session.fed == []


def test_the_corners_are_the_second_looks_and_the_box_holds_them(monkeypatch):
    session = ScriptedSession(monkeypatch)
    (plate,) = AligningDetector(Proposer(upright(190, 90, 110, 70)), session).find_plates(frame())
    assert np.allclose(plate.corners, PLATE, atol=0.01)
    x, y, width, height = plate.box
    assert (x, y, x + width, y + height) == pytest.approx((198, 100, 280, 148), abs=0.01)
    assert plate.confidence == pytest.approx(0.9)
    assert plate.rows == 1
    assert [crops.shape for crops in session.fed] == [(1, 1, INPUT_HEIGHT_PX, INPUT_WIDTH_PX)] * 2


def test_what_is_no_plate_is_dropped_after_one_look(monkeypatch):
    session = ScriptedSession(monkeypatch, chances=((0.02, 0.1),))
    assert AligningDetector(Proposer(upright(190, 90, 110, 70)), session).find_plates(frame()) == ()
    assert len(session.fed) == 1


@pytest.mark.parametrize(
    ("chance", "confidence", "width", "looks"),
    [
        (0.99, HARDLY / 2, 16, [1, 1]),
        (0.99, HARDLY / 2, 60, [1, 1, 2]),  # it may be the next car's
        (0.99, 2 * HARDLY, 16, [1, 1]),  # nobody could read it
        (0.99, 2 * FAINT, 16, [2, 2]),
        (0.5, HARDLY / 2, 16, [1, 1, 2]),  # none is clear: the other may be the plate
    ],
)
def test_beside_a_clear_plate_what_is_hardly_proposed_and_small_gets_no_look(
    monkeypatch, chance, confidence, width, looks
):
    session = ScriptedSession(monkeypatch, chances=((chance, 0.1),))
    proposer = Proposer(upright(190, 95, 90, 45), upright(500, 300, width, 30, confidence))
    AligningDetector(proposer, session).find_plates(frame())
    assert [len(crops) for crops in session.fed] == looks


@pytest.mark.parametrize(
    ("chance", "other", "confidence", "looks"),
    [
        (0.99, 0.4, 0.9 * FAINT, [1, 1, 1]),
        (0.99, 0.4, 1.5 * FAINT, [2, 2]),  # the proposer saw it
        (0.99, 0.9, 0.9 * FAINT, [1, 1, 2]),  # the first look did
        (0.8, 0.4, 0.9 * FAINT, [1, 1, 2]),  # none is clear
    ],
)
def test_beside_a_clear_plate_what_both_networks_doubt_gets_no_second_look(
    monkeypatch, chance, other, confidence, looks
):
    session = ScriptedSession(monkeypatch, chances=((chance, 0.1),), right=other)
    doubted = upright(500, 300, 60, 30, confidence)
    AligningDetector(Proposer(upright(190, 95, 90, 45), doubted), session).find_plates(frame())
    assert [len(crops) for crops in session.fed] == looks


@pytest.mark.parametrize(("confidence", "found"), [(HARDLY / 2, 1), (2 * HARDLY, 2)])
def test_beside_a_large_clear_plate_what_can_be_read_is_looked_at_unless_it_is_hardly_proposed(
    confidence, found
):
    proposer = Proposer(upright(190, 95, 200, 80), upright(500, 300, 50, 20, confidence))
    assert len(AligningDetector(proposer, Centred(0.99)).find_plates(frame())) == found


class Centred:
    """Sees a plate in the middle of every crop, the first as clear, the others with `chance`."""

    def __init__(self, chance):
        self.chance, self.asked = chance, []

    def run(self, output_names, input_feed):
        count = len(input_feed["crop"])
        self.asked.append(count)
        corners = np.tile(np.float32([0.2, 0.25, 0.8, 0.25, 0.8, 0.75, 0.2, 0.75]), (count, 1))
        chances = [(0.99, 0.1), *[(self.chance, 0.1)] * (count - 1)]
        return [corners, np.array(chances, np.float32)]


@pytest.mark.parametrize(
    ("chance", "width", "found"),
    [(0.8, 40, 1), (0.8, 60, 2), (0.95, 40, 2)],
)
def test_beside_a_clear_plate_a_small_one_must_be_clear_too(chance, width, found):
    proposer = Proposer(upright(190, 95, 100, 45), upright(500, 300, width, 20))
    plates = AligningDetector(proposer, Centred(chance)).find_plates(frame())
    assert len(plates) == found


@pytest.mark.parametrize(
    ("chance", "width", "second"),
    [(0.4, 40, 1), (0.4, 60, 2), (0.6, 40, 2)],
)
def test_beside_a_clear_plate_a_small_one_that_is_likelier_none_gets_no_second_look(
    chance, width, second
):
    session = Centred(chance)
    proposer = Proposer(upright(190, 95, 100, 45), upright(500, 300, width, 20))
    AligningDetector(proposer, session).find_plates(frame())
    assert session.asked == [2, second]


def test_a_small_plate_alone_need_not_be_clear():
    detector = AligningDetector(Proposer(upright(500, 300, 40, 20, 0.005)), Centred(0.8))
    assert len(detector.find_plates(frame())) == 1


def test_on_a_stream_a_known_plate_is_followed_without_a_look(monkeypatch):
    session, proposal = ScriptedSession(monkeypatch), upright(190, 95, 100, 60)
    detector = AligningDetector(Proposer(proposal), session)
    assert detector.following(lambda *_: "its read").find_plates(frame()) == (proposal,)
    assert session.fed == []


def test_on_a_stream_what_is_not_known_gets_two_looks(monkeypatch):
    session = ScriptedSession(monkeypatch)
    detector = AligningDetector(Proposer(upright(190, 95, 100, 60)), session)
    (found,) = detector.following(lambda *_: None).find_plates(frame())
    assert np.allclose(found.corners, PLATE, atol=0.01)
    assert len(session.fed) == 2


def test_on_a_stream_one_look_is_enough_for_what_it_shows_to_be_known(monkeypatch):
    """The proposal lay too far off to be known."""
    session, proposal = ScriptedSession(monkeypatch), upright(190, 95, 100, 60)
    detector = AligningDetector(Proposer(proposal), session).following(
        lambda _, box: None if box is proposal else "its read"
    )
    (found,) = detector.find_plates(frame())
    assert len(session.fed) == 1
    assert found.confidence >= 0.5


def test_on_a_known_place_what_is_hardly_proposed_and_hardly_a_plate_is_not_the_known_one(
    monkeypatch,
):
    """It has gone, or something has come before it."""
    session = ScriptedSession(monkeypatch, chances=((0.5, 0.1),))
    doubtful = upright(190, 95, 100, 60, confidence=FOLLOWED_FROM - 0.01)
    detector = AligningDetector(Proposer(doubtful), session)
    (found,) = detector.following(lambda *_: "its read").find_plates(frame())
    assert len(session.fed) == 2, "it is looked at as a new one is, and its text has to be read"
    assert found.least_text > 0.1


def test_another_proposer_may_propose_on_a_stream(monkeypatch):
    session, proposal = ScriptedSession(monkeypatch), upright(190, 95, 100, 60)
    detector = AligningDetector(Proposer(), session)
    assert detector.following(lambda *_: "its read", Proposer(proposal)).find_plates(frame()) == (
        proposal,
    )


def test_what_is_hardly_a_plate_is_dropped_after_two(monkeypatch):
    session = ScriptedSession(monkeypatch, chances=((0.4, 0.1),))
    assert (
        AligningDetector(Proposer(upright(190, 90, 110, 70)), session, threshold=0.5).find_plates(
            frame()
        )
        == ()
    )
    assert len(session.fed) == 2


def test_two_proposals_that_end_on_one_plate_are_one(monkeypatch):
    session = ScriptedSession(monkeypatch)
    proposals = Proposer(upright(190, 90, 110, 70), upright(180, 96, 90, 60, 0.3))
    assert len(AligningDetector(proposals, session).find_plates(frame())) == 1


def test_two_rows_are_told(monkeypatch):
    session = ScriptedSession(monkeypatch, chances=((0.9, 0.8),))
    assert (
        AligningDetector(Proposer(upright(190, 90, 110, 70)), session).find_plates(frame())[0].rows
        == 2
    )


@pytest.mark.parametrize(
    "corners",
    [PLATE[::-1], PLATE[[0, 2, 1, 3]], np.full((4, 2), np.nan, np.float32), PLATE * 0 + 7],
    ids=["mirrored", "crossed", "nan", "point"],
)
def test_corners_that_make_no_plate_are_none(monkeypatch, corners):
    session = ScriptedSession(monkeypatch, corners=corners.astype(np.float32))
    assert AligningDetector(Proposer(upright(190, 90, 110, 70)), session).find_plates(frame()) == ()


def test_a_plate_beyond_the_edge_is_cut_at_it(monkeypatch):
    session = ScriptedSession(monkeypatch, corners=PLATE - [230, 0])
    (plate,) = AligningDetector(Proposer(upright(0, 90, 60, 60)), session).find_plates(frame())
    assert plate.box[0] == 0
    assert plate.box[2] == pytest.approx(50, abs=0.01)


@pytest.mark.parametrize(
    "box",
    [
        (-30, -10, 60, 20),
        (630, 380, 60, 20),
        (10, 10, 0.2, 0.2),
        (-500, -50, 20, 20),
        (900, 500, 10, 10),
        (0, 0, 640, 384),
    ],
)
def test_any_region_gives_an_input(box):
    crop = network_input(frame().image, region_around(box))
    assert crop.shape == (INPUT_HEIGHT_PX, INPUT_WIDTH_PX)
    assert crop.dtype == np.float32
    assert np.isfinite(crop).all()


def test_grey_and_colour_give_the_same_input():
    grey = np.random.default_rng(2).integers(0, 255, (384, 640), dtype=np.uint8)
    region = region_around((100, 100, 80, 30))
    assert np.allclose(
        network_input(grey, region), network_input(np.dstack([grey] * 3), region), atol=0.02
    )


def test_what_is_doubtful_must_be_legible(monkeypatch):
    def found(chance):
        return AligningDetector(
            Proposer(upright(190, 90, 110, 70)),
            ScriptedSession(monkeypatch, chances=((chance, 0.1),)),
        ).find_plates(frame())[0]

    assert found(0.99).least_text == 0.0
    least = [found(chance).least_text for chance in (0.95, 0.7, 0.57, 0.3, 0.21)]
    assert least[0] > 0.0
    assert least == sorted(least)
    assert least[-1] < TOLD_AS_SURE, "else what has a limit and must be legible would be told so"


def test_both_networks_count(monkeypatch):
    def found(proposed, chance):
        session = ScriptedSession(monkeypatch, chances=((chance, 0.1),))
        return [
            plate.confidence
            for plate in AligningDetector(
                Proposer(upright(190, 90, 110, 70, proposed)), session
            ).find_plates(frame())
        ]

    assert found(0.5, 0.7) == [pytest.approx(0.7)]
    assert found(0.98, 0.3) == [pytest.approx(0.75)]  # odds 49 and 3/7: 7 · 3/7 = 3
    assert found(0.02, 0.7) == [pytest.approx(0.25)]
    assert found(0.02, 0.5) == []
    assert found(0.02, 0.98)[0] > 0.8


def test_a_network_that_answers_no_number_finds_no_plate(monkeypatch):
    session = ScriptedSession(monkeypatch, chances=((float("nan"), 0.1),))
    assert AligningDetector(Proposer(upright(190, 90, 110, 70)), session).find_plates(frame()) == ()


def test_a_cutting_is_offered_as_one_plate_whatever_its_chance_and_its_text_decides(monkeypatch):
    session = ScriptedSession(
        monkeypatch,
        corners=np.array([[4, 3], [296, 3], [296, 147], [4, 147]], np.float32),
        chances=((0.02, 0.1),),
    )
    edges, aligned = AligningDetector(Proposer(), session).find_plates(frame(300, 150))
    assert edges.box == (0, 0, 300, 150)
    assert edges.corners == ((6, 3), (294, 3), (294, 147), (6, 147))
    assert aligned.box == pytest.approx((4, 3, 292, 144), abs=0.1)
    assert all(plate.whole and plate.least_text > 0.3 for plate in (edges, aligned))


@pytest.mark.parametrize(
    "size", [(481, 240), (300, 200), (300, 40)], ids=["large", "square", "strip"]
)
def test_a_picture_of_other_proportions_is_no_cutting(monkeypatch, size):
    assert (
        AligningDetector(Proposer(), ScriptedSession(monkeypatch)).find_plates(frame(*size)) == ()
    )


def test_a_small_picture_is_searched_as_well(monkeypatch):
    session = ScriptedSession(
        monkeypatch, corners=np.array([[110, 40], [170, 40], [170, 70], [110, 70]], np.float32)
    )
    _edges, _aligned, plate = AligningDetector(
        Proposer(upright(100, 40, 60, 30)), session
    ).find_plates(frame(300, 150))
    assert not plate.whole
    assert plate.box == pytest.approx((110, 40, 60, 30), abs=0.1)
