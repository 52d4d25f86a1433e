"""bench/clips: what is drawn is where the truth says, and the score counts what it names."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

pytest.importorskip("PIL", reason="the renderer draws small print with Pillow")

from agent.camera.video import VideoSource
from agent.host.clock import SystemClock
from bench.clips import __main__ as command
from bench.clips.cars import car, plate, post
from bench.clips.catalogue import LONG, SCENES
from bench.clips.clip import READABLE_FRAMES, READABLE_PX, Clip, PassingPlate, Seen
from bench.clips.lens import GATE, STREET
from bench.clips.light import DAY, INFRARED, LIGHTS
from bench.clips.scenes.edge import edge
from bench.clips.scenes.empty import empty
from bench.clips.scenes.hidden import hidden_pass, hidden_stand
from bench.clips.scenes.next_car import next_car
from bench.clips.scenes.parked import parked
from bench.clips.scenes.passing import passing
from bench.clips.scenes.paths import through
from bench.clips.scenes.standing import standing
from bench.clips.score import Score, owners_of, score
from bench.clips.stage import Actor, Scene, stage
from bench.clips.telling import Telling, Told, told_by_our_line
from bench.clips.video import write_video
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader

UNREADABLE = ("empty-", "edge", "hidden-stand")


@pytest.fixture(autouse=True)
def stroke_glyphs_only(monkeypatch):
    """No font is needed, and none is looked for: what is tested must not depend on the machine."""
    monkeypatch.setattr("models.training.render.glyphs.faces_for", lambda names: [])
    monkeypatch.setattr("models.training.render.glyphs.find_fonts", list)


def test_the_same_seed_draws_the_same_clip_and_another_one_another():
    one, again, other = (passing(seed, 50, DAY, cars=1, lens=GATE) for seed in (3, 3, 4))
    assert one.plates == again.plates
    assert one.plates[0].text != other.plates[0].text
    for number in (12, 0, 12):
        assert np.array_equal(one.paint(number), again.paint(number))
    assert not np.array_equal(one.paint(12), other.paint(12))


def test_frames_come_in_order_with_their_times_and_size():
    clip = passing(1, 70, DAY, cars=1, lens=GATE)
    frames = list(clip.frames())
    assert [frame.sequence for frame in frames] == list(range(clip.length))
    assert [frame.captured.utc for frame in frames] == [
        clip.captured(number) for number in range(clip.length)
    ]
    assert {frame.image.shape for frame in frames} == {(360, 640, 3)}
    assert len({frame.image.tobytes() for frame in frames}) == clip.length, "noise is never twice"


@pytest.mark.parametrize("light", LIGHTS, ids=lambda light: light.name)
def test_the_plate_is_drawn_where_the_truth_says(light):
    """The same clip with and without the plate differs in its box and nowhere else."""
    path = through((0.0, -0.3, 15.0), (2.0, 0.4, 10.5), yaw_rad=0.15)

    def drawn(panels):
        scene = Scene("test", 1, STREET, light, 2.0, [Actor(panels, path)])
        return stage(scene, np.random.default_rng(2))

    panels = car(np.random.default_rng(1), light)
    clip, bare = drawn(panels), drawn(panels[:1])
    for number in (2, 25):
        differs = np.abs(clip.paint(number).astype(int) - bare.paint(number)).max(2) > 2
        rows, columns = np.nonzero(differs)
        x, y, width, height = clip.plates[0].seen[number].box
        edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert edges == pytest.approx((x, y, x + width, y + height), abs=3)


def test_infrared_is_grey_and_lets_the_plate_shine():
    clip = parked(1, INFRARED, seconds=1.0)
    picture = clip.paint(3)
    x, y, width, height = map(int, clip.plates[0].seen[3].box)
    assert (np.ptp(picture, axis=2) == 0).all()
    assert picture[y : y + height, x : x + width].mean() > 5 * picture.mean()


def test_an_empty_street_moves_a_little_and_shows_no_plate():
    clip = empty(1, seconds=2.0)
    assert clip.plates == ()
    early, late = (clip.paint(number).astype(int) for number in (0, 20))
    assert 0.5 < np.abs(early - late).mean() < 8


def test_what_the_edge_cuts_or_a_post_hides_is_not_readable():
    cut, behind = edge(2), hidden_stand(2)
    for plate_ in (*cut.plates, *behind.plates):
        shares = [seen.shown for seen in plate_.seen.values()]
        assert 0.2 < min(shares) <= max(shares) < 1
        assert not plate_.readable
        assert plate_.first_readable is plate_.last_readable is None
    passer = hidden_pass(2).plates[0]
    assert {seen.shown == 1 for seen in passer.seen.values()} == {True, False}
    hidden = [number for number, seen in passer.seen.items() if seen.shown < 1]
    assert passer.first_readable < hidden[len(hidden) // 2] < passer.last_readable


def test_what_is_nearer_hides_and_what_is_farther_does_not():
    rng, thin = np.random.default_rng(1), post(DAY, width_m=0.06)

    def shown(post_at_m):
        actors = [
            Actor((plate(rng, DAY),), through((0.0, 0.0, 12.0), (1.0, 0.0, 12.0))),
            Actor((thin,), through((0.0, 0.0, post_at_m), (1.0, 0.0, post_at_m))),
        ]
        clip = stage(Scene("test", 1, STREET, DAY, 1.0, actors), rng)
        return clip.plates[0].seen[0].shown

    assert shown(6.0) < 1.0 == shown(18.0)


def test_a_standing_car_is_hidden_about_half_of_an_hour():
    clip = standing(1)
    (car_,) = clip.plates
    assert clip.seconds == 3600
    assert 0.4 < len(car_.readable_frames) / clip.length < 0.6
    waits = np.diff(car_.readable_frames)
    assert waits.max() > 30, "longer than a tracker may keep a track without a sight"


def test_the_next_car_has_the_next_number_and_stands_on_the_same_spot():
    clip = next_car(5)
    first, second = clip.plates
    assert first.text[:3] == second.text[:3]
    assert int(second.text[3:]) == int(first.text[3:]) + 1
    assert first.readable
    assert second.readable
    assert set(first.seen).isdisjoint(second.seen)
    spots = [list(one.seen.values())[len(one.seen) // 2].box[:2] for one in clip.plates]
    assert spots[0] == pytest.approx(spots[1], abs=12)


def test_a_clip_becomes_a_video_with_its_frames(tmp_path):
    clip = passing(1, 70, DAY, cars=1, lens=GATE)
    source = VideoSource(write_video(clip, tmp_path / "clip.mp4"), "clip", SystemClock(), 10**6)
    played = list(source.frames())
    assert len(played) == clip.length
    for number in (0, 12, clip.length - 1):
        drawn = clip.paint(number).astype(int)
        assert np.abs(played[number].image - drawn).mean() < 6
    taken = played[15].captured.utc - played[0].captured.utc
    assert taken.total_seconds() == pytest.approx(1, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_every_scene_is_drawn_and_says_who_is_readable(name):
    clip = SCENES[name](1)
    assert clip.paint(clip.length // 2).shape == (clip.height_px, clip.width_px, 3)
    assert clip.scene == name
    expected = not name.startswith(UNREADABLE)
    assert any(plate_.readable for plate_ in clip.plates) == expected
    assert all(max(seen) < clip.length for seen in (one.seen for one in clip.plates) if seen)
    if name.startswith("plates-"):
        together = [sum(number in one.seen for one in clip.plates) for number in range(clip.length)]
        assert max(together) == int(name[-1])


# A clip that nobody drew: two plates, one after the other at one place, and one that is cut.
def handmade(cut_shown=0.7) -> Clip:
    def seen(numbers, x, shown=1.0):
        return {number: Seen((x, 200.0, 120.0, 40.0), shown, 0.0) for number in numbers}

    plates = (
        PassingPlate("TST1001", seen(range(10, 30), 300.0)),
        PassingPlate("TST1002", seen(range(40, 60), 300.0)),
        PassingPlate("CUT77", seen(range(10, 30), 900.0, cut_shown)),
    )
    return Clip("handmade", 0, 1280, 720, 10.0, 100, plates, lambda _number: None)


def telling(text, at, numbers=(12, 13), x=300.0, confidence=0.95):
    return Telling(
        text, confidence, at, tuple((number, (x, 200.0, 120.0, 40.0)) for number in numbers)
    )


def scored(*tellings, **first_read):
    return score(handmade(), Told(tellings, first_read))


def test_each_readable_pass_once_is_the_aim():
    found = scored(telling("TST1001", 15), telling("TST1002", 44, (41, 42)), TST1002=42)
    assert found == Score(
        passes=2, once=2, to_the_letter=2, alerts_s=(0.5, 0.4), decisions_s=(0.0, 0.2)
    )


def test_a_pass_that_is_told_twice_is_a_duplicate_and_not_once():
    found = scored(telling("TST1001", 15), telling("TST1001", 28))
    assert (found.once, found.duplicates, found.missed) == (0, 1, 1)


def test_what_issuers_draw_alike_is_right_and_counted_apart():
    found = scored(telling("TST1OO1", 15), telling("TSTI002", 44, (41, 42)), TST1001=13)
    assert (found.once, found.to_the_letter, found.wrong, found.unsure) == (2, 0, 0, 0)
    assert found.decisions_s == (0.2, 0.0)
    again = scored(telling("TST1OO1", 15), telling("TST1001", 20), telling("TST8001", 25))
    assert (again.once, again.duplicates, again.wrong) == (0, 1, 1)
    others = scored(telling("TST1OO1", 44, (41, 42)))
    assert (others.credited, others.wrong, others.missed) == (1, 1, 2)


def test_a_sure_wrong_text_is_wrong_and_a_doubtful_one_is_not():
    found = scored(telling("TST100", 15), telling("TST10", 16, confidence=0.5))
    assert (found.wrong, found.unsure, found.missed, found.credited) == (1, 1, 2, 0)


def test_the_text_of_another_car_is_credited_to_the_wrong_one():
    found = scored(telling("TST1001", 44, (41, 42)))
    assert (found.credited, found.wrong, found.missed) == (1, 1, 2)


def test_reads_of_two_cars_in_one_telling_are_a_mixture():
    found = scored(telling("TST1001", 44, (12, 13, 41)))
    assert (found.mixed, found.once) == (1, 1)


def test_a_telling_of_no_plate_at_all_is_wrong_and_belongs_to_nobody():
    nobody = telling("TST1001", 15, x=700.0)
    assert owners_of(handmade(), nobody) == {}
    assert scored(nobody).wrong == 1


def test_an_unreadable_plate_need_not_be_told_and_may_be():
    assert scored().missed == 2
    assert scored(telling("CUT77", 15, x=900.0)).wrong == 0
    assert scored(telling("CUT7", 15, x=900.0)).wrong == 1


def test_few_frames_or_a_narrow_plate_ask_for_nothing():
    seen = Seen((0.0, 0.0, READABLE_PX, 20.0), 1.0, 0.0)
    assert PassingPlate("A1", dict.fromkeys(range(READABLE_FRAMES), seen)).readable
    assert not PassingPlate("A1", dict.fromkeys(range(READABLE_FRAMES - 1), seen)).readable
    for worse in (
        replace(seen, box=(0.0, 0.0, READABLE_PX - 1, 20.0)),
        replace(seen, shown=0.98),
        replace(seen, smear_px=READABLE_PX * 0.031),
    ):
        assert not worse.readable


def another_picture(number):
    """None like another, since the line looks only where something has changed."""
    return np.random.default_rng(number).integers(0, 255, (48, 80, 3), np.uint8)


def test_our_line_is_played_frame_by_frame_and_heard():
    """A detector and a reader that see the truth: each car is told once, for itself."""
    clip = passing(1, 20, DAY, cars=2)
    by_number = {
        number: [
            FakePlate(one.text, one.seen[number].box)
            for one in clip.plates
            if number in one.seen and one.seen[number].readable
        ]
        for number in range(clip.length)
    }

    def script(frame):
        return by_number[frame.sequence]

    quick = replace(clip, paint=another_picture)
    told = told_by_our_line(quick, FakeDetector(script), FakeReader(script))
    found = score(clip, told)
    assert (found.passes, found.once, found.mixed, found.wrong) == (2, 2, 0, 0)
    assert min(found.alerts_s) >= 0
    assert found.alerts_s == found.decisions_s
    assert max(found.alerts_s) < clip.seconds


def test_the_command_lists_judges_and_writes(capsys, tmp_path, monkeypatch):
    small = {"one": partial(next_car, frames_per_second=2.0)}
    monkeypatch.setattr(command, "SCENES", small)
    monkeypatch.setattr(command, "load_vision", lambda *_: (FakeDetector([]), FakeReader([])))
    command.main(["--list"])
    assert capsys.readouterr().out == "one\n"
    command.main(["--json", "--clips", "2"])
    found = json.loads(capsys.readouterr().out)
    assert found["one"]["missed"] == found["one"]["passes"] == 4
    assert found["one"]["alert_median_s"] is None
    command.main(["--write", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["one-1.mp4"]
    texts = [one.text for one in small["one"](1).plates]
    assert not any(text in capsys.readouterr().out for text in texts)


def test_the_long_scenes_are_known():
    assert set(SCENES) >= LONG
