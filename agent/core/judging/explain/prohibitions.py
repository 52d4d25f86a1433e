"""What the council's charter forbids every policy, in sentences with the lines that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.policy.schema.hotlist_rules import signer_named
from agent.core.text.plain_words import quoted_names
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.judging.explain.cited_lines import Cited, Source
    from agent.core.policy.charter import Charter


@dataclass(frozen=True, slots=True)
class Prohibition:
    """One sentence of the charter, and the line it rests on."""

    says: str
    cited: Cited


def prohibitions(charter: Charter | None, lines: Source | None) -> tuple[Prohibition, ...]:
    """All of them, but for barred places and hours, which are told with the cameras; none without a
    charter.
    """
    return tuple(_prohibitions(charter, lines)) if charter and lines else ()


def _prohibitions(charter: Charter, lines: Source) -> Iterator[Prohibition]:
    listed = (
        ("forbidden_purposes", charter.forbidden_purposes, "no reading may be used for {}"),
        ("forbidden_recipients", charter.forbidden_recipients, "no reading may go to {}"),
        ("forbidden_kinds", charter.forbidden_kinds, "no reading may go to an agency of kind {}"),
    )
    for key, names, says in listed:
        if names:
            yield Prohibition(says.format(quoted_names(sorted(names))), lines.cite(key))
    for key, allowed, says in (
        ("allowed_purposes", charter.allowed_purposes, "readings may be used only for {}"),
        ("allowed_recipients", charter.allowed_recipients, "readings may go only to {}"),
        ("allowed_kinds", charter.allowed_kinds, "readings may go only to agencies of kind {}"),
    ):
        if allowed is not None:
            named = quoted_names(sorted(allowed)) if allowed else "nobody and nothing"
            yield Prohibition(says.format(named), lines.cite(key))
    yield Prohibition(
        f"cars are looked for only as {quoted_names(sorted(charter.allowed_categories))}",
        lines.cite("allowed_categories"),
    )
    yield Prohibition(
        f"no reading is kept longer than {charter.max_retention_days} days",
        lines.cite("max_retention"),
    )
    yield from _of_lists(charter, lines)


def _of_lists(charter: Charter, lines: Source) -> Iterator[Prohibition]:
    """What the charter writes of hot lists; whose two signatures an entry by hand needs."""
    rules, written = charter.hotlist, lines.value("hotlist")
    said = (
        ("most_entries", f"a hot list holds at most {rules.most_entries} entries"),
        ("additions_per_day", f"at most {rules.additions_per_day} plates a day are added by hand"),
        ("look_alikes", f"at most {rules.look_alikes} entries can be taken for one another"),
        ("longest_days", f"an entry by hand lasts at most {rules.longest_days} days"),
        ("case_forms", f"a case number has the form {quoted_names(list(rules.case_forms))}"),
    )
    for key, says in said:
        if isinstance(written, dict) and written.get(key) not in (None, []):
            yield Prohibition(says, lines.cite("hotlist", key))
    if rules.signers:
        named = ", ".join(signer_named(name, key) for key, name in rules.signers.items())
        yield Prohibition(
            f"nobody puts a plate on the list alone: two of {named} must sign",
            lines.cite("hotlist_signer", 0, "name"),
        )
