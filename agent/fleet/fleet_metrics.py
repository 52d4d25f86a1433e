"""A city's cameras as Prometheus' text, for node_exporter's textfile collector: how many there are,
what is wrong with how many, and of each camera when it was heard and whom it waits for.
"""

from collections.abc import Iterable, Iterator, Sequence

from agent.core.text.prometheus import Sample, gauge
from agent.fleet.camera_troubles import Who
from agent.fleet.fleet_census import Brief
from agent.fleet.fleet_view import Fleet

_PREFIX = "platewarden_fleet"


def as_prometheus(fleet: Fleet, each: Iterable[Brief] = ()) -> str:
    """Text format 0.0.4. `each`: every camera."""
    return "".join(f"{line}\n" for line in _lines(fleet, tuple(each)))


def _lines(fleet: Fleet, each: Sequence[Brief]) -> Iterator[str]:
    counts = fleet.counts
    yield from _metric("cameras", "Of the roster, by who must act.", [
        ({"who": who.name.lower()}, fleet.count(who)) for who in Who
    ])  # fmt: skip
    yield from _metric("trouble_cameras", "Cameras with this trouble.", [
        ({"trouble": code}, count) for code, count in sorted(counts.troubles.items())
    ])  # fmt: skip
    yield from _metric("version_cameras", "Cameras that run this version.", [
        ({"version": version}, count) for version, count in sorted(counts.versions.items())
    ])  # fmt: skip
    yield from _metric("policy_cameras", "Cameras that obey this version of the policy.", [
        ({"policy": str(version)}, count) for version, count in counts.policies.items()
    ])  # fmt: skip
    yield from _metric("strangers", "Messages under names that are no camera's.", [
        ({}, fleet.strangers)
    ])  # fmt: skip
    yield from _metric("heard_seconds", "When a camera's newest message came.", [
        ({"camera": one.name}, one.heard_s) for one in each if one.heard_s is not None
    ])  # fmt: skip
    yield from _metric("who", "0: it needs a ladder; 1: the desk; 2: nobody.", [
        ({"camera": one.name}, int(one.who)) for one in each
    ])  # fmt: skip
    yield from _metric("missed_messages", "Numbers of a camera's that never came.", [
        ({"camera": one.name}, one.missed) for one in each if one.missed
    ])  # fmt: skip


def _metric(name: str, told: str, samples: Iterable[Sample]) -> Iterator[str]:
    return gauge(f"{_PREFIX}_{name}", told, samples)
