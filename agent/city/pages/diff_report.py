"""What `policy diff` tells, as lines for people and as plain values (docs/ref/policy-diff.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.city.pages import explain_json
from agent.city.pages.explain_text import fill, forbidden, quoted
from agent.core.judging.explain.provenance import told as standing_told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.core.judging.diff.diff_notes import Change, Note
    from agent.core.judging.diff.diff_words import Compared


def as_table(compared: Compared) -> dict[str, object]:
    """The comparison as plain values (docs/ref/policy-diff.md)."""
    return {
        "old": {
            "name": compared.old.name,
            "version": compared.old.version,
            "digest": compared.old.digest,
            "in_force": compared.old_standing.table() if compared.old_standing else None,
        },
        "new": {
            "name": compared.new.name,
            "version": compared.new.version,
            "digest": compared.new.digest,
            "in_force": compared.new_standing.table() if compared.new_standing else None,
        },
        "nothing_changes": compared.nothing,
        "refused_by_charter": [
            {
                "reason": fault.reason.value,
                "what": fault.what,
                "file": fault.where,
                "line": fault.line,
            }
            for fault in compared.refused
        ],
        "lets_out": [_change(change) for change in compared.lets_out],
        "restricts": [_change(change) for change in compared.restricts],
        "charter_forbids": explain_json.forbidden(compared.forbids),
        "also": [
            {"says": note.says, "lines": explain_json.lines(note.cited)} for note in compared.notes
        ],
    }


def told(compared: Compared, old: str, new: str, *, drafts: bool = True) -> Iterator[str]:
    """The comparison for people. `drafts`: say of what is not in force that it is a draft."""
    for side, policy, standing, where in (
        ("old", compared.old, compared.old_standing, old),
        ("new", compared.new, compared.new_standing, new),
    ):
        yield f"{side}  {policy.name}, version {policy.version}: {where}"
        if standing is not None or drafts:
            for line in standing_told(standing):
                yield from fill(line, 5)
    yield ""
    if compared.refused:
        yield "The charter forbids the new policy. A camera refuses it whole; were it obeyed:"
        for fault in compared.refused:
            yield f"  [{fault.reason}] {fault}"
        yield ""
    if compared.nothing:
        same = compared.old.digest == compared.new.digest
        yield (
            "Nothing changes."
            if same
            else "Nothing changes but comments, spelling, order or the version's number."
        )
        yield ""
        yield from forbidden(compared.forbids)
        return
    yield from _section("It lets out more, the worst first", compared.lets_out)
    yield from _section("It lets out less", compared.restricts)
    yield from _section("It also changes", compared.notes)
    if not compared.lets_out:
        yield "It lets out nothing more."
        yield ""
    yield from forbidden(compared.forbids)


def _section(title: str, entries: Iterable[Change | Note]) -> Iterator[str]:
    for number, entry in enumerate(entries, 1):
        if number == 1:
            yield title
        yield from fill(f"{number}. {entry.says}", 2, 5)
        yield from quoted(entry.cited)
    if entries:
        yield ""


def _change(change: Change) -> dict[str, object]:
    return {
        "kind": change.kind.value,
        "recipient": change.recipient,
        "purpose": change.purpose or None,
        "says": change.says,
        "lines": explain_json.lines(change.cited),
    }
