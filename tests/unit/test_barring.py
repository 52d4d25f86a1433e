"""Barred cameras, places and hours: nothing leaves there and then; what cannot be looked up is
barred; a camera that nobody listed does not watch.
"""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from agent.core.policy.barring import Bar, Hours, barred, barred_always
from agent.core.policy.camera_roster import in_place, parse_roster, require_camera
from agent.core.policy.charter import parse_charter
from agent.core.policy.decide import decide, may_publish
from agent.core.policy.policy import Circumstances
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import ConfigError, PolicyRefusedError
from tests.support import sealed
from tests.support.judging import EXAMPLE, NOON, instant, match, policy, rule

ROSTER = (EXAMPLE / "roster.toml").read_bytes()
ANY, NIGHT, LUNCH = (), (Hours(22 * 60, 6 * 60),), (Hours(11 * 60, 13 * 60),)


def bar(cameras=None, places=(), hours=ANY):
    return Bar(
        frozenset(cameras) if cameras is not None else None,
        frozenset(places),
        tuple(hours),
        "because",
        "charter.toml",
        9,
    )


def seen(bars, camera="cam-1", at=NOON, **changes):
    circumstances = Circumstances(Instant(at, ClockTrust.OS), camera, 0.95)
    return decide(policy(rule(**changes), barred=tuple(bars)), circumstances, match(), {}).reasons


@pytest.mark.parametrize(
    ("hours", "at", "held"),
    [
        ("22:00-06:00", "21:59", False),
        ("22:00-06:00", "22:00", True),
        ("22:00-06:00", "23:59", True),
        ("22:00-06:00", "00:00", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        ("02:00-06:00", "01:59", False),
        ("02:00-06:00", "02:00", True),
        ("02:00-06:00", "06:00", False),
        ("00:00-23:59", "23:58", True),
        ("00:00-23:59", "23:59", False),
    ],
)
def test_hours_begin_and_end_on_their_minute(hours, at, held):
    start, end = (time.fromisoformat(part) for part in hours.split("-"))
    moment = datetime.combine(NOON.date(), time.fromisoformat(at), UTC) + timedelta(seconds=59.9)
    assert Hours(start.hour * 60 + start.minute, end.hour * 60 + end.minute).hold(moment) is held


@pytest.mark.parametrize(
    ("bars", "reason"),
    [
        ([], Reason.RELEASED),
        ([bar(["cam-2"])], Reason.RELEASED),
        ([bar(["cam-1"])], Reason.CAMERA_BARRED),
        ([bar(["cam-1"], hours=NIGHT)], Reason.RELEASED),
        ([bar(["cam-1"], hours=LUNCH)], Reason.HOURS_BARRED),
        ([bar(hours=LUNCH)], Reason.HOURS_BARRED),
        ([bar(hours=NIGHT)], Reason.RELEASED),
        ([bar(["cam-2"], hours=LUNCH)], Reason.RELEASED),
        ([bar(hours=LUNCH), bar(["cam-1"])], Reason.CAMERA_BARRED),
        # Nobody has looked up which cameras stand there.
        ([bar(places=["school"])], Reason.CAMERA_BARRED),
        ([bar(["cam-2"], places=["school"], hours=LUNCH)], Reason.HOURS_BARRED),
    ],
)
def test_what_is_barred_is_dropped_before_anything_is_asked_of_the_hot_list(bars, reason):
    assert seen(bars) == (reason,)
    if reason is not Reason.RELEASED:
        circumstances = Circumstances(instant(), "cam-1", 0.95)
        assert decide(policy(barred=tuple(bars)), circumstances, None, {}).reasons == (reason,)


def test_a_rule_for_some_cameras_is_for_no_other():
    assert seen([], cameras=frozenset({"cam-1", "cam-9"})) == (Reason.RELEASED,)
    assert seen([], cameras=frozenset({"cam-9"})) == (Reason.CAMERA_NOT_RELEASED,)
    assert seen([], camera="", cameras=frozenset({"cam-9"})) == (Reason.CAMERA_NOT_RELEASED,)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"barred": (bar([sealed.DEVICE]),)}, Reason.CAMERA_BARRED),
        ({"barred": (bar(hours=[Hours(0, 1439)]),)}, Reason.HOURS_BARRED),
        ({"barred": (bar(["other"]),)}, None),
        ({"cameras": frozenset({"other"})}, Reason.CAMERA_NOT_RELEASED),
        ({"cameras": frozenset({sealed.DEVICE})}, None),
    ],
)
def test_a_sealed_read_is_judged_again_by_the_bars_in_force_now(changes, reason):
    parties = sealed.Parties.make(NOON.date(), 40)
    tags = parties.sealer().seal(sealed.sighting(NOON), sealed.release(), 1).tags
    cameras = changes.pop("cameras", None)
    now_in_force = policy(
        rule(rule=tags.rule, recipient=tags.recipient, purpose=tags.purpose, cameras=cameras),
        **changes,
    )
    assert may_publish(tags, now_in_force, instant(60)) is reason


# --- the roster ---


def test_the_example_is_in_place():
    roster = parse_roster(ROSTER, "roster.toml")
    charter = parse_charter((EXAMPLE / "charter.toml").read_bytes(), "charter.toml")
    obeyed = in_place(
        parse_policy((EXAMPLE / "policy.toml").read_bytes(), "policy.toml"), charter, roster
    )
    assert [sorted(one.cameras) for one in obeyed.barred] == [
        ["clinic-road-1"],
        ["lincoln-school-1"],
        ["town-hall-1"],
    ]
    assert not any(one.places for one in obeyed.barred)
    assert {camera for camera in roster.cameras if barred_always(obeyed.barred, camera)} == {
        "clinic-road-1"
    }
    assert (
        barred(obeyed.barred, "lincoln-school-1", datetime(2026, 11, 23, 15, tzinfo=UTC)).where
        == "charter.toml"
    )
    assert barred(obeyed.barred, "lincoln-school-1", datetime(2026, 11, 23, 18, tzinfo=UTC)) is None


def test_places_where_no_camera_stands_bar_no_camera():
    roster = parse_roster(ROSTER, "roster.toml")
    nowhere = in_place(
        policy(barred=(bar(places=["worship"]),)),
        parse_charter((EXAMPLE / "charter.toml").read_bytes(), "c"),
        roster,
    ).barred[-1]
    assert nowhere.cameras == frozenset()
    assert not nowhere.covers("main-street-2")


@pytest.mark.parametrize(
    ("bars", "camera", "reason"),
    [
        ([], "main-street-2", None),
        ([], "main-street-3", Reason.CAMERA_NOT_IN_ROSTER),
        ([], "Main-Street-2", Reason.CAMERA_NOT_IN_ROSTER),
        ([bar(["main-street-2"])], "main-street-2", Reason.CAMERA_BARRED),
        ([bar(["main-street-2"], hours=NIGHT)], "main-street-2", None),
        ([bar(places=["school"])], "main-street-2", Reason.CAMERA_BARRED),
    ],
)
def test_a_camera_that_is_not_listed_or_barred_at_all_hours_does_not_watch(bars, camera, reason):
    roster = parse_roster(ROSTER, "roster.toml")
    if reason is None:
        require_camera(policy(barred=tuple(bars)), roster, camera)
        return
    with pytest.raises(PolicyRefusedError) as caught:
        require_camera(policy(barred=tuple(bars)), roster, camera)
    assert caught.value.reason is reason
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id = "county-road-9"', 'id = "main-street-2"', "there twice"),
        ('id = "county-road-9"', 'id = "COUNTY"', "no identifier"),
        ('near = ["school"]', 'near = ["skool"]', "no kind of place"),
        ('mount = "fixed"', 'mount = "drone"', "must be one of: fixed, vehicle"),
        ('city = "', 'town = "', "unknown key"),
        ('near = ["school"]\n', "", "missing"),
        ("[[camera]]", "[camera]", "not TOML"),
    ],
)
def test_a_malformed_roster_is_refused_at_its_line(old, new, told):
    text = ROSTER.decode().replace(old, new, 1)
    with pytest.raises(ConfigError, match=r"roster\.toml:\d+") as caught:
        parse_roster(text.encode(), "roster.toml")
    assert told in str(caught.value)


def test_a_bar_without_camera_is_for_all():
    assert bar().covers("any")
    assert replace(bar(), cameras=frozenset()).covers("any") is False
