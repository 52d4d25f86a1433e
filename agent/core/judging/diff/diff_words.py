"""Tells in words what a change of policy lets out, the worst first, then what it restricts, then
what else it changes.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from agent.core.judging.diff.charter_diff import refusals_gone
from agent.core.judging.diff.comparison import NO_STOP, Kind, Side, gains, released, space_of
from agent.core.judging.diff.diff_notes import Change, Note, notes
from agent.core.judging.explain.explanation import hours
from agent.core.judging.explain.prohibitions import Prohibition, prohibitions
from agent.core.wire.match_level import MatchLevel
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.core.judging.diff.comparison import Cell, Gain, Kept, Space
    from agent.core.judging.explain.cited_lines import Cited
    from agent.core.judging.explain.explained_files import Files
    from agent.core.judging.explain.provenance import Standing
    from agent.core.policy.charter import CharterFault
    from agent.core.policy.policy import Policy

ORDER = tuple(Kind)
KEY_OF_KIND = {  # the key of a [[release]] that a reader should look at
    Kind.PURPOSE: "purpose",
    Kind.CATEGORY: "categories",
    Kind.MATCH_LEVEL: "match",
    Kind.CAMERA: "cameras",
    Kind.CONFIDENCE: "min_confidence",
    Kind.RETENTION: "retention",
    Kind.CONTENT: "include",
    Kind.BUDGET: "max_per_hour",
    Kind.FALSE_LEADS: "max_false_leads",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """Two policies.

    `refused`: what the charter forbids in the second; a camera would refuse it whole.
    `old_standing`, `new_standing`: whether each is a draft, or was in force and signed by whom.
    `forbids`: what the second's charter forbids every policy.
    """

    old: Policy
    new: Policy
    lets_out: tuple[Change, ...]
    restricts: tuple[Change, ...]
    notes: tuple[Note, ...]
    refused: tuple[CharterFault, ...]
    old_standing: Standing | None = None
    new_standing: Standing | None = None
    forbids: tuple[Prohibition, ...] = ()

    @property
    def nothing(self) -> bool:
        """Does the change change nothing that matters to a camera?"""
        return not (self.lets_out or self.restricts or self.notes)


def compare(old: Files, new: Files) -> Compared:
    """What `new` lets out, restricts and changes, each under its own charter and roster."""
    sides = [
        Side(files.obeyed, frozenset(files.cameras) if files.roster is not None else None)
        for files in (old, new)
    ]
    space = space_of(*sides)
    before, after = (released(side, space) for side in sides)
    more, less = _Words(old, new, space, before, after), _Words(new, old, space, after, before)
    lets_out = [
        *more.told(_MORE),
        *_new_keys(old, new, before, after),
        *_budgets(old, new, before, after),
        *refusals_gone(old, new, gain=True),
    ]
    restricts = [
        *less.told(_LESS),
        *_budgets(new, old, after, before, _TOTAL_LESS),
        *refusals_gone(new, old, gain=False),
    ]
    lets_out, restricts = sorted(lets_out, key=_worst_first), sorted(restricts, key=_worst_first)
    touched = frozenset(
        (change.kind, change.recipient, change.purpose) for change in (*lets_out, *restricts)
    )
    refused = new.charter.check(new.policy) if new.charter is not None else ()
    return Compared(
        old.policy,
        new.policy,
        tuple(lets_out),
        tuple(restricts),
        tuple(notes(old, new, touched)),
        refused,
        old.standing,
        new.standing,
        prohibitions(new.charter, new.charter_lines),
    )


_MORE = {
    Kind.RECIPIENT: "{who} can receive reads, which it could not before: {terms}",
    Kind.PURPOSE: "{who} also receives for the purpose {purpose}: {terms}",
    Kind.CATEGORY: "{who} also receives {categories}",
    Kind.MATCH_LEVEL: "{who} also receives {levels} matches of {categories}",
    Kind.CAMERA: "{who} also receives from {cameras}",
    Kind.HOURS: "{who} also receives from {cameras} at {hours}",
    Kind.DAYS: "{who} receives {days} instead of {old_days}",
    Kind.CONFIDENCE: (
        "{who} receives less certain readings: from {confidence} instead of {old_confidence}"
    ),
    Kind.RETENTION: (
        "{who} may keep reads of {categories} longer: {retention} instead of {old_retention} days"
    ),
    Kind.CONTENT: "{who} also receives the {content} of {categories} reads",
    Kind.BUDGET: "{who} may receive more: {budget} instead of {old_budget} an hour and camera",
    Kind.FALSE_LEADS: (
        "{who} receives until more leads were false: {false_leads} instead of {old_false_leads}"
    ),
}
_LESS = {
    Kind.RECIPIENT: "{who} receives nothing any more; before: {terms}",
    Kind.PURPOSE: "{who} receives nothing for the purpose {purpose} any more; before: {terms}",
    Kind.CATEGORY: "{who} no longer receives {categories}",
    Kind.MATCH_LEVEL: "{who} no longer receives {levels} matches of {categories}",
    Kind.CAMERA: "{who} no longer receives from {cameras}",
    Kind.HOURS: "{who} no longer receives from {cameras} at {hours}",
    Kind.DAYS: "{who} receives {old_days} instead of {days}",
    Kind.CONFIDENCE: (
        "{who} receives only more certain readings: from {old_confidence} instead of {confidence}"
    ),
    Kind.RETENTION: (
        "{who} must let reads of {categories} go sooner: "
        "{old_retention} instead of {retention} days"
    ),
    Kind.CONTENT: "{who} no longer receives the {content} of {categories} reads",
    Kind.BUDGET: "{who} may receive fewer: {old_budget} instead of {budget} an hour and camera",
    Kind.FALSE_LEADS: (
        "{who} receives until fewer leads were false: {old_false_leads} instead of {false_leads}"
    ),
}
_TOTAL_MORE = (
    "{who} may receive more in all: its rules add up to {new} instead of {old} an hour and camera"
)
_TOTAL_LESS = (
    "{who} may receive fewer in all: its rules add up to {old} instead of {new} an hour and camera"
)


class _Words:
    """One direction: what `wide` lets out and `narrow` does not."""

    def __init__(
        self,
        narrow: Files,
        wide: Files,
        space: Space,
        before: Mapping[Cell, Kept],
        after: Mapping[Cell, Kept],
    ) -> None:
        self._narrow = narrow
        self._wide = wide
        self._space = space
        self._before = before
        self._after = after

    def told(self, sentences: Mapping[Kind, str]) -> Iterator[Change]:
        for gain in gains(self._before, self._after):
            says = sentences[gain.kind].format_map(self._words(gain))
            yield Change(gain.kind, gain.recipient, gain.purpose, says, tuple(self._lines(gain)))

    def _words(self, gain: Gain) -> dict[str, str]:
        first, last = self._period(self._after, gain)
        old_first, old_last = self._period(self._before, gain)
        moved = first != old_first
        return {
            "who": self._who(gain),
            "purpose": gain.purpose,
            "levels": _list(gain.levels()),
            "hours": hours(sorted({cell[5] for cell in gain.cells})),
            "cameras": _list(gain.cameras(self._space)),
            "categories": _list(gain.categories()),
            "terms": self._terms(gain),
            "days": f"from {first} until {last}" if moved else f"until {last}",
            "old_days": f"from {old_first} until {old_last}" if moved else f"until {old_last}",
            "confidence": f"{self._least(self._after, gain):g}",
            "old_confidence": f"{self._least(self._before, gain):g}",
            "retention": str(gain.new.retention_days),
            "old_retention": str(gain.old.retention_days) if gain.old else "0",
            "content": _list(set(gain.new.include) - set(gain.old.include if gain.old else ())),
            "budget": str(gain.new.max_per_hour),
            "old_budget": str(gain.old.max_per_hour) if gain.old else "0",
            "false_leads": _until(gain.new),
            "old_false_leads": _until(gain.old) if gain.old else "0",
        }

    def _who(self, gain: Gain) -> str:
        who = _named(self._wide, gain.recipient)
        return who if gain.kind in {Kind.RECIPIENT, Kind.PURPOSE} else f"{who}, for {gain.purpose},"

    def _terms(self, gain: Gain) -> str:
        first, last = self._period(self._after, gain)
        levels = [level for level in MatchLevel if level in gain.levels()]
        return (
            f"{_list(gain.categories())} for {gain.purpose}; "
            f"{' or '.join(levels)} match from confidence {self._least(self._after, gain):g}; "
            f"{', '.join(gain.new.include)}; {gain.new.retention_days} days; "
            f"at most {gain.new.max_per_hour} an hour and camera; from {first} until {last}"
        )

    def _same(self, side: Mapping[Cell, Kept], gain: Gain) -> list[Cell]:
        """The cells of a side that differ from the gain's at most in day and confidence."""
        kinds = {cell[:6] for cell in gain.cells}
        return [cell for cell in side if cell[0] == gain.recipient and cell[:6] in kinds]

    def _period(self, side: Mapping[Cell, Kept], gain: Gain) -> tuple[str, str]:
        days = {cell[6] for cell in self._same(side, gain)}
        return (str(min(days)), str(self._space.after(max(days)))) if days else ("never", "never")

    def _least(self, side: Mapping[Cell, Kept], gain: Gain) -> float:
        return min((cell[7] for cell in self._same(side, gain)), default=1.0)

    def _lines(self, gain: Gain) -> Iterator[Cited]:
        """Where the wider file says so."""
        lines = self._wide.policy_lines
        rules = dict.fromkeys(rule for cell in gain.cells for rule in self._after[cell].rules)
        if gain.kind is Kind.RECIPIENT:
            for index, table in lines.tables("recipient"):
                if table.get("id") == gain.recipient:
                    yield lines.cite("recipient", index, "id")
        if gain.kind is Kind.DAYS:
            yield from self._end_lines(gain.recipient)
            return
        if gain.kind in {Kind.CAMERA, Kind.HOURS}:
            yield from self._bar_lines(gain)
            yield from self._group_lines(gain)
            rules = {
                name: None
                for name in rules
                if gain.kind is Kind.CAMERA and self._cameras_differ(name)
            }
        for index, table in lines.tables("release"):
            if table.get("rule") in rules:
                yield lines.cite("release", index, KEY_OF_KIND.get(gain.kind, "recipient"))

    def _cameras_differ(self, name: str) -> bool:
        narrow, wide = self._narrow.policy.rule(name), self._wide.policy.rule(name)
        return narrow is None or wide is None or narrow.cameras != wide.cameras

    def _bar_lines(self, gain: Gain) -> Iterator[Cited]:
        """The bars of the narrower side that hold where the wider one releases."""
        for bar in self._narrow.obeyed.barred:
            moments = (
                (cell[4], datetime.combine(cell[6], time(), UTC) + timedelta(minutes=cell[5][0]))
                for cell in gain.cells
            )
            if any(bar.holds(camera, at) for camera, at in moments):
                yield self._narrow.cite(bar.where, bar.line)

    def _group_lines(self, gain: Gain) -> Iterator[Cited]:
        """The brokers of the narrower side that are for other groups than where the wider one
        releases.
        """
        obeyed, lines = self._narrow.obeyed, self._narrow.policy_lines
        brokers = {broker.id: broker for broker in obeyed.brokers}
        cameras = {cell[4] for cell in gain.cells if not obeyed.served(gain.recipient, cell[4])}
        for index, table in lines.tables("broker"):
            broker = brokers[str(table.get("id"))]
            if cameras and broker.groups and gain.recipient in broker.recipients:
                yield lines.cite("broker", index, "groups")

    def _end_lines(self, recipient: str) -> Iterator[Cited]:
        """The dates that moved."""
        lines, narrow = self._wide.policy_lines, self._narrow.policy
        for key in ("effective", "expires"):
            if getattr(narrow, key) != getattr(self._wide.policy, key):
                yield lines.cite(key)
        for index, table in lines.tables("recipient"):
            there = narrow.recipients.get(recipient)
            if (
                table.get("id") == recipient
                and there is not None
                and there.expires != table.get("expires")
            ):
                yield lines.cite("recipient", index, "expires")


def _new_keys(
    old: Files, new: Files, before: Mapping[Cell, Kept], after: Mapping[Cell, Kept]
) -> Iterator[Change]:
    """A recipient with another key is another reader: whoever holds it signs the list of keys to
    which reads are sealed.
    """
    served = {cell[0] for cell in before} & {cell[0] for cell in after}
    for index, table in new.policy_lines.tables("recipient"):
        name = str(table.get("id"))
        if (
            name in served
            and old.policy.recipients[name].signing_key != new.policy.recipients[name].signing_key
        ):
            says = (
                f"{_named(new, name)} has another signing key: "
                "whoever holds it says to which keys reads are sealed, and so who opens them"
            )
            yield Change(
                Kind.KEY,
                name,
                "",
                says,
                (new.policy_lines.cite("recipient", index, "signing_key"),),
            )


def _budgets(
    old: Files,
    new: Files,
    before: Mapping[Cell, Kept],
    after: Mapping[Cell, Kept],
    sentence: str = _TOTAL_MORE,
) -> Iterator[Change]:
    """One budget split over two rules lets out more, though no single sighting shows it."""
    there = {cell[:2] for cell in before}
    told = {
        (gain.recipient, gain.purpose)
        for gain in gains(before, after)
        if gain.kind in {Kind.BUDGET, Kind.RECIPIENT, Kind.PURPOSE}
    }
    for recipient, purpose in sorted({cell[:2] for cell in after} & there - told):
        was, now = _total(old, before, recipient, purpose), _total(new, after, recipient, purpose)
        if now > was:
            lines = new.policy_lines
            cited = [
                lines.cite("release", i, "max_per_hour")
                for i, t in lines.tables("release")
                if (t.get("recipient"), t.get("purpose")) == (recipient, purpose)
            ]
            says = sentence.format(
                who=f"{_named(new, recipient)}, for {purpose},", old=was, new=now
            )
            yield Change(Kind.BUDGET, recipient, purpose, says, tuple(cited))


def _total(files: Files, side: Mapping[Cell, Kept], recipient: str, purpose: str) -> int:
    rules = {
        rule
        for cell, kept in side.items()
        if cell[:2] == (recipient, purpose)
        for rule in kept.rules
    }
    return sum(rule.max_per_hour for rule in files.policy.releases if rule.rule in rules)


def _named(files: Files, recipient: str) -> str:
    return f"{files.policy.recipients[recipient].legal_name} ({recipient})"


def _until(kept: Kept) -> str:
    return "no limit" if kept.false_leads == NO_STOP else f"{kept.false_leads} a camera"


def _worst_first(change: Change) -> tuple[int, str, str]:
    return ORDER.index(change.kind), change.recipient, change.purpose


def _list(values: Iterable[object]) -> str:
    names = sorted(map(str, values))
    if len(names) < 2:
        return names[0] if names else "nothing"
    return f"{', '.join(names[:-1])} and {names[-1]}"
