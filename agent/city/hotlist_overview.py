"""What a city's hot list holds, in numbers: `hotlist show`, and what `hotlist import` says at its
end.

No plate is in it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import read_hotlist, read_manual
from agent.bundles.hotlist_hands import left_out
from agent.bundles.issuer_files import issuers_for
from agent.bundles.repository.published import CityRepository
from agent.city.drafts import published_texts
from agent.core.policy.charter import parse_charter
from agent.core.policy.policy import HotlistLimits
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.rfc3339 import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from agent.city.drafts import Texts
    from agent.core.hotlist.plausibility.of_rows.issuers import Issuers
    from agent.core.policy.charter import Charter
    from agent.core.policy.schema.hotlist_rules import HotlistRules


def overview(
    city: Path, now: datetime, of_import: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The numbers as plain values. `of_import`: what an import that has just ended left out."""
    max_age = timedelta(hours=limits_of(city).max_age_hours)
    listed, manual = read_hotlist(city, now.date(), max_age=max_age), read_manual(city)
    return {
        "entries": len(listed),
        "in_force": listed.by_category(now.date()),
        "dropped": dict(listed.dropped),
        "expired_at_import": listed.expired,
        "identical_rows": listed.identical,
        "contradicting_rows": listed.contradicting,
        "doubted_lines": list(listed.doubted_lines),
        **(of_import or {}),
        "added_by_hand_today": manual.additions_on(now.date()),
        "waiting_for_a_second_hand": left_out(manual, rules_of(city)),
        "withdrawn": len(manual.withdrawn),
        "by_hand": manual.told(),
        "as_of": rfc3339(listed.as_of),
        "stale_after": rfc3339(listed.stale_after),
        "stale": listed.stale(now),
        "digest": listed.digest,
    }


def limits_of(city: Path) -> HotlistLimits:
    """What the policy says of lists: the published one, else the draft; the strictest where there
    is none.
    """
    published = _published(city).policy
    if published is not None:
        return parse_policy(published, "the published policy").hotlist
    return CityFolder(city).policy().hotlist if (city / "policy.toml").exists() else HotlistLimits()


def issuers_in(city: Path) -> Issuers:
    """For the jurisdiction of the policy in force, else of the draft; what holds everywhere, where
    there is neither.
    """
    published = _published(city).policy
    if published is not None:
        return issuers_for(parse_policy(published, "the published policy").jurisdiction)
    written = (city / "policy.toml").exists()
    return issuers_for(CityFolder(city).policy().jurisdiction if written else "")


def charter_of(city: Path) -> Charter:
    """The published charter, as cameras obey it, else the draft: who edits the draft alone lifts
    nothing.
    """
    published = _published(city).charter
    if published is not None:
        return parse_charter(published, "the published charter")
    return CityFolder(city).charter()


def rules_of(city: Path) -> HotlistRules:
    """What the charter says of lists."""
    return charter_of(city).hotlist


def _published(city: Path) -> Texts:
    repository = CityRepository(city)
    return published_texts(repository, repository.published())
