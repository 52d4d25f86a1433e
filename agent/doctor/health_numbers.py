"""A camera's health as JSON and as Prometheus' text format: what health_report.py lets be told, and
no more.
"""

import json
from collections.abc import Iterable, Iterator

from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_report import DEGREES, Health, Reading, coarse
from agent.core.text.prometheus import Sample, gauge
from agent.core.time.instant import ClockTrust

_PREFIX = "platewarden"


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
    "policy_version": ("policy_version", "Of the policy in force."),
    "policy_age_hours": ("policy_age_h", "Since the city signed its bundles anew, whole hours."),
    "watch_silent_hours": ("watch_silent_h", "Since watch told of itself, whole hours."),
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
    yield from _states(health)
    for name, (member, told) in _GAUGES.items():
        value = table[member]
        if isinstance(value, int | float):  # a bool too: 0 or 1
            yield from _metric(name, told, [({}, value)])
    problems = [({"part": part}, 1) for part in sorted(health.problems)]
    if problems:
        yield from _metric("unknown", "1 for a part that could not be read.", problems)


def _states(health: Health) -> Iterator[str]:
    """What is one of a few words."""
    for name, told, value, words in (
        ("clock", "1 for how far the clock is trusted.", health.clock, ClockTrust),
        ("reading", "1 for how it reads, held against its charter.", health.reading, Reading),
    ):
        if value is not None:
            samples = [({"state": str(word)}, int(word == value)) for word in words]
            yield from _metric(name, told, samples)
    if health.closed is not None:
        reason = {"reason": str(health.closed)}
        yield from _metric("closed", "1, and why, while watch releases nothing.", [(reason, 1)])


def _metric(name: str, told: str, samples: Iterable[Sample]) -> Iterator[str]:
    return gauge(f"{_PREFIX}_{name}", told, samples)
