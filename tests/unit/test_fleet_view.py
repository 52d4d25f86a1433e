"""What a fleet looks like together: whom to visit first, what is wrong, and what is said of it."""

import json
import re
from dataclasses import replace

import pytest

from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_message import HealthMessage
from agent.core.camera.health.health_report import Reading
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust
from agent.fleet.camera_troubles import HOT_C, Who
from agent.fleet.fleet_census import Brief
from agent.fleet.fleet_metrics import as_prometheus
from agent.fleet.fleet_page import fleet_page
from agent.fleet.fleet_store import CameraRow
from agent.fleet.fleet_view import fleet_table
from tests.support.fleets import AT, AT_S, fleet_of, well

LINE = re.compile(r"# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+=\"[^\"\\\n]*\"\})? [0-9]+(\.[0-9]+)?")


def row(name="cam-1", ago_h=0, **more):
    """One that was heard so long ago."""
    heard_s = AT_S - ago_h * 3_600
    return CameraRow(name, True, heard_s, heard_s, HealthMessage(9, 0, well(name, **more)))


def codes(*rows, silent_after_h=3):
    [state] = [one for one in fleet_of(rows, AT, silent_after_h).cameras if one.row.name == "cam-1"]
    return [one.code for one in state.troubles], state.who


def test_one_that_is_well_waits_for_nobody():
    assert codes(row()) == ([], Who.NOBODY)


@pytest.mark.parametrize(
    ("told", "found", "who"),
    [
        ({"alarms": frozenset({Alarm.DIRTY, Alarm.BLOCKED})}, ["blocked", "dirty"], Who.LADDER),
        ({"watch_silent_h": 5}, ["watch-silent"], Who.LADDER),
        ({"throttled": True}, ["throttled"], Who.LADDER),
        ({"temperature_c": HOT_C}, ["hot"], Who.LADDER),
        ({"temperature_c": HOT_C - 5}, [], Who.NOBODY),
        ({"reading": Reading.WORSE}, ["reads-worse"], Who.LADDER),
        ({"reading": Reading.AS_PROMISED}, [], Who.NOBODY),
        ({"closed": Reason.NOT_WITNESSED}, ["closed"], Who.DESK),
        ({"policy_in_force": False}, ["no-policy"], Who.DESK),
        ({"lapsed": 2}, ["lapsed"], Who.DESK),
        ({"hotlist_stale": True}, ["hotlist-stale"], Who.DESK),
        ({"hotlist_age_h": None}, ["no-hotlist"], Who.DESK),
        ({"clock": ClockTrust.UNTRUSTED}, ["clock"], Who.DESK),
        ({"brokers_away": 1}, ["brokers-away"], Who.DESK),
        ({"outbox_filled": 0.5}, ["outbox"], Who.DESK),
        ({"outbox_filled": 0.4}, [], Who.NOBODY),
        ({"problems": ("outbox",)}, ["unread"], Who.DESK),
        ({"watch_silent_h": None, "hotlist_age_h": None}, ["watch-untold"], Who.DESK),
        (dict.fromkeys(("temperature_c", "outbox_filled", "lapsed", "clock")), [], Who.NOBODY),
    ],
)
def test_each_trouble_has_its_name_and_who_must_act(told, found, who):
    assert codes(row(**told)) == (found, who)


@pytest.mark.parametrize(("ago_h", "found"), [(2, []), (3, ["silent"]), (900, ["silent"])])
def test_silence_is_told_after_so_many_hours(ago_h, found):
    assert codes(row(ago_h=ago_h))[0] == found
    assert codes(row(ago_h=ago_h), silent_after_h=1_000)[0] == []


def test_one_never_heard_an_older_policy_a_refused_message_and_a_clock_ahead():
    assert codes(CameraRow("cam-1", True)) == (["never-heard"], Who.DESK)
    assert codes(row(policy_version=6), row("cam-2"))[0] == ["old-policy"]
    refused = replace(row(), refused=3, refused_s=AT_S - 60, refused_why="not signed")
    assert codes(refused)[0] == ["refused"]
    assert codes(replace(refused, refused_s=AT_S - 25 * 3_600))[0] == []
    assert codes(replace(row(), told_s=AT_S + 2 * 3_600))[0] == ["clock-ahead"]
    assert codes(replace(row(), told_s=AT_S + 3_600))[0] == []


def test_whoever_needs_a_ladder_stands_first_the_longest_silent_before_all():
    rows = [
        row("a-well"),
        row("b-desk", clock=ClockTrust.UNTRUSTED),
        row("c-dirty", alarms=frozenset({Alarm.DIRTY})),
        row("d-silent", ago_h=4),
        row("e-silent", ago_h=400),
        row("f-two", alarms=frozenset({Alarm.DIRTY, Alarm.DARK})),
        CameraRow("g-never", True),
    ]
    fleet = fleet_of(rows, AT, 3)
    names = [one.row.name for one in fleet.cameras]
    assert names == ["e-silent", "d-silent", "f-two", "c-dirty", "b-desk", "g-never", "a-well"]
    assert [fleet.count(who) for who in Who] == [4, 2, 1]


def test_the_table_is_plain_and_whole():
    fleet = fleet_of([row(), CameraRow("cam-2", True)], AT, 3, strangers=2, run={"link": "heard"})
    table = json.loads(json.dumps(fleet_table(fleet)))
    assert (table["cameras"], table["desk"], table["nobody"], table["ladder"]) == (2, 1, 1, 0)
    assert (table["versions"], table["policies"]) == ({"0.1.0": 1}, {"7": 1})
    assert (table["strangers"], table["run"]) == (2, {"link": "heard"})
    never, heard = table["list"]
    assert (never["heard"], never["health"], never["silent_h"]) == (None, None, None)
    assert (heard["number"], heard["health"]["hotlist_age_h"], heard["missed"]) == (9, 9, 0)


def test_metrics_are_prometheus_own_form_and_name_each_camera_once():
    fleet = fleet_of([row(), row("cam-2", ago_h=9), CameraRow("cam-3", True)], AT, 3)
    each = [Brief(one.row.name, one.row.heard_s, one.who, one.row.missed) for one in fleet.cameras]
    text = as_prometheus(fleet, each)
    assert [line for line in text.splitlines() if not LINE.fullmatch(line)] == []
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert told['platewarden_fleet_cameras{who="ladder"}'] == "1"
    assert told['platewarden_fleet_trouble_cameras{trouble="silent"}'] == "1"
    assert told['platewarden_fleet_heard_seconds{camera="cam-1"}'] == str(AT_S)
    assert 'platewarden_fleet_heard_seconds{camera="cam-3"}' not in told
    assert told['platewarden_fleet_who{camera="cam-3"}'] == "1"


def test_the_page_says_the_same_and_what_came_from_outside_is_escaped():
    odd = replace(row(), refused=1, refused_s=AT_S, refused_why="<script>alert(1)</script>")
    page = fleet_page(fleet_of([odd, row("cam-2", ago_h=9)], AT, 3, run={"link": "<b>"}))
    assert "<script" not in page
    assert "<b>" not in page
    assert "silent for 9 h" in page
    assert page.index("cam-2") < page.index("cam-1")
    assert "http" not in page.replace("http-equiv", "")
