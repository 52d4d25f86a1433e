"""What Home Assistant needs to show a camera's health: one MQTT discovery message, which says where
the health message comes and how to read it (https://www.home-assistant.io/integrations/mqtt/,
device discovery). It tells nothing of the camera but its name and version.
"""

import json
from collections.abc import Mapping

EXPIRES_S = 3 * 3_600  # two messages missed: then it is "unavailable"
_TABLE = "(value.split('\\n')[1] | from_json)"  # the note's second line


def discovery(camera: str, version: str, state_topic: str) -> bytes:
    """The config message, as JSON. `state_topic`: where this camera's health messages go."""
    device = {
        "identifiers": [f"platewarden-{camera}"],
        "name": f"Platewarden {camera}",
        "manufacturer": "Platewarden",
        "sw_version": version,
    }
    parts = {
        name: {
            "unique_id": f"platewarden-{camera}-{name}",
            "expire_after": EXPIRES_S,
            "entity_category": "diagnostic",
            **part,
        }
        for name, part in _parts().items()
    }
    table = {
        "device": device,
        "origin": {"name": "platewarden", "sw_version": version},
        "components": parts,
        "state_topic": state_topic,
        "qos": 1,
    }
    return json.dumps(table, separators=(",", ":")).encode()


def _parts() -> Mapping[str, Mapping[str, str]]:
    return {
        "temperature": _sensor("Temperature", "temperature_c", "°C", "temperature"),
        "hotlist_age": _sensor("Hot list's age", "hotlist_age_h", "h", "duration"),
        "policy_age": _sensor("Policy's age", "policy_age_h", "h", "duration"),
        "policy": _sensor("Policy", "policy_version"),
        "unsent": _sensor("Messages unsent", "unsent"),
        "alarms": {
            "platform": "sensor",
            "name": "Alarms",
            "value_template": f"{{{{ ({_TABLE}.alarms or []) | join(', ') or 'none' }}}}",
        },
        "blocked": _problem("Alarm stands", "alarms"),
        "throttled": _problem("Power or clock is cut", "throttled"),
        "watch": _problem("Camera process is silent", "watch_silent_h"),
        "stale": _problem("Hot list is too old", "hotlist_stale"),
        "closed": _problem("Releases nothing", "closed"),
        "brokers": _problem("Brokers out of reach", "brokers_away"),
        "reads_worse": {
            **_problem("Reads worse than promised", "reading"),
            "value_template": f"{{{{ 'ON' if {_TABLE}.reading == 'worse' else 'OFF' }}}}",
        },
    }


def _sensor(name: str, member: str, unit: str = "", kind: str = "") -> Mapping[str, str]:
    told = {"platform": "sensor", "name": name, "value_template": f"{{{{ {_TABLE}.{member} }}}}"}
    return told | ({"unit_of_measurement": unit, "device_class": kind} if unit else {})


def _problem(name: str, member: str) -> Mapping[str, str]:
    """ON where the member says something: true, a word, a number above 0."""
    return {
        "platform": "binary_sensor",
        "name": name,
        "device_class": "problem",
        "value_template": f"{{{{ 'ON' if {_TABLE}.{member} else 'OFF' }}}}",
    }
