"""Holds a policy, as written, against a jurisdiction's facts; each finding carries the fact's own
words, its citation and how sure it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.judging.check.charter_check import days_written
from agent.core.judging.check.finding import Because, Finding, at
from agent.core.policy.barring import barred_always
from agent.core.policy.camera_roster import MAX_CAMERAS
from agent.core.policy.schema.tables import names, raw
from agent.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from agent.core.policy.barring import Bar
    from agent.core.policy.camera_roster import CameraRoster, RosterCamera
    from agent.core.policy.jurisdiction import Fact, Profile
    from agent.core.text.toml_document import Document

COUNSEL = "ask counsel; the facts are not advice"


def against_law(
    policy: Document,
    profile: Profile,
    roster: CameraRoster | None,
    roster_document: Document | None,
    bars: tuple[Bar, ...],
    today: date,
) -> Iterator[Finding]:
    """Everything in the policy that a fact of the profile forbids on that day.

    `bars`: of charter and policy, with kinds of place looked up.
    """
    yield from _kinds_not_told(policy, profile)
    for fact in profile.facts:
        for what, fix, code in _to_read(profile, fact, today):
            note = because(profile, fact, code, note=True)
            yield at(policy, ("jurisdiction",), what, fix, note)
        if fact.local or not fact.law_on(today):
            continue
        yield from _recipients(policy, profile, fact)
        yield from _purposes(policy, profile, fact)
        yield from _retention(policy, profile, fact)
        yield from _hotlist(policy, profile, fact)
        if roster is None or roster_document is None:
            yield from _cameras_unknown(policy, profile, fact)
        else:
            yield from _cameras(roster_document, profile, fact, roster, bars)


def because(profile: Profile, fact: Fact, code: Reason, *, note: bool = False) -> Because:
    """The fact as the reason of a finding."""
    sure = "confirmed" if fact.confirmed else "not confirmed"
    return Because(
        code,
        fact.says,
        f"{fact.citation} ({profile.where}:{fact.line}, read {fact.read}, {sure})",
        fact.confirmed,
        note,
    )


def _kinds_not_told(policy: Document, profile: Profile) -> Iterator[Finding]:
    """A recipient without a kind could be one that is forbidden: what is not told is not
    permitted.
    """
    fact = next(
        (fact for fact in profile.facts if fact.forbidden_kinds or fact.conditional_kinds), None
    )
    if fact is None:
        return
    for path, table in raw(policy, "recipient"):
        if "kind" not in table:
            what = f"does not tell its kind, and kinds of recipients are limited in {profile.name}"
            yield at(
                policy,
                (*path, "kind"),
                what,
                "add kind",
                because(profile, fact, Reason.JURISDICTION_FORBIDS_RECIPIENT),
            )


def _recipients(policy: Document, profile: Profile, fact: Fact) -> Iterator[Finding]:
    for path, table in raw(policy, "recipient"):
        for place, kind in names(path, table, "kind"):
            if kind in fact.forbidden_kinds:
                what = f'a recipient of kind "{kind}" may not have reads in {profile.name}'
                yield at(
                    policy,
                    place,
                    what,
                    f"remove the recipient, or {COUNSEL}",
                    because(profile, fact, Reason.JURISDICTION_FORBIDS_RECIPIENT),
                )
            elif kind in fact.conditional_kinds:
                what = f'a recipient of kind "{kind}" needs more than this file in {profile.name}'
                yield at(
                    policy,
                    place,
                    what,
                    "keep the proof with the basis",
                    because(profile, fact, Reason.JURISDICTION_FORBIDS_RECIPIENT, note=True),
                )


def _purposes(policy: Document, profile: Profile, fact: Fact) -> Iterator[Finding]:
    for path, table in raw(policy, "release"):
        for place, purpose in names(path, table, "purpose"):
            if purpose in fact.forbidden_purposes:
                what = f'the purpose "{purpose}" is forbidden in {profile.name}'
                fix = f"remove the rule, or {COUNSEL}"
            elif fact.permitted_purposes and purpose not in fact.permitted_purposes:
                what = (
                    f"{purpose[:64]!a} is not among the purposes that are permitted "
                    f"in {profile.name}"
                )
                fix = f"one of: {', '.join(sorted(fact.permitted_purposes))}"
            else:
                continue
            yield at(
                policy,
                place,
                what,
                fix,
                because(profile, fact, Reason.JURISDICTION_FORBIDS_PURPOSE),
            )


def _retention(policy: Document, profile: Profile, fact: Fact) -> Iterator[Finding]:
    cap = fact.max_retention_days
    for path, table in raw(policy, "release") if cap is not None else ():
        days = days_written(table.get("retention"))
        if days is not None and cap is not None and days > cap:
            what = f"{days} days are longer than {profile.name} allows"
            fix = f'at most "{cap}d"' if cap > 1 else "no whole day is allowed"
            yield at(
                policy,
                (*path, "retention"),
                what,
                fix,
                because(profile, fact, Reason.JURISDICTION_RETENTION),
            )


def _hotlist(policy: Document, profile: Profile, fact: Fact) -> Iterator[Finding]:
    limits, cap = policy.table.get("hotlist", {}), fact.max_hotlist_age_hours
    hours = limits.get("max_age_hours") if isinstance(limits, dict) else None
    if cap is not None and type(hours) is int and hours > cap:
        what = f"a list may be {hours} hours old, and {profile.name} allows {cap}"
        yield at(
            policy,
            ("hotlist", "max_age_hours"),
            what,
            f"at most {cap}",
            because(profile, fact, Reason.JURISDICTION_HOTLIST_AGE),
        )


def _to_read(profile: Profile, fact: Fact, today: date) -> Iterator[tuple[str, str, Reason]]:
    """What of a fact no file here can show or break: what it says, the next step, the code.

    Law that comes is told, law that has ended is not. Whose cameras a policy is for, the file does
    not say: so a local law is for people to read.
    """
    if not fact.law_on(today):
        if fact.since is not None and fact.since > today:
            what = f"from {fact.since} on, more holds in {profile.name}"
            yield what, "check again then", Reason.JURISDICTION_CHANGES
        return
    if fact.before_use is not None:
        what = f"{profile.name} asks for {fact.before_use} before cameras run"
        fix = "keep the proof on record: no file here can show it"
        yield what, fix, Reason.JURISDICTION_BEFORE_USE
    if fact.local:
        fix = f"if the cameras are there, it holds; {COUNSEL}"
        yield f"{fact.local} has a law of its own", fix, Reason.JURISDICTION_LOCAL_LAW


def _cameras_unknown(policy: Document, profile: Profile, fact: Fact) -> Iterator[Finding]:
    """Without a roster nobody can show that no camera stands where none may."""
    if fact.fixed_cameras == "forbidden" or fact.protected_places:
        what = (
            f"cameras are limited in {profile.name}, and there is no roster to tell which there are"
        )
        yield at(
            policy,
            ("jurisdiction",),
            what,
            "put roster.toml beside the policy, or give --roster",
            because(profile, fact, Reason.JURISDICTION_FORBIDS_CAMERA),
        )


def _cameras(
    roster_document: Document,
    profile: Profile,
    fact: Fact,
    roster: CameraRoster,
    bars: tuple[Bar, ...],
) -> Iterator[Finding]:
    if not fact.fixed_cameras and not fact.protected_places:
        return
    for index, camera in _places(roster_document, roster):
        yield from _fixed(roster_document, profile, fact, index, camera)
        near = sorted(camera.near & fact.protected_places)
        if near and barred_always(bars, camera.id) is None:
            source = because(profile, fact, Reason.JURISDICTION_FORBIDS_CAMERA)
            what = f"a camera near {' and '.join(near)} may not collect in {profile.name}"
            yield at(
                roster_document,
                ("camera", index, "near"),
                what,
                "bar it at all hours by [[barred]], or move it",
                source,
            )


def _fixed(
    roster_document: Document, profile: Profile, fact: Fact, index: int, camera: RosterCamera
) -> Iterator[Finding]:
    """Where a fixed camera may not stand, or needs a permit; what the roster does not tell of its
    ground counts as the ground that is meant.
    """
    if not fact.fixed_cameras or camera.mount != "fixed":
        return
    if fact.roads and camera.road is not None and camera.road not in fact.roads:
        return
    roads = " or ".join(sorted(fact.roads))
    forbidden = fact.fixed_cameras == "forbidden"
    source = because(profile, fact, Reason.JURISDICTION_FORBIDS_CAMERA, note=not forbidden)
    if not forbidden:
        field, what = "mount", f"a fixed camera may need a permit in {profile.name}"
        fix = "keep the permit on record"
    elif fact.roads and camera.road is None:
        field = "road"
        what = f"may stand on {roads}, where no fixed camera may be in {profile.name}"
        fix = 'say where it stands: road = "state-right-of-way" or "other"'
    else:
        where = f"on {roads} " if roads else ""
        field, what = "mount", f"fixed cameras are not allowed {where}in {profile.name}"
        fix = f"remove it, or {COUNSEL}"
    yield at(roster_document, ("camera", index, field), what, fix, source)


def _places(roster_document: Document, roster: CameraRoster) -> Iterator[tuple[int, RosterCamera]]:
    """The well-formed cameras with their index in the file."""
    for (_, index), table in raw(roster_document, "camera", MAX_CAMERAS):
        camera = roster.cameras.get(table["id"]) if isinstance(table.get("id"), str) else None
        if camera is not None and isinstance(index, int):
            yield index, camera
