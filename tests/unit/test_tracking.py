"""Tracking: one vehicle is one sighting, at 2 to 30 frames a second, moving or parked, with frames
missed and characters misread.
"""

import random
from dataclasses import replace

import pytest

from agent.core.reading.plate_text import PlateText
from agent.core.reading.tracking import Tracker, Tracking
from agent.core.reading.tracks.likeness import similarity
from tests.support.judging import frame, read

RATES = [2, 5, 10, 30]


def run(scene, *, rate=10, seconds=5.0, tracker=None, start=0.0):
    """All tracks of a scene, a function from seconds to reads, as (seconds of emission, track); the
    end's as infinity.
    """
    tracker = tracker or Tracker()
    found = []
    for number in range(int(seconds * rate)):
        at = start + number / rate
        found += [
            (at, track)
            for track in tracker.add(
                frame(number, at), [replace_time(one, at) for one in scene(at)]
            )
        ]
    return found + [(float("inf"), track) for track in tracker.finish()]


def replace_time(one, at):
    return replace(one, captured=frame(0, at).captured)


def passing(text, *, start=0.0, end=3.0, speed=4.0, y=100.0, width=80.0, confidence=0.95):
    """A car that drives through the picture; `speed` in plate widths a second."""
    return lambda at: (
        [read(text, 50.0 + speed * width * (at - start), y, width, confidence=confidence)]
        if start <= at <= end
        else []
    )


def parked(text, *, end=1e9, x=400.0, y=300.0, confidence=0.95):
    return lambda at: [read(text, x, y, confidence=confidence)] if at <= end else []


def texts(found):
    """The text that most of each track's reads have, of those that have any."""
    read_in = [[one.text.value for one in track.reads if one.text.value] for _, track in found]
    return sorted(max(readings, key=readings.count, default="") for readings in read_in)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("speed", [0.5, 4.0, 15.0])
def test_a_passing_car_is_one_track(rate, speed):
    found = run(passing("PWD0001", speed=speed), rate=rate, seconds=8)
    assert texts(found) == ["PWD0001"]
    assert len({track.track_id for _, track in found}) == 1


@pytest.mark.parametrize("rate", RATES)
def test_two_cars_that_meet_are_two_tracks_of_their_own_reads(rate):
    def scene(at):
        return [*passing("PWD0001", speed=5)(at), read("KTX77Y", 1250 - 400 * at, 110.0, 80.0)]

    found = run(scene, rate=rate, seconds=3)
    assert texts(found) == ["KTX77Y", "PWD0001"]
    assert all(len({one.text.value for one in track.reads}) == 1 for _, track in found)


@pytest.mark.parametrize("rate", RATES)
def test_a_parked_car_is_one_sighting_however_long_it_stands(rate):
    found = run(parked("PWD0001"), rate=rate, seconds=240 / rate)
    assert texts(found) == ["PWD0001"]
    assert found[0][0] < 5


def test_a_parked_car_is_kept_in_mind_behind_a_bus_and_forgotten_after_minutes():
    def scene(at):
        return [] if 10 < at < 30 or at > 60 else parked("PWD0001")(at)

    tracker = Tracker()
    assert len(run(scene, rate=5, seconds=100, tracker=tracker)) == 1
    assert run(parked("PWD0001"), seconds=3, tracker=tracker, start=200.0) == []  # the same one
    assert len(run(parked("PWD0001"), seconds=3, tracker=tracker, start=900.0)) == 1  # came back


def test_the_next_car_in_the_same_place_is_another_one():
    found = run(lambda at: parked("PWD0001")(at) if at < 20 else parked("KTX77Y")(at), seconds=40)
    assert texts(found) == ["KTX77Y", "PWD0001"]


def test_a_like_number_that_comes_beside_the_place_of_one_long_gone_is_not_voted_with_it():
    """The one was read unsurely, so that it is awaited; the other one comes from below."""

    def scene(at):
        if at <= 2.0:
            return [read("TST0042", 400.0, 300.0, confidence=0.8)]
        y = 300.0 + 400.0 * max(0.0, 5.3 - at)
        return [read("TST0043", 385.0, y, 115.0, confidence=0.99)] if at >= 5.0 else []

    found = run(scene, rate=5, seconds=7.0)
    voted = [{one.text.value for one in track.reads} for _, track in found]
    assert sorted(map(sorted, voted)) == [["TST0042"], ["TST0043"]]


@pytest.mark.parametrize("rate", [5, 10])
@pytest.mark.parametrize("unseen_s", [2.4, 4.0])
@pytest.mark.parametrize("speed", [-250.0, 0.0, 250.0])
def test_a_like_number_where_one_that_drove_on_was_seen_last_is_not_voted_with_it(
    rate, unseen_s, speed
):
    """The one drove behind something: it does not stand where it was seen last."""

    def scene(at):
        if at <= 2.0:
            return [read("TST0042", 600.0 - 250.0 * (2.0 - at), 300.0, confidence=0.8)]
        since = at - 2.0 - unseen_s
        x = 600.0 + speed * since
        return [read("TST0043", x, 300.0, confidence=0.99)] if since >= 0 else []

    found = run(scene, rate=rate, seconds=3.2 + unseen_s)
    voted = [{one.text.value for one in track.reads} for _, track in found]
    assert sorted(map(sorted, voted)) == [["TST0042"], ["TST0043"]]


def test_the_next_car_is_another_one_even_if_its_first_reads_are_bad():
    def scene(at):
        if at < 20:
            return parked("PWD0001")(at)
        return parked("K1", confidence=0.1)(at) if at < 21 else parked("KTX77Y")(at)

    assert "KTX77Y" in texts(run(scene, seconds=40))


@pytest.mark.parametrize("rate", [5, 10, 30])
@pytest.mark.parametrize("seed", range(4))
def test_missed_frames_and_misread_characters_do_not_split_a_car(rate, seed):
    chance = random.Random(seed)

    def scene(at):
        if chance.random() < 0.3:
            return []
        text = list("PWD0001")
        if chance.random() < 0.4:
            text[chance.randrange(7)] = chance.choice("08BX")
        return passing("".join(text), end=4.0, speed=3.0, confidence=chance.uniform(0.35, 0.95))(at)

    assert len(run(scene, rate=rate, seconds=8)) == 1


def test_a_look_alike_right_behind_is_another_car():
    def scene(at):
        return passing("PWDO001", end=2.0, speed=4)(at) or passing(
            "PWD0001", start=2.5, end=5, speed=4
        )(at)

    assert texts(run(scene, seconds=8)) == ["PWD0001", "PWDO001"]


def test_unreadable_plates_are_followed_by_their_place():
    assert len(run(passing("", speed=2.0), seconds=6)) == 1
    found = run(lambda at: passing("" if at < 1 else "PWD0001", speed=2.0)(at), seconds=6)
    assert len(found) == 1


def test_a_sure_track_is_emitted_at_once_and_never_again():
    found = run(passing("PWD0001", end=20, speed=0.2), rate=10, seconds=25)
    assert len(found) == 1
    assert found[0][0] == pytest.approx(0.2)  # of 0.95 each, three must agree


@pytest.mark.parametrize(("confidence", "end", "told"), [(0.6, 3.0, 8.0), (0.95, 0.1, 2.1)])
def test_what_is_not_told_early_waits_for_its_end_and_an_unsure_track_for_longer(
    confidence, end, told
):
    found = run(passing("PWD0001", end=end, speed=2, confidence=confidence), rate=10, seconds=9)
    assert len(found) == 1
    assert told < found[0][0] < told + 0.3


def test_a_parked_car_that_is_never_sure_is_emitted_after_its_wait():
    found = run(parked("PWD0001", confidence=0.6), rate=5, seconds=60)
    assert [round(at) for at, _ in found] == [15]


def test_a_car_that_stops_and_whose_reads_agree_without_a_sure_vote_is_told_after_its_wait():
    """A vote of many views is less sure than its surest read."""

    def scene(at):
        drives = passing("PWD0001", confidence=0.92)(min(at, 1.0))
        return drives if at < 1 else [replace(one, confidence=0.85) for one in drives]

    found = run(scene, rate=10, seconds=25)
    assert len(found) == 1
    assert 15 <= found[0][0] < 17


def test_a_parked_car_that_nobody_can_read_waits_until_it_can_be_read():
    found = run(lambda at: parked("" if at < 40 else "PWD0001")(at), rate=5, seconds=60)
    assert texts(found) == ["PWD0001"]


def test_a_standing_car_that_was_dropped_is_told_again_when_it_is_asked_for():
    """Reported stolen while it stood before the camera, it was never looked up again."""
    tracker = Tracker()
    first = run(parked("TST0042"), tracker=tracker, seconds=5)
    assert texts(first) == ["TST0042"]
    assert texts(run(parked("TST0042"), tracker=tracker, start=5, seconds=5)) == []
    tracker.tell_dropped_again()
    assert texts(run(parked("TST0042"), tracker=tracker, start=10, seconds=5)) == ["TST0042"]
    assert texts(run(parked("TST0042"), tracker=tracker, start=15, seconds=5)) == []


def test_a_standing_car_that_was_released_is_one_sighting_under_every_list():
    tracker = Tracker()

    def scene(at):
        return parked("TST0042")(at) + parked("TST7777", y=900.0)(at)

    assert texts(run(scene, tracker=tracker, seconds=5)) == ["TST0042", "TST7777"]
    tracker.was_released("TST0042")
    tracker.tell_dropped_again()
    assert texts(run(scene, tracker=tracker, start=5, seconds=5)) == ["TST7777"]


def test_memory_is_bounded_for_each_track_and_for_all():
    found = run(passing("PWD0001", end=30, speed=0.1, confidence=0.6), rate=30, seconds=10)
    assert len(found[0][1].reads) == Tracking().max_reads
    tracker = Tracker(Tracking(max_tracks=10))
    crowd = [read("", 150.0 * column, 100.0 * row) for column in range(8) for row in range(8)]
    emitted = sum(len(tracker.add(frame(number, number / 10), crowd)) for number in range(5))
    assert len(tracker._followed) == 10
    assert emitted >= 54


def test_of_many_reads_the_best_are_kept_in_order_of_time():
    confidences = [0.3, 0.8, 0.5, 0.7, 0.6]
    tracker = Tracker(Tracking(max_reads=3))
    for number, confidence in enumerate(confidences):
        tracker.add(
            frame(number, number / 10), [read("PWD0001", confidence=confidence, at=number / 10)]
        )
    (track,) = tracker.finish()
    assert [one.confidence for one in track.reads] == [0.8, 0.7, 0.6]


def test_a_clock_that_jumps_back_ends_all_tracks_once():
    tracker = Tracker()
    assert not tracker.add(frame(0, 100.0), [read("PWD0001")])
    assert len(tracker.add(frame(1, 3.0), [read("PWD0001")])) == 1
    assert len(tracker.finish()) == 1


def test_similarity():
    assert similarity("PWD0001", "PWD0001") == 1.0
    assert similarity("PWD0001", "PWD001") == pytest.approx(6 / 7)
    assert similarity("PWD0001", "") == 0.0
    assert similarity("ABC", "XYZ") == 0.0
    assert PlateText("A") == read("A").text
