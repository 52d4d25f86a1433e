"""Looks at what a camera obeys and for how long: enrolment, keys, bundles, policy, hot list, clock.

Reads only; nothing is taken in.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.generation import Stops
from agent.bundles.generation_store import BundleStore
from agent.bundles.layout import HOTLIST
from agent.core.camera import hotlist_facts
from agent.core.camera.diagnosis_findings import (
    Finding,
    Health,
    fail,
    failed,
    ok,
    skip,
    until,
    warn,
)
from agent.core.policy.barring import barred
from agent.core.policy.camera_roster import require_camera
from agent.core.policy.policy import require_in_force
from agent.core.time.instant import ClockTrust
from agent.disk.atomic_file import read_bounded
from agent.doctor import keys
from agent.errors import EnvelopeRefusedError, PlatewardenError, PolicyRefusedError
from agent.host.clock import LinuxMachine, SystemClock, TrustedClock
from agent.sides.signed_city import BUNDLES, key_reach, sentence
from agent.values import dataclass
from agent.verifying.roster_check import parse_root, verify_roster

if TYPE_CHECKING:
    from pathlib import Path

    from agent.bundles.generation import Generation
    from agent.core.policy.policy import Policy
    from agent.core.time.instant import Instant
    from agent.core.wire.device_public import DevicePublic
    from agent.host.clock import Machine
    from agent.settings import Settings

# How soon before its end to warn: of what a person renews, and of what the city's server renews
# every day.
SOON, SOON_ONLINE = timedelta(days=14), timedelta(hours=24)
ONLINE = frozenset({"timestamp", "snapshot"})
PROCESSES = ("watch", "deliver")
UPDATE = (
    "sudo -u platewarden-update platewarden update (or copy a stick); "
    "platewarden status says what was refused"
)
ROOT = "sudo platewarden doctor"


@dataclass(frozen=True, slots=True)
class Trust:
    """`closed`: why the sensor must stay closed, or None; `digest`: of the policy in force, hex, or
    None.
    """

    findings: list[Finding]
    closed: str | None
    digest: str | None


def look(settings: Settings, *, allow_unsigned: bool, machine: Machine | None = None) -> Trust:
    """Everything, in the order in which an installer mends it. `machine`: tests give another."""
    enrolled = settings.anchor.exists()
    findings = [enrolment(settings, allow_unsigned=allow_unsigned)]
    generations: dict[str, Generation] = {}
    if enrolled:
        for process in PROCESSES:
            generation, found = verified(settings, process)
            if generation is not None:
                generations[process] = generation
            elif found is not None:
                findings.append(found)
    newest = max(generations.values(), key=lambda one: one.issued, default=None)
    now, clock_found = clock(settings, newest, machine)
    found_keys, public = keys.look(
        settings.device, settings.camera_id, now.utc, enrolled=enrolled or not allow_unsigned
    )
    findings = [findings[0], *found_keys, *findings[1:], clock_found]
    if newest is not None:
        findings += bundles(newest, now.utc)
    if newest:
        city = CityFolder(newest.city)
    elif allow_unsigned and not enrolled:
        city = CityFolder(settings.city)
    else:
        return Trust(
            [*findings, skip("policy", "none is in force, so it was not looked at")], None, None
        )
    more, closed, digest = obeyed(settings, city, now, public, signed=newest is not None)
    return Trust(
        [*findings, *more, hotlist(settings, now.utc)] if newest else [*findings, *more],
        closed,
        digest,
    )


def enrolment(settings: Settings, *, allow_unsigned: bool) -> Finding:
    """Is there a root that everything leads back to?"""
    if settings.anchor.exists():
        return ok("enrolment", f"the city's root is {settings.anchor}")
    if allow_unsigned:
        return warn(
            "enrolment",
            "none: a rig with an unsigned policy",
            "an installed camera is enrolled: docs/ref/enrolment.md",
        )
    what = (
        f"this camera obeys no city yet ({settings.anchor} is missing): "
        "watch and deliver refuse to start"
    )
    return fail(
        "enrolment",
        what,
        "sudo platewarden provision --anchor 1.root.json, "
        "with the file that the city's clerk gives",
    )


def verified(settings: Settings, process: str) -> tuple[Generation | None, Finding | None]:
    """What one process has verified for itself, or why it cannot be told."""
    name, folder = f"bundles {process}", settings.state / process
    if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
        return None, skip(name, f"{folder} cannot be read by this user", ROOT)
    try:
        generation = BundleStore(
            folder / BUNDLES, settings.anchor, settings.limits, rig=settings.rig
        ).current()
    except PlatewardenError as error:
        return None, failed(name, error)
    if generation is None:
        return None, fail(
            name, f"{process} has verified no bundles yet", f"{UPDATE}; {process} must run"
        )
    return generation, None


def clock(
    settings: Settings, generation: Generation | None, machine: Machine | None = None
) -> tuple[Instant, Finding]:
    """As watch's own clock would judge now; it is not written down."""
    fix = (
        "sudo timedatectl set-ntp true and a time server that this network reaches, "
        "or a battery-backed clock; docs/ref/time.md"
    )
    if generation is None:
        look, now = (machine or LinuxMachine()).look(), SystemClock().now()
        if now.trust is ClockTrust.UNTRUSTED:
            return now, fail(
                "clock",
                f"it says {now.utc:%Y-%m-%d %H:%M} UTC, before this software was built",
                fix,
            )
        if look.synchronised or look.rtc:
            how = "synchronised" if look.synchronised else "agrees with the battery-backed one"
            return now, ok(
                "clock",
                f"{how}; {now.utc:%Y-%m-%d %H:%M} UTC. It will be trusted once bundles have come",
            )
        return now, warn(
            "clock",
            f"it says {now.utc:%Y-%m-%d %H:%M} UTC, and nobody vouches for it: "
            "an enrolled camera would release nothing",
            fix,
        )
    trusted = TrustedClock(_readable(settings), machine, keep=False)
    trusted.signed_time(generation.issued, generation.expiry["timestamp"])
    now = trusted.now()
    good = now.trust is ClockTrust.TRUSTED
    return now, ok("clock", trusted.explain()) if good else fail("clock", trusted.explain(), fix)


def bundles(generation: Generation, now: datetime) -> list[Finding]:
    """What has lapsed, and what ends first."""
    told = f"of {generation.facts.city.name}, issued {generation.issued:%Y-%m-%d %H:%M} UTC"
    lapses = generation.lapsed(now)
    if lapses:
        return [
            Finding(
                "bundles",
                Health.FAIL if lapse.stops is Stops.EVERYTHING else Health.WARN,
                f"{sentence(lapse)}; stops: {lapse.stops}",
                UPDATE,
            )
            for lapse in lapses
        ]
    ends = [
        until(
            "bundles",
            f"{role}, version {generation.versions[role]}, holds",
            moment,
            now,
            _soon(role),
            UPDATE,
        )
        for role, moment in generation.expiry.items()
    ]
    soon = [finding for finding in ends if finding.health is not Health.OK]
    return soon or [
        ok(
            "bundles",
            f"{told}; "
            f"the first to end is {min(generation.expiry.items(), key=lambda item: item[1])[0]}, "
            f"{min(generation.expiry.values()):%Y-%m-%d %H:%M} UTC",
        )
    ]


def obeyed(
    settings: Settings, city: CityFolder, now: Instant, public: DevicePublic | None, *, signed: bool
) -> tuple[list[Finding], str | None, str | None]:
    """Policy, then whether the roster enrols this camera.

    Also why the sensor must stay closed, and the policy's digest.
    """
    renew = "ask the city's clerk for the next policy"
    try:
        policy, roster = city.obeyed()
        require_in_force(policy, now)
    except PlatewardenError as error:
        return [failed("policy", error, renew)], None, None
    told = f"{policy.name}, version {policy.version}{'' if signed else ', unsigned'}, in force"
    ends = datetime.combine(policy.expires, time(), UTC)
    findings = [until("policy", told, ends, now.utc, SOON, renew)]
    try:
        require_camera(policy, roster, settings.camera_id)
    except PolicyRefusedError as error:
        return [*findings, failed("camera's place", error)], error.what, policy.digest
    bar = barred(policy.barred, settings.camera_id, now.utc)
    if signed:
        findings.append(in_roster(settings, city, public))
    findings += sealable(city, policy, now.utc)
    return findings, f"the city bars this hour: {bar.why}" if bar else None, policy.digest


def sealable(city: CityFolder, policy: Policy, now: datetime) -> list[Finding]:
    """Until when reads can be sealed to each recipient: its keys less the retention."""
    found = []
    for one in key_reach(city, policy, now.date()):
        name = f"keys of {one.recipient}"
        fix = (
            f"{one.recipient} makes new keys (platewarden receiver keys), and the clerk signs them"
        )
        if one.fault:
            found.append(Finding(name, Health.FAIL, one.fault, fix, 3))
        for reach in one.reach:
            if reach.until is None:
                found.append(Finding(name, Health.FAIL, reach.told(), fix, 3))
            elif reach.ends_soon(now.date()):
                found.append(warn(name, reach.told(), fix))
            else:
                found.append(ok(name, reach.told()))
    return found


def in_roster(settings: Settings, city: CityFolder, public: DevicePublic | None) -> Finding:
    """Does the signed roster know exactly these keys?

    Otherwise no receiver accepts a read, and no list opens.
    """
    fix = "send device/enrolment.json to the clerk, who enrols it: docs/ref/enrolment.md"
    if public is None:
        return skip("roster", "without this camera's public keys nothing can be compared")
    try:
        roster = verify_roster(city.roster(), parse_root(city.root()))
    except PlatewardenError as error:
        return failed("roster", error)
    key = roster.devices.get(settings.camera_id)
    if key is None:
        return Finding(
            "roster",
            Health.FAIL,
            f"the signed roster does not enrol {settings.camera_id!r}",
            fix,
            3,
        )
    if key != public.seal or roster.logs.get(
        settings.camera_id, (public.watch_log, public.deliver_log)
    ) != (public.watch_log, public.deliver_log):
        return Finding(
            "roster", Health.FAIL, "the signed roster enrols other keys for this camera", fix, 3
        )
    return ok("roster", f"enrolled with these keys, as of {roster.issued_at:%Y-%m-%d}")


def hotlist(settings: Settings, now: datetime) -> Finding:
    """The age of the list that watch last opened; the list itself is not opened here."""
    name, path = "hot list", settings.state / "watch" / hotlist_facts.NAME
    fix = (
        "the agency publishes one every day (`hotlist publish`): ask them; then platewarden update"
    )
    if not os.access(path.parent, os.R_OK | os.X_OK):
        return skip(name, "watch's folder cannot be read by this user", ROOT)
    if not path.exists():
        return skip(name, "watch has not opened one yet", "start watch, then look again")
    try:
        facts = hotlist_facts.parse_facts(read_bounded(path, hotlist_facts.MAX_BYTES))
    except EnvelopeRefusedError:
        return fail(name, f"{path} cannot be understood", "start watch again: it writes it anew")
    except PlatewardenError as error:
        return failed(name, error)
    if facts.as_of is None:
        return fail(name, hotlist_facts.NONE, fix)
    return until(
        name,
        f"made {facts.as_of:%Y-%m-%d %H:%M} UTC, raises leads",
        facts.stale_after,
        now,
        SOON_ONLINE,
        fix,
    )


def _soon(role: str) -> timedelta:
    return SOON_ONLINE if role in ONLINE or role == HOTLIST else SOON


def _readable(settings: Settings) -> Path:
    """Watch's folder; deliver's where this user may not look into watch's."""
    return next(
        (
            settings.state / process
            for process in PROCESSES
            if os.access(settings.state / process, os.R_OK | os.X_OK)
        ),
        settings.state / PROCESSES[0],
    )
