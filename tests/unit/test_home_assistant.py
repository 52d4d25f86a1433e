"""What Home Assistant is told: a message of its own form, whose templates read a health message."""

import json
import re

import jinja2
import pytest

from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_report import Reading
from agent.core.camera.health.home_assistant import discovery
from agent.core.reasons import Reason
from agent.mqtt.topics import discovery_topic, health_topic
from tests.support.fleets import sent

TOPIC = health_topic("cam-1")
TABLE = json.loads(discovery("cam-1", "0.1.0", TOPIC))
WELL = {
    "temperature": "55", "hotlist_age": "9", "policy_age": "12", "policy": "7", "unsent": "0",
    "alarms": "none", "blocked": "OFF", "throttled": "OFF", "watch": "OFF", "stale": "OFF",
    "closed": "OFF", "brokers": "OFF", "reads_worse": "OFF",
}  # fmt: skip


def shown(**told):
    """What each entity shows of a message, as Home Assistant renders it: text in, text out."""
    world = jinja2.Environment(autoescape=True)
    world.filters["from_json"] = json.loads
    value = sent("cam-1", **told).decode()
    return {
        name: world.from_string(part["value_template"]).render(value=value)
        for name, part in TABLE["components"].items()
    }


def test_it_has_what_device_discovery_asks_for():
    assert TABLE["device"]["identifiers"] == ["platewarden-cam-1"]
    assert TABLE["origin"]["name"] == "platewarden"
    assert TABLE["state_topic"] == TOPIC
    ids = [part["unique_id"] for part in TABLE["components"].values()]
    assert len(set(ids)) == len(ids)
    assert {part["platform"] for part in TABLE["components"].values()} == {
        "sensor",
        "binary_sensor",
    }
    # of node and object: what Home Assistant allows in a topic
    assert re.fullmatch(r"homeassistant/device/[A-Za-z0-9_-]+/config", discovery_topic("cam-1"))


def test_a_camera_that_is_well_shows_as_well():
    assert shown() == WELL


@pytest.mark.parametrize(
    ("told", "entity", "value"),
    [
        ({"alarms": frozenset({Alarm.DARK, Alarm.DIRTY})}, "alarms", "dark, dirty"),
        ({"alarms": frozenset({Alarm.DARK})}, "blocked", "ON"),
        ({"alarms": None}, "alarms", "none"),
        ({"throttled": True}, "throttled", "ON"),
        ({"watch_silent_h": 3}, "watch", "ON"),
        ({"hotlist_stale": True}, "stale", "ON"),
        ({"closed": Reason.NOT_WITNESSED}, "closed", "ON"),
        ({"brokers_away": 1}, "brokers", "ON"),
        ({"reading": Reading.WORSE}, "reads_worse", "ON"),
        ({"reading": Reading.AS_PROMISED}, "reads_worse", "OFF"),
        ({"temperature_c": 80}, "temperature", "80"),
        ({"unsent": 4}, "unsent", "4"),
    ],
)
def test_each_trouble_shows_at_its_entity(told, entity, value):
    assert shown(**told)[entity] == value
