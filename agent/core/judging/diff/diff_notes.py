"""What a change of policy changes besides what leaves: brokers, names, bases, rules that say the
same in other words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.judging.diff.comparison import Kind
from agent.values import dataclass, fields, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.judging.explain.cited_lines import Cited, Source
    from agent.core.judging.explain.explained_files import Files
    from agent.core.policy.barring import Bar
    from agent.core.policy.policy import Policy, ReleaseRule
    from agent.core.policy.schema.witness_rules import WitnessRules

TOLD_ELSEWHERE = frozenset(
    {
        "releases",
        "recipients",
        "brokers",
        "bundle_sources",
        "digest",
        "version",
        "barred",
        "hotlist",
    }
)
WHOLE = frozenset({Kind.RECIPIENT, Kind.PURPOSE})
TOLD_BY = {  # which kinds of change already tell of a rule's field
    "recipient": WHOLE,
    "purpose": WHOLE,
    "categories": frozenset({Kind.CATEGORY}),
    "match": frozenset({Kind.MATCH_LEVEL}),
    "min_confidence": frozenset({Kind.CONFIDENCE}),
    "max_per_hour": frozenset({Kind.BUDGET}),
    "max_false_leads": frozenset({Kind.FALSE_LEADS}),
    "retention_days": frozenset({Kind.RETENTION}),
    "include": frozenset({Kind.CONTENT}),
    "cameras": frozenset({Kind.CAMERA}),
}
# Kind, recipient and purpose of everything that is told already.
Touched = frozenset[tuple[Kind, str, str]]


@dataclass(frozen=True, slots=True)
class Change:
    """One respect in which one recipient gets more, or less.

    `cited`: the lines of the file that says so: the new one's for more, the old one's for less.
    """

    kind: Kind
    recipient: str
    purpose: str
    says: str
    cited: tuple[Cited, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """One change that lets out nothing more by itself.

    `cited`: the new file's line; the old one's for what is gone.
    """

    says: str
    cited: tuple[Cited, ...]


def notes(old: Files, new: Files, touched: Touched) -> Iterator[Note]:
    """Everything that differs and is not told by `touched`.

    A field that this code has never heard of is told too: nothing changes silently.
    """
    yield from _head(old, new, touched)
    yield from _charter(old, new)
    yield from _brokers(old, new)
    yield from _groups(old, new)
    yield from _sources(old, new)
    yield from _recipients(old, new, touched)
    yield from _rules(old, new, touched)


def _head(old: Files, new: Files, touched: Touched) -> Iterator[Note]:
    one, other = old.policy, new.policy
    told = {"effective", "expires"} if any(kind is Kind.DAYS for kind, _, _ in touched) else set()
    for name in (field.name for field in fields(one)):
        if name not in TOLD_ELSEWHERE | told and getattr(one, name) != getattr(other, name):
            yield Note(
                f"{name}: {_shown(getattr(other, name))} instead of {_shown(getattr(one, name))}",
                (new.policy_lines.cite(name),),
            )
    if not any(kind in {Kind.CAMERA, Kind.HOURS} for kind, _, _ in touched) and _bars(one) != _bars(
        other
    ):
        yield Note(
            "other bars, and by that alone nothing more or less leaves",
            tuple(new.policy_lines.cite("barred", i) for i, _ in new.policy_lines.tables("barred")),
        )
    if (
        replace(one, digest="", version=0, barred=_bars(one))
        != replace(other, digest="", version=0, barred=_bars(other))
        and other.version <= one.version
    ):
        says = (
            f"version {other.version} is not higher than {one.version}: "
            "a changed policy needs a new number"
        )
        yield Note(says, (new.policy_lines.cite("version"),))


def _charter(old: Files, new: Files) -> Iterator[Note]:
    """What the charter says and no camera decides by."""
    if old.charter is None or new.charter is None or new.charter_lines is None:
        return
    signs = "; entries by hand must be signed again" if new.charter.hotlist.signers else ""
    for name, more in (("name", signs), ("complaints", ""), ("domain", "")):
        was, now = getattr(old.charter, name), getattr(new.charter, name)
        if was != now:
            says = f"the charter's {name}: {_shown(now)} instead of {_shown(was)}{more}"
            yield Note(says, (new.charter_lines.cite(name),))
    was, now = old.charter.witnesses, new.charter.witnesses
    if was != now:
        says = f"the charter's witnesses: {_witnesses(now)} instead of {_witnesses(was)}"
        yield Note(says, (new.charter_lines.cite("witnesses" if now else "name"),))
    promised, promises = old.charter.reading, new.charter.reading
    if promised != promises:
        says = (
            f"how cameras read, by the charter: {promises or 'nothing is promised'} instead of "
            f"{promised or 'nothing is promised'}"
        )
        yield Note(says, (new.charter_lines.cite("reading" if promises else "name"),))


def _witnesses(rules: WitnessRules | None) -> str:
    if rules is None:
        return "nobody"
    hours = rules.close_after_s // 3_600 if rules.close_after_s else None
    closes = f"without them a camera stops after {hours} hours" if hours else "only told"
    return f"{rules.policy} of {rules.log}, {closes}"


def _brokers(old: Files, new: Files) -> Iterator[Note]:
    before, after = ({broker.id: broker for broker in files.policy.brokers} for files in (old, new))
    listed = old.policy.recipients.keys() & new.policy.recipients.keys()
    for name in sorted(after.keys() - before.keys()):
        where = ", ".join(f"{ip}:{port}" for ip, port in after[name].addresses)
        yield Note(
            f"a new broker carries sealed reads: {name}, {after[name].host} at {where}",
            (_line(new.policy_lines, "broker", name, "id"),),
        )
    for name in sorted(before.keys() - after.keys()):
        yield Note(
            f"broker {name} carries nothing any more",
            (_line(old.policy_lines, "broker", name, "id"),),
        )
    for name in sorted(before.keys() & after.keys()):
        for field in (field.name for field in fields(before[name])):
            was, now = getattr(before[name], field), getattr(after[name], field)
            if field == "recipients":
                was, now = was & listed, now & listed
            if was != now:
                yield Note(
                    f"broker {name}: other {field}",
                    (_line(new.policy_lines, "broker", name, field),),
                )


def _groups(old: Files, new: Files) -> Iterator[Note]:
    """Cameras that use other brokers, because the roster puts them into another group."""
    lines = tuple(
        new.policy_lines.cite("broker", index, "groups")
        for index, table in new.policy_lines.tables("broker")
        if "groups" in table
    )
    if not lines or old.roster is None or new.roster is None:
        return
    before, after = old.roster.cameras, new.roster.cameras
    moved: dict[str, list[str]] = {}
    for name in sorted(before.keys() & after.keys()):
        if before[name].group != after[name].group:
            moved.setdefault(after[name].group, []).append(name)
    for group, names in sorted(moved.items()):
        few = ", ".join(names[:6]) + (f" and {len(names) - 6} others" if len(names) > 6 else "")
        yield Note(f"now of {f'group {group}' if group else 'no group'}: {few}", lines)


def _sources(old: Files, new: Files) -> Iterator[Note]:
    if old.policy.bundle_sources != new.policy.bundle_sources:
        where = [
            f"{source.host} at {ip}:{port}"
            for source in new.policy.bundle_sources
            for ip, port in source.addresses
        ]
        cited = tuple(
            new.policy_lines.cite("bundle_source", index)
            for index, _ in new.policy_lines.tables("bundle_source")
        )
        yield Note(
            f"bundles are fetched from {', '.join(where) or 'nowhere: people bring them'}",
            cited or (new.policy_lines.whole("no [[bundle_source]]"),),
        )


def _recipients(old: Files, new: Files, touched: Touched) -> Iterator[Note]:
    before, after = old.policy.recipients, new.policy.recipients
    whole = {recipient for kind, recipient, _ in touched if kind is Kind.RECIPIENT}
    for name in sorted(after.keys() - before.keys() - whole):
        line = _line(new.policy_lines, "recipient", name, "id")
        yield Note(
            f"{after[name].legal_name} ({name}) is listed, and no rule gives it anything yet",
            (line,),
        )
    for name in sorted(before.keys() - after.keys() - whole):
        yield Note(
            f"{before[name].legal_name} ({name}), which received nothing, is no longer listed",
            (_line(old.policy_lines, "recipient", name, "id"),),
        )
    for name in sorted(before.keys() & after.keys()):
        kinds = {kind for kind, recipient, _ in touched if recipient == name}
        told = ({"expires"} if Kind.DAYS in kinds else set()) | (
            {"signing_key"} if Kind.KEY in kinds else set()
        )
        for field in (field.name for field in fields(before[name]) if field.name not in told):
            was, now = getattr(before[name], field), getattr(after[name], field)
            if was != now:
                says = (
                    "another signing key"
                    if field == "signing_key"
                    else f"{field} {_shown(now)} instead of {_shown(was)}"
                )
                yield Note(f"{name}: {says}", (_line(new.policy_lines, "recipient", name, field),))


def _rules(old: Files, new: Files, touched: Touched) -> Iterator[Note]:
    """Rules that changed although what leaves by them did not: renamed, split, said in other
    words.
    """
    before, after = ({rule.rule: rule for rule in files.policy.releases} for files in (old, new))
    renamed = {
        name: other
        for name, rule in after.items()
        for other in before
        if name not in before and other not in after and _same(rule, before[other])
    }
    for name, rule in after.items():
        if name in renamed:
            says = (
                f"rule {renamed[name]} is now called {name}: "
                "reads that still wait under the old name are withdrawn"
            )
            yield Note(says, (_line(new.policy_lines, "release", name, "rule"),))
        elif name not in before and not _kinds(rule, touched):
            yield Note(
                f"new rule {name}: by it alone nothing new leaves",
                (_line(new.policy_lines, "release", name, "rule"),),
            )
    for name, rule in before.items():
        if name not in after and name not in renamed.values() and not _kinds(rule, touched):
            yield Note(
                f"rule {name} is gone, and what it let out still leaves by another",
                (_line(old.policy_lines, "release", name, "rule"),),
            )
    for name in sorted(before.keys() & after.keys()):
        if silent := _silent(before[name], after[name], touched):
            says = (
                f"rule {name}: "
                f"other {', '.join(silent)}, and by that alone nothing more or less leaves"
            )
            yield Note(says, (_line(new.policy_lines, "release", name, "rule"),))


def _silent(before: ReleaseRule, after: ReleaseRule, touched: Touched) -> list[str]:
    """The fields that changed, of which no other change tells."""
    told = _kinds(before, touched) | _kinds(after, touched)
    changed = [
        field.name
        for field in fields(before)
        if getattr(before, field.name) != getattr(after, field.name)
    ]
    return [field for field in changed if not told & (TOLD_BY.get(field, frozenset()) | WHOLE)]


def _bars(policy: Policy) -> tuple[Bar, ...]:
    """The policy's own bars without the places where they stand."""
    return tuple(replace(bar, where="", line=0) for bar in policy.barred)


def _same(one: ReleaseRule, other: ReleaseRule) -> bool:
    return replace(one, rule=other.rule) == other


def _kinds(rule: ReleaseRule, touched: Touched) -> frozenset[Kind]:
    return frozenset(
        kind
        for kind, recipient, purpose in touched
        if recipient == rule.recipient and purpose in {"", rule.purpose}
    )


def _line(lines: Source, table: str, name: str, field: str) -> Cited:
    """A field's line in the table that is called so."""
    key = "rule" if table == "release" else "id"
    index = next((index for index, values in lines.tables(table) if values.get(key) == name), 0)
    return lines.cite(table, index, field)


def _shown(value: Any) -> str:
    """A value for a sentence; keys and pins are not repeated."""
    return "another" if isinstance(value, bytes) else str(value)
