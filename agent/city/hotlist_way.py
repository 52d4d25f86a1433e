"""Follows each act by hand to the last camera: what cameras hold now, and which acts they may not
have yet. Out of the city's log and what is published, without a plate.

A list that is not renewed raises nothing after its role's lifetime, so no camera goes on with an
older one for longer than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.bundles.layout import HOTLIST, ROLES
from agent.bundles.repository.published import CityRepository
from agent.city.city_log import DATABASE, FOLDER
from agent.city.hotlist_overview import rules_of
from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.storage.log_reader import openings
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

WAITS, HERE, SIGNED, PUBLISHED = "waits", "here", "signed", "published"
BY_HAND = frozenset({"add", "approve", "protect", "withdraw", "unprotect"})
_NEXT = {
    WAITS: "waits for another person: platewarden hotlist approve",
    HERE: "in this folder only: platewarden hotlist publish",
    SIGNED: "signed in version {version}: platewarden bundle publish --renew",
    PUBLISHED: "published in version {version}; who has not fetched it stops on {until}",
}


@dataclass(frozen=True, slots=True)
class Held:
    """The list that is published: what cameras hold, until when they match with it."""

    version: int
    until: datetime

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {"version": self.version, "until": rfc3339(self.until)}

    def told(self) -> str:
        """For people."""
        return f"version {self.version} is published, until {self.until:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Step:
    """One act and how far it has come. `until`: when the last camera without it stops matching."""

    act: str
    at: str
    by: str
    cases: tuple[str, ...]
    state: str
    version: int | None = None
    until: datetime | None = None

    def table(self) -> dict[str, object]:
        """As plain values."""
        until = rfc3339(self.until) if self.until else None
        named = {"act": self.act, "at": self.at, "by": self.by, "cases": list(self.cases)}
        return {**named, "state": self.state, "version": self.version, "until": until}

    def told(self) -> str:
        """For people."""
        until = f"{self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        way = _NEXT[self.state].format(version=self.version, until=until)
        return f"{self.at}  {self.act:<9}  case {', '.join(self.cases)}  by {self.by}: {way}"


def held(city: Path) -> Held | None:
    """What is published; None where no list is. Raises ConfigError, BundleRefusedError."""
    published = CityRepository(city).published()
    role = published.role(HOTLIST) if published else None
    return Held(role.signed.version, role.signed.expires) if role else None


def still_listed(city: Path) -> Held | None:
    """What cameras may still look for after a withdrawal that is the log's newest act; None: no
    camera has that entry.

    What was added by hand after the published list was made was never with them.
    """
    found, leaves = held(city), _leaves(city)
    if found is None or not leaves:
        return None
    sent = [
        number
        for number, leaf in enumerate(leaves)
        if leaf["act"] == "publish" and leaf["version"] <= found.version
    ]
    later = leaves[sent[-1] :] if sent else []
    added = {leaf["entry"] for leaf in later if leaf["act"] == "add"}
    return found if {one["entry"] for one in _entries(leaves[-1])} - added else None


def on_its_way(city: Path, now: datetime) -> tuple[Step, ...]:
    """The acts that the last camera may not have yet, the oldest first.

    Raises StorageError, ConfigError, BundleRefusedError.
    """
    leaves, found = _leaves(city), held(city)
    two = bool(rules_of(city).signers)
    approved = {leaf["entry"] for leaf in leaves if leaf["act"] == "approve"}
    steps = []
    for number, leaf in enumerate(leaves):
        if leaf["act"] not in BY_HAND or _ended(leaf, now):
            continue
        if leaf["act"] == "add" and two:
            if leaf["entry"] not in approved:
                steps.append(_step(leaf, WAITS))
            continue
        step = _after(leaf, leaves[number + 1 :], found, now)
        if step is not None:
            steps.append(step)
    return tuple(steps)


def _after(
    leaf: Mapping[str, Any], later: Sequence[Mapping[str, Any]], found: Held | None, now: datetime
) -> Step | None:
    """How far an act has come; None: to every camera."""
    made = next((one for one in later if one["act"] == "publish"), None)
    if made is None:
        return _step(leaf, HERE)
    if found is None or found.version < made["version"]:
        return _step(leaf, SIGNED, made["version"])
    until = parse_rfc3339(made["at"]) + ROLES[HOTLIST].lifetime
    return _step(leaf, PUBLISHED, made["version"], until) if now < until else None


def _step(
    leaf: Mapping[str, Any], state: str, version: int | None = None, until: datetime | None = None
) -> Step:
    cases = tuple(str(one["case"]) for one in _entries(leaf))
    return Step(leaf["act"], leaf["at"], leaf["by"], cases, state, version, until)


def _entries(leaf: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The entries of an act; a withdrawal may end many."""
    entries: Sequence[Mapping[str, Any]] = leaf.get("entries", [leaf])
    return entries


def _ended(leaf: Mapping[str, Any], now: datetime) -> bool:
    """Have all its entries expired? Then no camera looks for them, whatever it holds."""
    return all(str(one["expires"]) <= f"{now:%Y-%m-%d}" for one in _entries(leaf))


def _leaves(city: Path) -> list[dict[str, Any]]:
    database = city / FOLDER / DATABASE
    return openings(database) if database.exists() else []
