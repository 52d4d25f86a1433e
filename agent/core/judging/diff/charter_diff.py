"""Which refusals a change takes away that no single sighting shows: the charter's, and the limits
on hot lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.judging.diff.comparison import Kind
from agent.core.judging.diff.diff_notes import Change
from agent.core.judging.diff.hotlist_diff import hotlist_changes
from agent.core.policy.schema.hotlist_rules import signer_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.judging.explain.explained_files import Files
    from agent.core.wire.holds.hold_rules import HoldRules

GONE = "the charter no longer forbids {}"
ALSO = "the charter also forbids {}"


def refusals_gone(strict: Files, lax: Files, *, gain: bool) -> Iterator[Change]:
    """What `strict` refuses and `lax` does not. Without two charters, nothing is said of them.

    `gain`: `lax` is the new side; otherwise `strict` is, and forbids more.
    """
    sentence = GONE if gain else ALSO
    yield from hotlist_changes(strict, lax, gain=gain)
    one, other = strict.charter, lax.charter
    if one is None or other is None or strict.charter_lines is None or lax.charter_lines is None:
        return
    for key, what in (
        ("forbidden_recipients", "recipient"),
        ("forbidden_kinds", "recipients of the kind"),
        ("forbidden_purposes", "purpose"),
    ):
        for name in sorted(getattr(one, key) - getattr(other, key)):
            cited = (strict.charter_lines.cite_item(key, name),)
            yield Change(
                Kind.REFUSAL,
                name if key == "forbidden_recipients" else "",
                "",
                sentence.format(f"the {what} {name}"),
                cited,
            )
    yield from _allowed(strict, lax, sentence)
    for name in sorted(other.allowed_categories - one.allowed_categories):
        yield Change(
            Kind.REFUSAL,
            "",
            "",
            sentence.format(f"the category {name}"),
            (lax.charter_lines.cite_item("allowed_categories", name),),
        )
    if other.max_retention_days > one.max_retention_days:
        says = sentence.format(f"keeping reads for more than {one.max_retention_days} days")
        yield Change(Kind.REFUSAL, "", "", says, (lax.charter_lines.cite("max_retention"),))
    for what, path in _holds(one.holds, other.holds):
        cited = (lax.charter_lines.cite(*path),)
        yield Change(Kind.REFUSAL, "", "", sentence.format(what), cited)


def _holds(one: HoldRules | None, other: HoldRules | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What `other` lets people hold beyond its deadline and `one` does not, and the key that says
    so.
    """
    if other is None:
        return
    if one is None:
        yield "keeping reads beyond their deadline by a hold", ("holds",)
        return
    if other.minutes > one.minutes:
        yield f"holds of more than {one.minutes} minutes", ("holds", "window_minutes")
    if other.days > one.days:
        yield f"holds that last longer than {one.days} days", ("holds", "longest_days")
    if other.threshold < one.threshold:
        yield f"holds that fewer than {one.threshold} people signed", ("holds", "signatures")
    for key, name in other.signers.items():
        if one.signers.get(key) != name:
            yield f"holds signed by {signer_named(name, key)}", ("hold_signer",)


def _allowed(strict: Files, lax: Files, sentence: str) -> Iterator[Change]:
    """Lists of what is allowed that are longer, or gone: without one everything is allowed."""
    assert strict.charter_lines is not None  # noqa: S101 (for mypy: the caller has looked)
    assert lax.charter_lines is not None  # noqa: S101
    for key, what, every in (
        ("allowed_recipients", "recipient", "every recipient"),
        ("allowed_kinds", "recipients of the kind", "all recipients of a kind"),
        ("allowed_purposes", "purpose", "every purpose"),
    ):
        allowed, then = getattr(strict.charter, key), getattr(lax.charter, key)
        if allowed is None:
            continue
        if then is None:
            says = sentence.format(f"{every} but {', '.join(sorted(allowed)) or 'none'}")
            yield Change(Kind.REFUSAL, "", "", says, (strict.charter_lines.cite(key),))
            continue
        for name in sorted(then - allowed):
            cited = (lax.charter_lines.cite_item(key, name),)
            about = name if key == "allowed_recipients" else ""
            yield Change(Kind.REFUSAL, about, "", sentence.format(f"the {what} {name}"), cited)
