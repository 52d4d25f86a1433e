"""What a city's hot list holds, in numbers: `hotlist show`, and what `hotlist import` says at its
end.

No plate is in it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import read_hotlist, read_manual
from agent.core.policy.policy import HotlistLimits
from agent.core.text.rfc3339 import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path


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
        **(of_import or {}),
        "added_by_hand_today": manual.additions_on(now.date()),
        "withdrawn": len(manual.withdrawn),
        "by_hand": manual.told(),
        "as_of": rfc3339(listed.as_of),
        "stale_after": rfc3339(listed.stale_after),
        "stale": listed.stale(now),
        "digest": listed.digest,
    }


def limits_of(city: Path) -> HotlistLimits:
    """What the city's policy says of its lists; the strictest where it has no policy yet."""
    return CityFolder(city).policy().hotlist if (city / "policy.toml").exists() else HotlistLimits()
