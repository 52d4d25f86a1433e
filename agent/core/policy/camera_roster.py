"""The cameras' roster, roster.toml: which cameras the city has, where they stand, what is near and
which group each is of; and what that makes of a policy's bars and brokers.

It says nothing of keys: those are in the signed roster of enrolled cameras
(`verifying/roster_check.py`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from agent.core.policy.barring import Bar, barred_always
from agent.core.policy.schema.fields import Identifier, Line, Place, Road
from agent.core.reasons import Reason
from agent.core.text.schema.notes import Length
from agent.core.text.schema.section import Section, made
from agent.core.text.toml_blocks import open_blocks
from agent.errors import PolicyRefusedError
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.policy.charter import Charter
    from agent.core.policy.policy import Broker, Policy
    from agent.core.text.toml_document import Document

MAX_CAMERAS = 20_000
MAX_BYTES = 8 * 1024 * 1024  # of roster.toml: 400 bytes for each
Near = Annotated[list[Place], Length(max_length=32)]


class CameraTable(Section):
    """[[camera]]"""

    id: Identifier
    stands: Line
    near: Near
    mount: Literal["fixed", "vehicle"]
    road: Road | None = None
    group: Identifier | None = None


class RosterTable(Section):
    """The whole file; the tables in it are checked one by one."""

    city: Line
    camera: Annotated[list[dict[str, Any]], Length(max_length=MAX_CAMERAS)] = made(
        default_factory=list
    )


@dataclass(frozen=True, slots=True)
class RosterCamera:
    """One camera.

    `stands`: where, for people; `near`: kinds of place; `road`: whose ground it stands on, None
    where the roster does not say. `group`: a district, or whatever brokers are named for; "": none.
    """

    id: str
    stands: str
    near: frozenset[str]
    mount: str
    road: str | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class CameraRoster:
    """A roster as parsed.

    `digest`: lower-case hex SHA-256 of the file's bytes; `where`: its name.
    """

    city: str
    cameras: Mapping[str, RosterCamera]
    digest: str
    where: str

    def near(self, places: frozenset[str]) -> frozenset[str]:
        """The cameras at or near any of these kinds of place."""
        return frozenset(camera.id for camera in self.cameras.values() if camera.near & places)

    def of(self, groups: frozenset[str]) -> frozenset[str]:
        """The cameras of any of these groups."""
        return frozenset(camera.id for camera in self.cameras.values() if camera.group in groups)


def open_roster(untrusted_text: bytes, where: str) -> tuple[Document, CameraRoster]:
    """The document with all its faults, and the roster of what is well-formed in it."""
    document = open_blocks(untrusted_text, where, "camera", MAX_BYTES)
    head = None if document.broken else document.check(RosterTable, document.table)
    listed = document.table.get("camera", [])
    cameras: dict[str, RosterCamera] = {}
    for index, table in enumerate(listed[:MAX_CAMERAS] if isinstance(listed, list) else []):
        checked = (
            document.check(CameraTable, table, ("camera", index))
            if isinstance(table, dict)
            else None
        )
        if checked is None:
            continue
        if checked.id in cameras:
            document.fault(
                ("camera", index, "id"),
                f"{checked.id!r} is there twice",
                "give each camera its own id",
            )
        cameras[checked.id] = RosterCamera(
            checked.id,
            checked.stands,
            frozenset(checked.near),
            checked.mount,
            checked.road,
            checked.group or "",
        )
    return document, CameraRoster(
        head.city if head else "", cameras, hashlib.sha256(untrusted_text).hexdigest(), where
    )


def parse_roster(untrusted_text: bytes, where: str) -> CameraRoster:
    """The roster in a file's bytes.

    Raises ConfigError listing all faults; `where` is the file's name in them.
    """
    document, roster = open_roster(untrusted_text, where)
    document.require_faultless()
    return roster


def in_place(policy: Policy, charter: Charter, roster: CameraRoster) -> Policy:
    """The policy with the charter's bars beside its own, and kinds of place and brokers' groups
    turned into this roster's cameras.

    This is what a camera obeys.
    """
    return looked_up(replace(policy, barred=(*charter.barred, *policy.barred)), roster)


def looked_up(policy: Policy, roster: CameraRoster) -> Policy:
    """The policy with kinds of place and brokers' groups turned into this roster's cameras."""
    return replace(
        policy,
        barred=tuple(look_up(bar, roster) for bar in policy.barred),
        brokers=served_by(policy, roster),
    )


def served_by(policy: Policy, roster: CameraRoster) -> tuple[Broker, ...]:
    """The policy's brokers with their groups turned into the cameras of these."""
    return tuple(
        replace(one, cameras=roster.of(one.groups)) if one.groups else one for one in policy.brokers
    )


def look_up(bar: Bar, roster: CameraRoster) -> Bar:
    """The bar with kinds of place turned into the cameras that stand there."""
    if not bar.places:
        return bar
    return replace(
        bar, cameras=(bar.cameras or frozenset()) | roster.near(bar.places), places=frozenset()
    )


def require_broker(policy: Policy, camera: str) -> None:
    """Refuse a policy whose brokers are all for other groups' cameras: nobody would hear this one.

    Raises PolicyRefusedError. `policy`: as `in_place` made it.
    """
    if policy.brokers and not policy.brokers_of(camera):
        raise PolicyRefusedError(
            Reason.NO_BROKER_FOR_CAMERA,
            f"every [[broker]] is for groups of which camera {camera!r} is none",
            where="policy.toml",
            fix="ask the city to correct its group in roster.toml, or a [[broker]]'s groups",
        )


def require_camera(policy: Policy, roster: CameraRoster, camera: str) -> None:
    """Refuse to open the sensor of a camera that the city has not listed, or has barred at all
    hours.

    Raises PolicyRefusedError.

    `policy`: as `in_place` made it.
    """
    if camera not in roster.cameras:
        raise PolicyRefusedError(
            Reason.CAMERA_NOT_IN_ROSTER,
            f"camera {camera!r} is not in the roster",
            where=roster.where,
            fix="ask the city to list it, or correct camera_id",
        )
    bar = barred_always(policy.barred, camera)
    if bar is not None:
        raise PolicyRefusedError(
            Reason.CAMERA_BARRED,
            f"camera {camera!r} is barred at all hours: {bar.why}",
            where=f"{bar.where}:{bar.line}",
            fix="leave it off, or ask the council",
        )
