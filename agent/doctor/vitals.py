"""Gathers a camera's health in coarse numbers: from what `status` reads, and from the kernel.

Reads only. What a part does not tell is missing, and named.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import agent
from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_report import NOW_BITS, SINCE_START_BITS, Health
from agent.core.camera.health.watch_facts import WatchFacts
from agent.core.text.rfc3339 import parse_rfc3339
from agent.core.time.instant import ClockTrust
from agent.doctor import machine
from agent.errors import PlatewardenError
from agent.host import board
from agent.settings import Settings
from agent.sides.camera_state import as_table, collect
from agent.storage.health.watch_health import silent_h, told_by_watch
from agent.storage.mailbox import HEALTH

_PARTS = ("camera_health", "hotlist", "outbox", "delivery")


def vitals(settings: Settings, system: Path = board.SYSTEM) -> Health:
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
    said, unread = _said(settings)
    return Health(
        settings.camera_id,
        agent.__version__,
        at,
        _alarms(as_table(state["camera_health"])),
        board.temperature(system),
        None if bits is None else bool(bits & NOW_BITS),
        None if bits is None else bool(bits & SINCE_START_BITS),
        age_h if isinstance(age_h, float) else None,
        at > parse_rfc3339(stale) if isinstance(stale, str) else None,
        waiting / most if isinstance(waiting, int) and isinstance(most, int) else None,
        _away(as_table(state["delivery"])),
        _lapsed(watch),
        _in_force(state, watch),
        (
            *(part for part in told if part == "bundles" or as_table(state[part]).get("problem")),
            *unread,
        ),
        policy_version=_version(state, watch),
        policy_age_h=_age_h(watch, at),
        clock=_clock(watch),
        closed=said.closed if said else None,
        watch_silent_h=silent_h(said, at),
        reading=said.reading if said else None,
    )


def _said(settings: Settings) -> tuple[WatchFacts | None, tuple[str, ...]]:
    """What watch told of itself, and the parts that could not be read."""
    try:
        return told_by_watch(settings.outbox / HEALTH), ()
    except PlatewardenError:
        return None, ("watch",)


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


def _version(state: Mapping[str, object], watch: Mapping[str, object]) -> int | None:
    said = _policy(state, watch).get("version")
    return said if isinstance(said, int) else None


def _age_h(watch: Mapping[str, object], at: datetime) -> float | None:
    issued = as_table(watch.get("bundles")).get("issued")
    if not isinstance(issued, str):
        return None
    return (at - parse_rfc3339(issued)).total_seconds() / 3_600


def _clock(watch: Mapping[str, object]) -> ClockTrust | None:
    said = as_table(watch.get("clock")).get("trust")
    return ClockTrust(said) if isinstance(said, str) else None


def _policy(state: Mapping[str, object], watch: Mapping[str, object]) -> Mapping[str, object]:
    return as_table(watch.get("policy") if state["enrolled"] else state["unsigned_policy"])


def _in_force(state: Mapping[str, object], watch: Mapping[str, object]) -> bool | None:
    said = _policy(state, watch).get("in_force")
    return said if isinstance(said, bool) else None
