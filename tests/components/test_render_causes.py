"""models/training/render: polarity, poses, stacked and marked characters, short rows, cut plates.

What readers fail at is drawn as it is told.
"""

import cv2
import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow draws the small print; it is a training dependency")
pytest.importorskip("torch", reason="the samples need PyTorch, a training dependency")

from bench import cause_frames
from models.training.detector import augment, bodywork, drawn_plates, pasting
from models.training.recognizer import samples
from models.training.recognizer.real import RealPlate
from models.training.recognizer.samples import PooledPlate, cut_off, varied
from models.training.render import emblems, lettering, roadside
from models.training.render.canvas import colour_of
from models.training.render.degrade import Crop
from models.training.render.glyphs import AlteredFace, Slash, StrokeFace, altered
from models.training.render.plates import colours, draw_plate, render_plate, split_rows
from models.training.render.pose import Pose, draw_pose, projected
from models.training.render.syntax import REGIONS, Draft, draw_stacked, tables


@pytest.fixture(autouse=True)
def stroke_glyphs_only(monkeypatch):
    """No font is needed, and none is looked for: what is tested must not depend on the machine."""
    monkeypatch.setattr("models.training.render.glyphs.faces_for", lambda names: [])
    monkeypatch.setattr("models.training.render.glyphs.find_fonts", list)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("light_on_dark", [False, True])
def test_the_ink_is_lighter_than_the_ground_just_when_it_was_asked_for(region, light_on_dark):
    rng = np.random.default_rng(1)
    for _ in range(60):
        ground, ink = colours(rng, region, 1, light_on_dark=light_on_dark)
        assert bool(ink[0] > ground[0]) == light_on_dark


def test_a_third_of_all_plates_are_light_on_dark(monkeypatch):
    asked = []

    def noted(rng, region, channels, *, light_on_dark):
        asked.append(light_on_dark)
        return np.zeros(channels, np.float32), np.ones(channels, np.float32)

    monkeypatch.setattr("models.training.render.plates.colours", noted)
    rng = np.random.default_rng(2)
    for number in range(200):
        draw_plate(rng, channels=1, rows=1 + number % 2)
    assert 0.28 < np.mean(asked) < 0.44


def test_photographs_plates_are_negated_as_often_with_their_surroundings():
    rng = np.random.default_rng(3)
    plate = RealPlate(
        np.full((20, 40), 0.2, np.float32), np.zeros((4, 2), np.float32), "AB12", "us"
    )
    levels = [float(varied(rng, plate).picture.mean()) for _ in range(300)]
    assert set(np.round(levels, 3)) == {0.2, 0.8}
    assert 0.3 < np.mean(np.array(levels) > 0.5) < 0.42
    assert varied(rng, plate).text == "AB12"


def test_a_stack_reads_from_top_to_bottom_where_it_stands():
    assert Draft("[DV]4821").text == "DV4821"
    assert Draft("9-[QX]77").places == ("9", "-", "QX", "7", "7")
    assert Draft("999A[BC]").text == "999ABC"


def test_stacked_texts_have_two_or_three_small_characters_and_a_plates_length():
    rng = np.random.default_rng(4)
    for _ in range(200):
        draft = draw_stacked(rng)
        assert 5 <= len(draft.text) <= 8
        assert {len(place) for place in draft.places} & {2, 3}


def test_a_stacks_characters_share_their_place_and_stand_one_above_the_other(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "models.training.render.lettering.put",
        lambda _picture, mask, x, y, _ink, *_opacity: drawn.append((mask.shape, x, y)),
    )
    monkeypatch.setattr(
        "models.training.render.plates.draw_stacked", lambda _rng, tall: Draft("[DV]4821")
    )
    rng = np.random.default_rng(5)
    for _ in range(20):
        drawn.clear()
        plate = draw_plate(rng, region="us", channels=1, stacked=True)
        assert plate.text == "DV4821"
        assert plate.spans[0] == plate.spans[1]
        assert plate.spans[1][1] <= plate.spans[2][0] + 1e-6
        (upper, _, high), (lower, _, low) = drawn[0], drawn[1]
        tall = drawn[-1][0][0]
        assert low >= high + 0.9 * upper[0]
        assert max(upper[0], lower[0]) < 0.65 * tall


def test_small_letters_that_are_no_text_are_drawn_nowhere():
    from models.training.render import furniture

    assert not hasattr(furniture, "small_stack")
    assert not {"stack_left", "stack_right"} & set(tables()["us"])


def test_upper_rows_of_one_to_three_characters_are_common_and_lose_nothing():
    rng = np.random.default_rng(6)
    uppers = []
    for _ in range(300):
        upper, lower = split_rows(rng, Draft("AB12-CD345"))
        assert upper.text + lower.text == "AB12CD345"
        uppers.append(len(upper.text))
    assert {1, 2, 3} <= set(uppers)
    assert np.mean(np.array(uppers) <= 3) > 0.3


def test_a_pose_turns_as_it_says():
    straight = projected(Pose(distance=1000), 2.0)
    assert np.allclose(
        straight, [[-0.5, -0.25], [0.5, -0.25], [0.5, 0.25], [-0.5, 0.25]], atol=1e-3
    )
    assert np.ptp(projected(Pose(yaw=60, distance=1000), 2.0)[:, 0]) == pytest.approx(0.5, abs=0.01)
    assert np.ptp(projected(Pose(pitch=60, distance=1000), 2.0)[:, 1]) == pytest.approx(
        0.25, abs=0.01
    )
    turned = projected(Pose(roll=20, distance=1000), 2.0)
    across = turned[1] - turned[0]
    assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(20, abs=0.2)


def test_the_nearer_side_looks_higher():
    left, right = (
        float(np.linalg.norm(corners[a] - corners[b]))
        for corners in [projected(Pose(yaw=45, distance=5), 2.0)]
        for a, b in ((0, 3), (1, 2))
    )
    assert abs(left - right) > 0.05
    assert cv2.isContourConvex(projected(Pose(50, 20, 15, 4.0), 4.5))


def test_poses_reach_the_steepest_angles_and_no_further():
    rng = np.random.default_rng(7)
    poses = [draw_pose(rng, 1.0) for _ in range(800)]
    for name, most in (("yaw", 60), ("pitch", 25), ("roll", 25)):
        angles = np.abs([getattr(pose, name) for pose in poses])
        assert angles.max() <= most
        assert np.mean(angles > 0.6 * most) > 0.05
    assert max(abs(pose.yaw) for pose in (draw_pose(rng, 0.0) for _ in range(50))) == 0


def test_a_posed_plate_lies_along_its_corners():
    """White on black: inside the corners it is light, outside dark."""
    rng = np.random.default_rng(8)
    plate = np.ones((60, 180), np.float32)
    quad = np.array([[0, 0], [180, 0], [180, 60], [0, 60]], np.float32)
    shot = roadside.Shot(Pose(40, 10, 15, 6.0), 120.0, 0.5)
    for _ in range(5):
        levels, corners = roadside.posed(rng, plate, quad, shot, 0.0, surrounded=False)
        assert np.ptp(corners[:, 0]) == pytest.approx(120, abs=0.5)
        inside = np.zeros(levels.shape, np.uint8)
        middle = corners.mean(0)
        cv2.fillConvexPoly(inside, ((corners - middle) * 0.9 + middle).astype(np.int32), 1)
        assert levels[inside == 1].min() >= levels[inside == 1].mean() * 0.85
        assert corners.min() >= 0
        assert (corners.max(0) <= levels.shape[::-1]).all()


def test_what_is_pulled_straight_is_the_plate_again():
    """Its left half dark, its right half light, whatever the pose."""
    rng = np.random.default_rng(9)
    plate = np.zeros((60, 180), np.float32)
    plate[:, 90:] = 0.9
    quad = np.array([[0, 0], [180, 0], [180, 60], [0, 60]], np.float32)
    for yaw in (-55, 0, 55):
        shot = roadside.Shot(Pose(yaw, 10, -20, 8.0), 90.0, 0.4)
        levels, corners = roadside.posed(rng, plate, quad, shot, 0.0, surrounded=False)
        crop = roadside.straight(rng, levels, corners, Crop(128, 48), 0.0)
        assert crop.shape == (48, 128)
        assert crop[10:38, 76:116].mean() > crop[10:38, 12:52].mean() + 60


def test_shots_are_small_and_out_of_focus_often_enough_and_never_hopelessly():
    rng = np.random.default_rng(10)
    shots = [roadside.draw_shot(rng, 1.0) for _ in range(1000)]
    widths = np.array([shot.width_px for shot in shots])
    blurs = np.array([shot.blur_px for shot in shots])
    assert np.mean((widths >= 40) & (widths <= 80)) > 0.4
    assert 0.05 < np.mean(blurs > 0.9) < 0.3
    assert blurs.max() <= 2.0
    assert (blurs <= np.maximum(0.8, roadside.READABLE * widths) + 1e-6).all()


def test_a_cut_plate_says_what_is_left_of_it():
    rng = np.random.default_rng(11)
    spans = tuple((20.0 * i, 20.0 * i + 20) for i in range(6))
    whole = PooledPlate(np.zeros((40, 120), np.uint8), "ABC123", "us", 1, spans)
    texts = set()
    for _ in range(200):
        part = cut_off(rng, whole)
        assert part.picture.shape[0] == 40
        assert len(part.text) < 6
        assert "ABC123".startswith(part.text) or "ABC123".endswith(part.text)
        texts.add(part.text)
    assert any(text.startswith("A") for text in texts)
    assert any(text.endswith("3") for text in texts)


def test_a_cut_through_a_character_leaves_it_to_chance(monkeypatch):
    """Neither text may become sure."""
    spans = ((0.0, 50.0), (50.0, 100.0))
    whole = PooledPlate(np.zeros((40, 100), np.uint8), "A1", "us", 1, spans)
    texts = [cut_off(np.random.default_rng(seed), whole).text for seed in range(300)]
    assert {"A", "1", "A1"} <= set(texts)


def test_one_drawn_plate_in_25_is_cut(monkeypatch):
    whole = PooledPlate(np.zeros((40, 100), np.uint8), "A1", "us", 1, ((0.0, 50.0), (50.0, 100.0)))
    rng = np.random.default_rng(12)
    cuts = sum(varied(rng, whole) is not whole for _ in range(1000))
    assert cuts == pytest.approx(1000 * samples.CUT, abs=20)


@pytest.mark.parametrize(
    ("letter", "mark"), [("O", "dots"), ("A", "ring"), ("N", "tilde"), ("O", "stroke")]
)
def test_a_mark_changes_the_letter_and_stays_in_its_box(letter, mark):
    face = StrokeFace(np.random.default_rng(3))
    plain = face.mask(letter, 30, 60)
    changed = AlteredFace(face, {letter: mark}, slash=None, footed=False).mask(letter, 30, 60)
    assert changed.shape == plain.shape
    assert (changed != plain).any()
    other = AlteredFace(face, {letter: mark}, slash=None, footed=False)
    assert (other.mask("E", 30, 60) == face.mask("E", 30, 60)).all()


def test_a_zero_may_be_slashed_and_an_i_may_have_feet():
    face = StrokeFace(np.random.default_rng(3))
    odd = AlteredFace(face, {}, slash=Slash(0.12), footed=True)
    assert odd.mask("0", 30, 60)[24:36, 12:18].max() == 255
    assert face.mask("0", 30, 60)[24:36, 12:18].max() == 0
    assert odd.mask("I", 30, 60)[0].min() == 255
    assert odd.proportion("I") > 0.5 * face.proportion("H")


def test_slashes_that_are_asked_for_are_of_any_kind_and_as_often_as_asked():
    rng = np.random.default_rng(4)
    for asked, least, most, kinds in ((None, 20, 100, 1), (0.5, 400, 600, 100), (0.0, 0, 0, 0)):
        faces = [altered(rng, StrokeFace(rng), "us", asked) for _ in range(1000)]
        slashes = [face._slash for face in faces if isinstance(face, AlteredFace) and face._slash]
        assert least <= len(slashes) <= most
        assert min(len(set(slashes)), 100) == kinds


def test_a_slash_is_as_long_and_as_thick_as_it_says():
    face = StrokeFace(np.random.default_rng(3))
    plain = face.mask("0", 30, 60) > 127

    def ink(slash):
        return (AlteredFace(face, {}, slash=slash, footed=False).mask("0", 30, 60) > 127) & ~plain

    short, long, thick = (ink(Slash(*sizes)) for sizes in ((0.3,), (0.04,), (0.04, 0.1)))
    assert 0 < short.sum() <= long.sum() < thick.sum()
    assert not short[:15].any()


def test_marks_are_drawn_on_european_plates_only():
    rng = np.random.default_rng(13)
    marked = dict.fromkeys(REGIONS, 0)
    for region in REGIONS:
        for _ in range(300):
            face = altered(rng, StrokeFace(rng), region)
            marked[region] += isinstance(face, AlteredFace) and bool(face._marks)
    assert marked["eu"] > 10
    assert marked["us"] == marked["uk"] == marked["br"] == 0


def test_marks_that_are_asked_for_are_as_often_as_asked_and_on_european_plates_only():
    rng = np.random.default_rng(13)
    for region, asked, least, most in (
        *(("eu", 0.5, 400, 600), ("eu", 0.0, 0, 0)),
        ("us", 1.0, 0, 0),
    ):
        faces = [altered(rng, StrokeFace(rng), region, marked=asked) for _ in range(1000)]
        marked = [face for face in faces if isinstance(face, AlteredFace) and face._marks]
        assert least <= len(marked) <= most


def test_a_drawn_plate_has_the_marks_that_were_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(lettering, "altered", lambda *what: asked.append(what[2:]) or what[1])
    rng = np.random.default_rng(13)
    draw_plate(rng, "BUG123", "eu", channels=1, stacked=False, marked=0.25)
    draw_plate(rng, "BUG123", "eu", channels=1, stacked=False)
    samples.draw(np.random.default_rng(16))  # of one row
    assert asked == [
        ("eu", None, 0.25),
        ("eu", None, None),
        (asked[2][0], samples.SLASHED, samples.MARKED),
    ]


def test_figures_between_groups_leave_ink_inside_their_gap():
    rng = np.random.default_rng(14)
    for _ in range(100):
        picture = np.full((80, 100, 1), 0.9, np.float32)
        emblems.emblem(picture, rng, "figure", (30, 10, 40, 60), colour_of("#101010", 1))
        touched = np.argwhere(np.abs(picture[:, :, 0] - 0.9) > 0.01)
        assert len(touched) > 10
        assert touched[:, 1].min() >= 28
        assert touched[:, 1].max() <= 72


def test_every_layout_can_be_asked_for_by_name():
    plate = render_plate(np.random.default_rng(15), region="us", light_on_dark=True, stacked=True)
    assert plate.region == "us"
    assert np.median(plate.image) < 140


def test_a_photographs_plate_is_negated_inside_its_corners_only():
    image = np.full((60, 120, 3), 90, np.uint8)
    corners = np.array([[20, 20], [100, 12], [100, 40], [20, 48]], np.float32)
    cv2.fillConvexPoly(image, corners.astype(np.int32), (220, 220, 220))
    cv2.rectangle(image, (50, 25), (60, 35), (20, 20, 20), -1)
    before = image.copy()
    augment.negate(image, corners)
    assert image[30, 55].min() > 180
    assert image[30, 80].max() < 60
    assert (image[:10] == before[:10]).all()
    assert (image[52:] == before[52:]).all()
    assert (image[:, :18] == before[:, :18]).all()


def test_a_plate_outside_the_picture_negates_nothing():
    image = np.full((20, 20, 3), 90, np.uint8)
    augment.negate(image, np.array([[30, 30], [40, 30], [40, 35], [30, 35]], np.float32))
    assert (image == 90).all()


def test_pasted_plates_are_seen_as_steeply_as_the_readers():
    rng = np.random.default_rng(16)
    ratios = []
    for _ in range(300):
        corners = pasting.quad(rng, 100.0, 50.0, 0.0)
        left, right = (np.linalg.norm(corners[a] - corners[b]) for a, b in ((0, 3), (1, 2)))
        ratios.append((left + right) / 2 / np.ptp(corners[:, 0]))
    assert np.quantile(ratios, 0.95) > 0.7  # half as wide as from the front
    assert np.median(ratios) == pytest.approx(0.5, abs=0.08)


def test_quickly_drawn_plates_are_light_on_dark_as_often():
    rng = np.random.default_rng(17)
    looks = [drawn_plates.style(rng) for _ in range(500)]
    dark = np.mean([sum(look.ink) > sum(look.ground) for look in looks])
    assert 0.3 < dark < 0.42


def edge_of(scene):
    """Grey levels between what lies just inside the plate's longer edges and just outside them."""
    grey = cv2.cvtColor(scene.frame.image, cv2.COLOR_BGR2GRAY)
    corners = np.array(scene.plate.corners)
    middle = corners.mean(0)

    def along(share):
        ring = middle + (corners - middle) * share
        points = [ring[0] + (ring[1] - ring[0]) * at for at in np.linspace(0.1, 0.9, 40)]
        return np.median([grey[round(y), round(x)] for x, y in np.array(points)])

    return abs(along(0.92) - along(1.25))


def test_a_dark_plate_on_paint_of_its_own_colour_shows_no_edge():
    by_name = {cause.name: cause for cause in cause_frames.CAUSES}
    steps = {
        name: np.median([edge_of(scene) for scene in cause_frames.scenes(by_name[name], 30, 1)])
        for name in ("light on dark", "light on dark, dark car")
    }
    assert steps["light on dark, dark car"] < 20
    assert steps["light on dark"] > 40


@pytest.mark.parametrize("ground", [20, 200])
def test_a_plate_that_is_lit_beforehand_keeps_its_light_on_other_paint(ground):
    rng = np.random.default_rng(4)
    plate = np.full((40, 120, 3), ground, np.uint8)
    plate[10:30, 20:100:8] = 255 - ground
    whole = np.array([[0, 0], [120, 0], [120, 40], [0, 40]], np.float32)
    target = whole / 2 + 60
    for _ in range(20):
        canvas = np.full((192, 320, 3), int(rng.integers(30, 220)), np.uint8)
        lit, shade = pasting.lit_beforehand(rng, canvas, plate, whole, target)
        canvas[:] = 128
        pasting.paste(rng, canvas, lit, whole, target, lit=True)
        # A shadow may lie across it, and paste adds grain.
        inside = np.median(canvas[62:78, 62:118].reshape(-1, 3), axis=0)
        assert np.abs(inside - shade).max() < 12
        paint = bodywork.shade_like(rng, shade)
        assert np.abs(np.array(paint) - shade).max() < 0.26 * max(shade) + 30
