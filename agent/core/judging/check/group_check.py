"""Holds brokers' groups against the roster: groups that no camera is of, cameras that no broker
serves, and rules whose recipient some cameras' brokers do not carry (docs/ref/policy-check.md).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from agent.core.judging.check.finding import Because, Finding, at
from agent.core.policy.camera_roster import MAX_CAMERAS, served_by
from agent.core.policy.schema.tables import names, raw
from agent.core.reasons import Reason
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.core.policy.camera_roster import CameraRoster
    from agent.core.policy.policy import Policy
    from agent.core.text.toml_document import Document

_WHY = "A camera reaches the brokers of its own group and those of every group, and no other."
_FIX = "correct the group in roster.toml, or the [[broker]]'s groups"


def against_groups(
    document: Document, policy: Policy | None, roster: CameraRoster, roster_document: Document
) -> Iterator[Finding]:
    """Nothing where no broker is for groups. `policy`: None where it is malformed."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for camera in roster.cameras.values():
        members[camera.group].append(camera.id)
    source = f"{roster.where}, [[camera]]"
    for path, table in raw(document, "broker"):
        for place, group in names(path, table, "groups"):
            if group not in members:
                told = Because(Reason.GROUP_NOT_IN_ROSTER, _WHY, source)
                yield at(document, place, f"no camera is of group {group[:64]!a}", _FIX, told)
    if policy is not None and any(broker.groups for broker in policy.brokers):
        policy = replace(policy, brokers=served_by(policy, roster))
        yield from _unheard(policy, members, roster_document)
        yield from _uncarried(document, policy, members, source)


def _unheard(
    policy: Policy, members: Mapping[str, list[str]], roster_document: Document
) -> Iterator[Finding]:
    """Cameras without any broker, one finding a group: one camera of it speaks for all."""
    places = {
        table["id"]: path
        for path, table in reversed(tuple(raw(roster_document, "camera", MAX_CAMERAS)))
        if isinstance(table.get("id"), str)
    }
    because = Because(Reason.NO_BROKER_FOR_CAMERA, _WHY, "docs/ref/policy.md, [[broker]]")
    for group, cameras in members.items():
        if not policy.brokers_of(cameras[0]):
            what = f"{_who(group, cameras)}: no broker is for this group, so nobody hears from it"
            yield at(roster_document, (*places[cameras[0]], "id"), what, _FIX, because)


def _uncarried(
    document: Document, policy: Policy, members: Mapping[str, list[str]], source: str
) -> Iterator[Finding]:
    """Rules that release nothing at some cameras, because none of their brokers carries it."""
    paths = {table.get("rule"): path for path, table in raw(document, "release")}
    because = Because(Reason.NO_BROKER_FOR_RECIPIENT, _WHY, source, note=True)
    for rule in policy.releases:
        for group, cameras in members.items():
            if policy.served(rule.recipient, cameras[0]):
                continue
            if left_out := [camera for camera in cameras if rule.at(camera)]:
                what = f"{_who(group, left_out)}: no broker carries this rule's reads from there"
                yield at(document, (*paths[rule.rule], "recipient"), what, "", because)


def _who(group: str, cameras: list[str]) -> str:
    few = ", ".join(cameras[:3]) + (", …" if len(cameras) > 3 else "")
    return f"{len(cameras)} of {f'group {group!a}' if group else 'no group'} ({few})"
