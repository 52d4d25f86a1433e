"""A camera's health in a few coarse numbers, as JSON and as Prometheus' text format.

No plate, no count of sightings, nothing that tells when a vehicle passed: whoever reads them may
read a network that watch has not.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.core.camera.camera_event import Alarm

DEGREES = 5  # steps of the temperature
TENTHS = 10  # steps of how full the outbox is
_PREFIX = "platewarden"


@dataclass(frozen=True, slots=True)
class Health:
    """`alarms`: the standing ones; None: watch has not said. `temperature_c`: of the processor.
    `throttled`, `throttled_since_start`: is its power or clock cut. `hotlist_age_h`,
    `hotlist_stale`: of the list in force. `outbox_filled`: 0–1. `brokers_away`: listed, and out of
    reach. `lapsed`: roles of the bundles that have. `policy_in_force`: as watch obeys it. None:
    not known. `problems`: the parts that could not be read, by name.
    """

    camera: str
    version: str
    at: datetime
    alarms: frozenset[Alarm] | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    throttled_since_start: bool | None = None
    hotlist_age_h: float | None = None
    hotlist_stale: bool | None = None
    outbox_filled: float | None = None
    brokers_away: int | None = None
    lapsed: int | None = None
    policy_in_force: bool | None = None
    problems: tuple[str, ...] = field(default=())


def coarse(health: Health) -> dict[str, object]:
    """In steps: an hour, five degrees, a tenth of the outbox. What is not known is null."""
    temperature, age = health.temperature_c, health.hotlist_age_h
    filled = health.outbox_filled
    return {
        "camera": health.camera,
        "version": health.version,
        "at": health.at.strftime("%Y-%m-%dT%H:00:00Z"),
        "alarms": None if health.alarms is None else sorted(health.alarms),
        "temperature_c": None if temperature is None else round(temperature / DEGREES) * DEGREES,
        "throttled": health.throttled,
        "throttled_since_start": health.throttled_since_start,
        "hotlist_age_h": None if age is None else int(age),
        "hotlist_stale": health.hotlist_stale,
        "outbox_filled": None if filled is None else int(min(filled, 1.0) * TENTHS) / TENTHS,
        "brokers_away": health.brokers_away,
        "lapsed": health.lapsed,
        "policy_in_force": health.policy_in_force,
        "problems": sorted(health.problems),
    }


def as_json(health: Health) -> str:
    """One line."""
    return json.dumps(coarse(health))


# name of the metric → (member of `coarse`, what it is)
_GAUGES = {
    "temperature_celsius": ("temperature_c", f"Of the processor, to {DEGREES} degrees."),
    "throttled": ("throttled", "1 while the firmware cuts power or clock."),
    "throttled_since_start": ("throttled_since_start", "1 if it did since the last start."),
    "hotlist_age_hours": ("hotlist_age_h", "Of the hot list in force, whole hours."),
    "hotlist_stale": ("hotlist_stale", "1 when the list is too old to match."),
    "outbox_filled_ratio": ("outbox_filled", "Of the reads that fit, in tenths."),
    "brokers_away": ("brokers_away", "Listed brokers out of reach."),
    "bundle_roles_lapsed": ("lapsed", "Roles of the city's bundles that have lapsed."),
    "policy_in_force": ("policy_in_force", "1 while a policy is in force."),
}


def as_prometheus(health: Health) -> str:
    """Text format 0.0.4, as node_exporter's textfile collector reads it. What is not known is
    left out, and its part named.
    """
    return "".join(f"{line}\n" for line in _lines(health))


def _lines(health: Health) -> Iterator[str]:
    table = coarse(health)
    info = {"camera": health.camera, "version": health.version}
    yield from _metric("info", "Which camera, which version.", [(info, 1)])
    hour = health.at.replace(minute=0, second=0, microsecond=0)
    yield from _metric("health_time_seconds", "When this was told, to the hour.", [
        ({}, int(hour.timestamp()))
    ])  # fmt: skip
    if health.alarms is not None:
        standing = [({"alarm": str(alarm)}, int(alarm in health.alarms)) for alarm in Alarm]
        yield from _metric("camera_alarm", "1 while the alarm stands.", standing)
    for name, (member, told) in _GAUGES.items():
        value = table[member]
        if isinstance(value, int | float):  # a bool too: 0 or 1
            yield from _metric(name, told, [({}, value)])
    problems = [({"part": part}, 1) for part in sorted(health.problems)]
    if problems:
        yield from _metric("unknown", "1 for a part that could not be read.", problems)


def _metric(
    name: str, told: str, samples: Sequence[tuple[Mapping[str, str], int | float]]
) -> Iterator[str]:
    full = f"{_PREFIX}_{name}"
    yield f"# HELP {full} {told}"
    yield f"# TYPE {full} gauge"
    for labels, value in samples:
        named = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{full}{{{named}}} {value + 0}" if named else f"{full} {value + 0}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
