"""A city's cameras as Prometheus' text, for node_exporter's textfile collector: how many there are,
what is wrong with how many, and of each camera when it was heard and whom it waits for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from agent.core.text.prometheus import Sample, gauge
from agent.fleet.fleet_view import Fleet, Who

_PREFIX = "platewarden_fleet"


def as_prometheus(fleet: Fleet) -> str:
    """Text format 0.0.4."""
    return "".join(f"{line}\n" for line in _lines(fleet))


def _lines(fleet: Fleet) -> Iterator[str]:
    yield from _metric("cameras", "Of the roster, by who must act.", [
        ({"who": who.name.lower()}, fleet.count(who)) for who in Who
    ])  # fmt: skip
    codes = Counter(one.code for state in fleet.cameras for one in set(state.troubles))
    yield from _metric("trouble_cameras", "Cameras with this trouble.", [
        ({"trouble": code}, count) for code, count in sorted(codes.items())
    ])  # fmt: skip
    yield from _metric("version_cameras", "Cameras that run this version.", [
        ({"version": version}, count) for version, count in sorted(fleet.versions.items())
    ])  # fmt: skip
    yield from _metric("policy_cameras", "Cameras that obey this version of the policy.", [
        ({"policy": str(version)}, count) for version, count in fleet.policies.items()
    ])  # fmt: skip
    yield from _metric("strangers", "Messages under names that are no camera's.", [
        ({}, fleet.strangers)
    ])  # fmt: skip
    yield from _metric("heard_seconds", "When a camera's newest message came.", [
        ({"camera": one.row.name}, one.row.heard_s)
        for one in fleet.cameras if one.row.heard_s is not None
    ])  # fmt: skip
    yield from _metric("who", "0: it needs a ladder; 1: the desk; 2: nobody.", [
        ({"camera": one.row.name}, int(one.who)) for one in fleet.cameras
    ])  # fmt: skip
    yield from _metric("missed_messages", "Numbers of a camera's that never came.", [
        ({"camera": one.row.name}, one.row.missed) for one in fleet.cameras if one.row.missed
    ])  # fmt: skip


def _metric(name: str, told: str, samples: Iterable[Sample]) -> Iterator[str]:
    return gauge(f"{_PREFIX}_{name}", told, samples)
