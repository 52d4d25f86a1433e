"""When an alarm is raised and cleared, on made-up figures.

Over drawn pictures: tests/components/test_camera_health.py.
"""

import pytest

from agent.core.camera.aim_figures import Light
from agent.core.camera.standing_alarms import (
    EDGES_ACROSS,
    EDGES_DOWN,
    FIRST_LOOKS,
    IN_A_ROW,
    Alarm,
    AlarmKeeper,
    Look,
    Tile,
    alike,
)

CELLS = EDGES_ACROSS * EDGES_DOWN


def edges(shift=0):
    """A scene of stripes that repeats nowhere nearby, shifted by whole cells."""
    rows = [
        [((x - shift) * 7 + y * 3) % 13 - 6 for x in range(EDGES_ACROSS)] for y in range(EDGES_DOWN)
    ]
    return tuple(float(value) for row in rows for value in row)


def look(mean=120.0, contrast=120.0, detail=0.3, soft=0, soft_detail=0.05, flat=0, shift=0):
    """`soft`, `flat`: so many of the sixteen tiles."""
    tiles = (
        [Tile(2.0, 0.0)] * flat
        + [Tile(60.0, soft_detail)] * soft
        + [Tile(60.0, detail)] * (16 - soft - flat)
    )
    return Look(Light(mean, contrast, 0.0), tuple(tiles), edges(shift))


GOOD = look()
BAD = {
    Alarm.BLOCKED: look(flat=12),
    Alarm.DIRTY: look(soft=7),
    Alarm.MOVED: look(shift=2),
    Alarm.DARK: look(mean=6, contrast=3, detail=0.0),
    Alarm.BLURRED: look(detail=0.1),
}


@pytest.fixture
def keeper():
    made = AlarmKeeper()
    for _ in range(FIRST_LOOKS + 2):
        assert not made.look(GOOD, "day")
    return made


def changes(keeper, *looks, profile="day"):
    return [
        (str(change.alarm), change.raised) for one in looks for change in keeper.look(one, profile)
    ]


@pytest.mark.parametrize("alarm", Alarm)
def test_each_alarm_is_raised_once_when_it_stays_and_cleared_once_when_it_has_gone(keeper, alarm):
    assert changes(keeper, *[BAD[alarm]] * (IN_A_ROW - 1)) == []
    assert changes(keeper, *[BAD[alarm]] * 20) == [(alarm, True)]
    assert changes(keeper, *[GOOD] * (IN_A_ROW - 1)) == []
    assert changes(keeper, *[GOOD] * 20) == [(alarm, False)]


@pytest.mark.parametrize("alarm", Alarm)
def test_what_passes_raises_nothing(keeper, alarm):
    assert changes(keeper, *([BAD[alarm]] * (IN_A_ROW - 1) + [GOOD]) * 5) == []


def test_behind_a_cover_nothing_finer_is_judged_and_what_stood_stays(keeper):
    assert changes(keeper, *[BAD[Alarm.DIRTY]] * 9) == [("dirty", True)]
    assert changes(keeper, *[BAD[Alarm.BLOCKED]] * 9) == [("blocked", True)]
    assert changes(keeper, *[GOOD] * 9) == [("blocked", False), ("dirty", False)]


def test_what_is_bad_is_not_learned(keeper):
    """A camera that hangs askew must not become the normal case."""
    assert changes(keeper, *[BAD[Alarm.MOVED]] * 30) == [("moved", True)]


def test_a_new_camera_learns_before_it_compares():
    keeper = AlarmKeeper()
    assert changes(keeper, *[look(shift=shift) for shift in (0, 2, 4, 0, 2, 4)]) == []
    assert changes(AlarmKeeper(), *[BAD[Alarm.BLURRED]] * 9) == [("blurred", True)], (
        "what needs no comparing is told from the first"
    )


def test_night_has_a_reference_of_its_own(keeper):
    """Another exposure and an infrared lamp show another scene: nothing has moved."""
    assert changes(keeper, *[look(shift=3)] * 20, profile="night") == []
    assert changes(keeper, *[GOOD] * 9) == []


def test_the_event_is_a_sentence_and_plain_figures(keeper):
    for _ in range(IN_A_ROW - 1):
        keeper.look(BAD[Alarm.BLURRED], "day")
    (change,) = keeper.look(BAD[Alarm.BLURRED], "day")
    assert change.event().details == {"alarm": "blurred", "state": "raised", "figure": 0.1}
    assert (
        change.event().said
        == "alarm: the camera is blurred: the whole picture is blurred: focus, or wipe the glass"
    )


@pytest.mark.parametrize(("across", "down"), [(0, 0), (3, 0), (-4, 2), (2, -4)])
def test_a_map_is_alike_to_itself_at_the_shift_between_them(across, down):
    usual = [
        float((x * 31 + y * 17) % 23 - 11) for y in range(EDGES_DOWN) for x in range(EDGES_ACROSS)
    ]
    now = [
        usual[(y - down) * EDGES_ACROSS + x - across]
        if 0 <= y - down < EDGES_DOWN and 0 <= x - across < EDGES_ACROSS
        else 0.0
        for y in range(EDGES_DOWN)
        for x in range(EDGES_ACROSS)
    ]
    assert alike(now, usual, across, down) == pytest.approx(1.0)
    assert alike([0.0] * CELLS, usual, across, down) == 0.0
