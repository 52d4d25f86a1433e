"""Gathers a camera's health in coarse numbers: from what `status` reads, and from the kernel.

Reads only. What a part does not tell is missing, and named.
"""

from collections.abc import Mapping
from pathlib import Path

import agent
from agent.core.camera.camera_event import Alarm
from agent.core.text.rfc3339 import parse_rfc3339
from agent.doctor import machine
from agent.doctor.health_numbers import Health
from agent.settings import Settings
from agent.sides.camera_state import as_table, collect

_NOW, _SINCE_START = 0xF, 0xF0000  # get_throttled's bits
_PARTS = ("camera_health", "hotlist", "outbox", "delivery")


def vitals(settings: Settings, system: Path = machine.SYSTEM) -> Health:
    """`system`: the root of the kernel's files; tests give another."""
    state = collect(settings)
    at = parse_rfc3339(str(state["at"]))
    bits = machine.throttled(system)
    outbox, hotlist = as_table(state["outbox"]), as_table(state["hotlist"])
    age_h = hotlist.get("age_hours")
    stale = hotlist.get("stale_after")
    waiting, most = outbox.get("waiting"), outbox.get("most")
    watch = _watch(state)
    told = [*_PARTS, *(["bundles"] if watch.get("problem") else [])]
    return Health(
        settings.camera_id,
        agent.__version__,
        at,
        _alarms(as_table(state["camera_health"])),
        machine.temperature(system),
        None if bits is None else bool(bits & _NOW),
        None if bits is None else bool(bits & _SINCE_START),
        age_h if isinstance(age_h, float) else None,
        at > parse_rfc3339(stale) if isinstance(stale, str) else None,
        waiting / most if isinstance(waiting, int) and isinstance(most, int) else None,
        _away(as_table(state["delivery"])),
        _lapsed(watch),
        _in_force(state, watch),
        tuple(part for part in told if part == "bundles" or as_table(state[part]).get("problem")),
    )


def _watch(state: Mapping[str, object]) -> Mapping[str, object]:
    """What watch obeys; empty on a rig with an unsigned folder."""
    return as_table(as_table(state.get("processes")).get("watch"))


def _alarms(camera: Mapping[str, object]) -> frozenset[Alarm] | None:
    if "alarms" not in camera:
        return None
    return frozenset(alarm for alarm in Alarm if alarm in as_table(camera["alarms"]))


def _away(delivery: Mapping[str, object]) -> int | None:
    links = delivery.get("links")
    if not isinstance(links, list):
        return None
    return sum(not as_table(link).get("connected") for link in links)


def _lapsed(watch: Mapping[str, object]) -> int | None:
    lapses = as_table(watch.get("bundles")).get("lapses")
    return len(lapses) if isinstance(lapses, list) else None


def _in_force(state: Mapping[str, object], watch: Mapping[str, object]) -> bool | None:
    policy = as_table(watch.get("policy") if state["enrolled"] else state["unsigned_policy"])
    said = policy.get("in_force")
    return said if isinstance(said, bool) else None
