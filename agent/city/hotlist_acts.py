"""Adds a plate to a city's hot list by hand, and withdraws one: who, when and why stay in the
city's own file.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import MANUAL, read_hotlist, read_manual
from agent.city.city_lock import only_writer
from agent.city.city_log import city_log
from agent.city.hotlist_hand import first_hand
from agent.city.hotlist_leaves import act_leaf, withdrawal_leaf
from agent.city.hotlist_overview import issuers_in, limits_of, rules_of
from agent.city.hotlist_way import still_listed
from agent.core.hotlist.entry import FIELDS, plate_of
from agent.core.hotlist.intake.manual_acts import act_of, entry_from
from agent.core.hotlist.plausibility.of_rows.rows import RowDoubts
from agent.core.policy.policy import NEVER_RELEASE, TEST
from agent.core.reasons import Reason
from agent.errors import ManyFaultsError, PolicyRefusedError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from agent.city.hotlist_way import Held
    from agent.core.hotlist.entry import Entry
    from agent.core.hotlist.plausibility.doubts import Allowed

DAYS = re.compile(r"([0-9]{1,3})d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, why, and when (UTC, to the millisecond, as the file keeps it)."""

    by: str
    why: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Meant:
    """Which entries are meant, as typed.

    `case`: empty for all cases; `protection`: a protection too.
    """

    plate: str
    state: str
    case: str
    protection: bool


def add_entry(
    city: Path,
    words: Sequence[str],
    actor: Actor,
    key: Ed25519PrivateKey | None = None,
    allowed: Allowed = frozenset(),
) -> int:
    """Add one entry.

    `words`: its fields as typed, in the order of FIELDS; `key`: the first hand's, where the charter
    names signers; `allowed`: what may be, although an import would doubt it. Gives how many more
    may be added today.
    Raises ConfigError, PolicyRefusedError, StorageError.
    """
    row, today = dict(zip(FIELDS, words, strict=True)), actor.now.date()
    doubts = RowDoubts(issuers_in(city), allowed).of(row["plate"], row["state"], row["case"])
    if doubts:
        raise ManyFaultsError(doubts)
    rules = rules_of(city)
    cap = min(limits_of(city).additions_per_day, rules.additions_per_day)
    require_category(city, row["category"])
    act = act_of("add", actor.now, actor.by, actor.why, entry_from(row, today))
    act = first_hand(act, rules, key)
    with only_writer(city), city_log(city) as log:
        manual = read_manual(city).without_old(today).add(act, cap)
        log.write(MANUAL, manual.encoded(), act_leaf(act, log))
    return max(0, cap - manual.additions_on(today))


def require_category(city: Path, category: str) -> None:
    """Raises PolicyRefusedError for a category that the charter does not allow."""
    allowed = CityFolder(city).charter().allowed_categories
    if category not in {*allowed, NEVER_RELEASE} - {TEST}:
        raise PolicyRefusedError(
            Reason.CHARTER_FORBIDS_CATEGORY,
            "the charter does not allow this category",
            fix=f"allowed: {', '.join(sorted(set(allowed) - {TEST}))}",
        )


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """How many entries were withdrawn, and what cameras may still look for until it is sent."""

    number: int
    held: Held | None


def withdraw_entries(city: Path, meant: Meant, actor: Actor) -> Withdrawn:
    """Withdraw all entries that are meant.

    Raises UsageError where there are none, ConfigError, BundleRefusedError, StorageError.
    """
    today = actor.now.date()
    with only_writer(city):
        with city_log(city) as log:
            chosen = _chosen(city, meant, today)
            acts = [act_of("withdraw", actor.now, actor.by, actor.why, one) for one in chosen]
            manual = read_manual(city).without_old(today).withdraw(acts)
            log.write(MANUAL, manual.encoded(), withdrawal_leaf(acts, log))
        return Withdrawn(len(chosen), still_listed(city))


def entry_dates(source_date: str, expires: str, today: date) -> tuple[str, str]:
    """Dates as typed: no source date is today, `9d` is nine days from today."""
    days = DAYS.fullmatch(expires)
    if days:
        expires = (today + timedelta(days=int(days[1]))).isoformat()
    return source_date or today.isoformat(), expires


def _chosen(city: Path, meant: Meant, today: date) -> list[Entry]:
    text = plate_of(meant.plate)
    found = [
        entry
        for entry in (read_hotlist(city, today).texts(text) if text else ())
        if entry.state == meant.state
        and entry.expires > today
        and (not meant.case or entry.case == meant.case)
    ]
    chosen = [entry for entry in found if meant.protection or entry.category != NEVER_RELEASE]
    if not chosen:
        fix = (
            "give --protection to end a protection"
            if found
            else "check plate, state and case; it may be withdrawn already, or expired"
        )
        raise UsageError("no such entry", where=city, fix=fix)
    return chosen
