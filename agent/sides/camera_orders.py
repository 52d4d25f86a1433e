"""What watch obeys, built from a city's files: policy, hot list, recipients' keys.

From verified bundles, or from an unsigned folder on a rig.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_sealed import no_hotlist, open_hotlist
from agent.bundles.layout import HOTLIST, keys_role
from agent.core.log.leaf import LeafKind
from agent.core.policy.camera_roster import require_camera
from agent.core.policy.policy import require_in_force
from agent.core.reasons import Reason, reason_of
from agent.errors import PlatewardenError, PolicyRefusedError
from agent.sealing.hotlist_key import load_hotlist_identity
from agent.sealing.sealer import common_version
from agent.values import dataclass
from agent.verifying.device_public_file import load_device_public
from agent.verifying.key_list_check import verify_key_list
from agent.verifying.roster_check import parse_root, verify_roster

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from agent.core.hotlist.index import HotList
    from agent.core.policy.policy import Policy
    from agent.core.wire.epochs import EpochKeys
    from agent.ports import AuditLog, Clock
    from agent.settings import Settings
    from agent.sides.signed_city import Standing


@dataclass(frozen=True, slots=True)
class Orders:
    """What changes as a whole or not at all.

    `closed`: why nothing may be released although there is a policy, or None.
    """

    policy: Policy
    hotlist: HotList
    keys: Mapping[str, EpochKeys]
    closed: Reason | None = None


def obey(settings: Settings, clock: Clock, log: AuditLog, *, allow_unsigned: bool) -> Policy:
    """The unsigned policy, if the charter allows it, it is in force, this camera is listed and not
    barred, and unsigned ones are accepted here.

    Whoever calls it opens no frame source before: a barred camera's sensor stays closed. A refusal
    is logged before it is raised (P4, P7). Raises PolicyRefusedError and ConfigError.
    """
    try:
        policy, roster = CityFolder(settings.city).obeyed()
        require_in_force(policy, clock.now())
        require_camera(policy, roster, settings.camera_id)
        if not allow_unsigned:
            raise PolicyRefusedError(
                Reason.POLICY_UNSIGNED,
                "the policy is unsigned",
                where=settings.city / "policy.toml",
                fix="enrol this camera (docs/guide/installer.md); "
                "only tests and rigs may give --allow-unsigned",
            )
    except PlatewardenError as error:
        log.append(LeafKind.REFUSAL, {"reason": reason_of(error), "what": f"policy: {error.what}"})
        raise
    return policy


def unsigned_orders(settings: Settings, policy: Policy, today: date, log: AuditLog) -> Orders:
    """From the folder on a rig.

    Raises ConfigError, EnvelopeRefusedError, BundleRefusedError.
    """
    # What reads lists in CSV is a tenth of watch's start, and an enrolled camera has no use for it.
    from agent.bundles.hotlist_file import read_hotlist

    city = CityFolder(settings.city)
    hotlist = read_hotlist(
        settings.city,
        today,
        _categories(policy),
        timedelta(hours=policy.hotlist.max_age_hours),
        city.charter().hotlist,
    )
    _tell_left_out(hotlist, log)
    _tell_doubted(hotlist, log)
    keys = {
        name: verify_key_list(city.key_list(name), name, policy.recipients[name].signing_key)
        for name in _recipients(policy)
    }
    return Orders(policy, hotlist, keys)


def permitted(settings: Settings, standing: Standing) -> Policy:
    """The policy of verified bundles, if their roster lists this camera, not barred at all hours,
    and enrols its key.

    Raises RefusedError, StorageError.

    A camera that was stolen, replaced or taken out of service stops with the next bundles: no
    receiver would accept its reads any more.
    """
    policy, roster = standing.city.obeyed()
    require_camera(policy, roster, settings.camera_id)
    enrolled = verify_roster(standing.city.roster(), parse_root(standing.city.root())).devices.get(
        settings.camera_id
    )
    if enrolled != load_device_public(settings.device).seal:
        what = "enrols another key for this camera" if enrolled else "does not enrol this camera"
        raise PolicyRefusedError(
            Reason.DEVICE_NOT_ENROLLED,
            f"the signed roster {what}",
            where="roster.jws",
            fix="the clerk enrols it: docs/ref/enrolment.md",
        )
    return policy


def signed_orders(
    settings: Settings, standing: Standing, policy: Policy, today: date, log: AuditLog
) -> Orders:
    """From verified bundles.

    A hot list or a key list that cannot be used is logged and left out: only what it carries stops.
    """
    hotlist = no_hotlist(today)
    if not standing.lapsed(HOTLIST):
        try:
            age = timedelta(hours=policy.hotlist.max_age_hours)
            expires = standing.generation.expiry[HOTLIST]
            hotlist = open_hotlist(
                standing.city.folder,
                load_hotlist_identity(settings.device),
                today,
                _categories(policy),
                age,
                expires,
                standing.city.charter().hotlist,
            )
            _tell_left_out(hotlist, log)
        except PlatewardenError as error:
            log.append(
                LeafKind.REFUSAL, {"reason": reason_of(error), "what": f"hot list: {error.what}"}
            )
    keys = {}
    for name in _recipients(policy):
        if standing.lapsed(keys_role(name)):
            continue
        try:
            keys[name] = verify_key_list(
                standing.city.key_list(name), name, policy.recipients[name].signing_key
            )
            common_version(keys[name])  # told now: the first hit may be months away
        except PlatewardenError as error:
            log.append(
                LeafKind.REFUSAL,
                {"reason": reason_of(error), "what": f"key list: {error.what}", "recipient": name},
            )
    return Orders(policy, hotlist, keys, standing.closed)


def _tell_left_out(hotlist: HotList, log: AuditLog) -> None:
    """Whoever publishes leaves these out too: one that comes all the same was slipped in."""
    if hotlist.left_out:
        what = (
            f"hot list: {hotlist.left_out} additions by hand, not signed by two as the charter says"
        )
        log.append(LeafKind.REFUSAL, {"reason": Reason.HOTLIST_HAND_MISSING, "what": what})


def rows_left_out(hotlist: HotList) -> str:
    """Which rows of a rig's plain list, which nobody imported, are not what they seem; empty:
    none.
    """
    if not (lines := hotlist.doubted_lines):
        return ""
    from agent.bundles.hotlist_file import PLAIN
    from agent.core.hotlist.intake.lines import lines_told

    return (
        f"{PLAIN}: {len(lines)} rows are not what they seem and are left out, line "
        f"{lines_told(lines)}; `platewarden hotlist import` tells why, unless this machine's date "
        "is wrong"
    )


def _tell_doubted(hotlist: HotList, log: AuditLog) -> None:
    if told := rows_left_out(hotlist):
        details = {"reason": Reason.HOTLIST_ROW_DOUBTED, "what": f"hot list: {told}"}
        log.append(LeafKind.REFUSAL, details)


def _categories(policy: Policy) -> set[str]:
    return {name for rule in policy.releases for name in rule.categories}


def _recipients(policy: Policy) -> list[str]:
    return sorted({rule.recipient for rule in policy.releases})
