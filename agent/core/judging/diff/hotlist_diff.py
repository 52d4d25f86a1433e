"""What a change lets more onto hot lists: wider limits in policy or charter, other signers of
entries by hand. Mitigates against: a second hand that goes while nobody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.judging.diff.comparison import Kind
from agent.core.judging.diff.diff_notes import Change
from agent.core.policy.schema.hotlist_rules import signer_named
from agent.core.text.plain_words import quoted_names
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.judging.explain.cited_lines import Cited, Source
    from agent.core.judging.explain.explained_files import Files
    from agent.core.policy.schema.hotlist_rules import HotlistRules

POLICY_LIMITS = (
    ("max_age_hours", "hot lists may be {now} hours old instead of {was}"),
    ("additions_per_day", "{now} plates a day may be added by hand instead of {was}"),
)
CHARTER_LIMITS = (
    ("most_entries", "the charter permits a hot list of {now} entries instead of {was}"),
    ("additions_per_day", "the charter permits {now} additions by hand a day instead of {was}"),
    ("look_alikes", "{now} entries of a list may be taken for one another instead of {was}"),
    ("longest_days", "an entry by hand may last {now} days instead of {was}"),
)


@dataclass(frozen=True, slots=True)
class _Above:
    """A charter's rules for lists, and its lines."""

    rules: HotlistRules
    lines: Source


def hotlist_changes(strict: Files, lax: Files, *, gain: bool) -> Iterator[Change]:
    """What `lax` permits of hot lists and `strict` does not.

    `gain`: `lax` is the new side. Without two charters, nothing is said of them.
    """
    limits = strict.policy.hotlist, lax.policy.hotlist
    yield from _wider(POLICY_LIMITS, limits, (strict.policy_lines, lax.policy_lines), gain=gain)
    one, other = _above(strict), _above(lax)
    if one is None or other is None:
        return
    yield from _wider(CHARTER_LIMITS, (one.rules, other.rules), (one.lines, other.lines), gain=gain)
    yield from _forms(one, other, gain=gain)
    yield from _hands(one, other, gain=gain)


def _above(files: Files) -> _Above | None:
    charter, lines = files.charter, files.charter_lines
    return _Above(charter.hotlist, lines) if charter is not None and lines is not None else None


def _wider(
    sentences: tuple[tuple[str, str], ...],
    values: tuple[object, object],
    sources: tuple[Source, Source],
    *,
    gain: bool,
) -> Iterator[Change]:
    """The limits that are higher on the second side; one that it does not write is cited where the
    first does.
    """
    for key, says in sentences:
        less, more = (getattr(value, key) for value in values)
        if more > less:
            was, now = (less, more) if gain else (more, less)
            written = [source for source in reversed(sources) if _writes(source, key)]
            yield _change(says.format(was=was, now=now), written[0].cite("hotlist", key))


def _writes(source: Source, key: str) -> bool:
    written = source.value("hotlist")
    return isinstance(written, dict) and key in written


def _forms(one: _Above, other: _Above, *, gain: bool) -> Iterator[Change]:
    """Case numbers that only `other` takes."""
    known, forms = one.rules.case_forms, other.rules.case_forms
    if known and not forms:
        says = (
            "an entry by hand may have a case number of any form"
            if gain
            else f"a case number must have one of the forms {quoted_names(known)}"
        )
        yield _change(says, one.lines.cite("hotlist", "case_forms"))
    for form in sorted(set(forms) - set(known)) if known else ():
        may = "may also" if gain else "may no longer"
        says = f"a case number {may} have the form {quoted_names([form])}"
        yield _change(says, other.lines.cite("hotlist", "case_forms"))


def _hands(one: _Above, other: _Above, *, gain: bool) -> Iterator[Change]:
    """The second hand, where `other` needs none; else who signs there only."""
    known, signers = one.rules.signers, other.rules.signers
    if known and not signers:
        named = ", ".join(signer_named(name, key) for key, name in known.items())
        says = (
            f"one person alone may put a plate on the list; until now two of {named} had to sign"
            if gain
            else f"two people must sign each entry by hand, of {named}"
        )
        yield _change(says, *_signer_lines(one))
    for index, (key, name) in enumerate(signers.items() if known else ()):
        if known.get(key) != name:
            does = "also signs" if gain else "no longer signs"
            line = _signer_lines(other)[index]
            yield _change(f"{signer_named(name, key)} {does} entries by hand", line)


def _signer_lines(above: _Above) -> tuple[Cited, ...]:
    return tuple(
        above.lines.cite("hotlist_signer", index, "name")
        for index, _ in above.lines.tables("hotlist_signer")
    )


def _change(says: str, *cited: Cited) -> Change:
    return Change(Kind.HOTLIST, "", "", says, cited)
