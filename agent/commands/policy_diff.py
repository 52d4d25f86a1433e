"""`platewarden policy diff`: what a change of policy lets out, in words, the worst first; what a signer is shown before signing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.core.reasons import Reason
from agent.errors import PolicyRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.core.diffing_notes import Change, Note
    from agent.core.diffing_words import Compared
    from agent.core.explaining_lines import Cited

app = typer.Typer(add_completion=False)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The policy as it is.")],
    new: Annotated[Path, typer.Argument(help="The policy as it would be.")],
    charter: Annotated[Path | None, typer.Option(help="The council's charter for both; without: charter.toml beside each, or beside the other.")] = None,
    roster: Annotated[Path | None, typer.Option(help="The roster of cameras for both; without: roster.toml beside each, or beside the other.")] = None,
    no_gain: Annotated[bool, typer.Option("--no-gain", help="For scripts: exit 3 if the change lets anything out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page: one offline HTML file.")] = None,
) -> None:
    """Tell what a change of policy lets out, in words, the worst first; then what it restricts.

    Exit 0: told, whatever it lets out; 3: the charter forbids the new policy, or --no-gain was given and the change lets something out.
    """
    from agent.commands._policy_files import load_both, write_page
    from agent.core.diffing_words import compare

    compared = compare(*load_both(old, new, charter, roster))
    if html is not None:
        from agent.commands._policy_diff_page import render

        write_page(html, render(compared))
    if as_json:
        print(json.dumps(as_table(compared), ensure_ascii=True))
    else:
        for line in told(compared, str(old), str(new)):
            print(line)
    if compared.refused:
        raise PolicyRefusedError(compared.refused[0].reason, "the charter forbids the new policy: no camera under it would start", where=new, fix="change it")
    if no_gain and compared.lets_out:
        raise PolicyRefusedError(
            Reason.POLICY_LETS_OUT_MORE, f"the change lets out more in {len(compared.lets_out)} ways", where=new, fix="whoever signs must want that"
        )


def as_table(compared: "Compared") -> dict[str, object]:
    """The comparison as plain values (docs/ref/policy-diff.md)."""
    return {
        "old": {"name": compared.old.name, "version": compared.old.version, "digest": compared.old.digest},
        "new": {"name": compared.new.name, "version": compared.new.version, "digest": compared.new.digest},
        "nothing_changes": compared.nothing,
        "refused_by_charter": [{"reason": fault.reason.value, "what": fault.what, "file": fault.where, "line": fault.line} for fault in compared.refused],
        "lets_out": [_change(change) for change in compared.lets_out],
        "restricts": [_change(change) for change in compared.restricts],
        "also": [{"says": note.says, "lines": _lines(note.cited)} for note in compared.notes],
    }


def told(compared: "Compared", old: str, new: str) -> "Iterator[str]":
    """The comparison for people."""
    yield f"old  {compared.old.name}, version {compared.old.version}: {old}"
    yield f"new  {compared.new.name}, version {compared.new.version}: {new}"
    yield ""
    if compared.refused:
        yield "The charter forbids the new policy. A camera refuses it whole; were it obeyed:"
        for fault in compared.refused:
            yield f"  [{fault.reason}] {fault}"
        yield ""
    if compared.nothing:
        same = compared.old.digest == compared.new.digest
        yield "Nothing changes." if same else "Nothing changes but comments, spelling, order or the version's number."
        return
    yield from _section("It lets out more, the worst first", compared.lets_out)
    yield from _section("It lets out less", compared.restricts)
    yield from _section("It also changes", compared.notes)
    if not compared.lets_out:
        yield "It lets out nothing more."


def _section(title: str, entries: "Iterable[Change | Note]") -> "Iterator[str]":
    from agent.commands._policy_explain_text import fill, quoted

    for number, entry in enumerate(entries, 1):
        if number == 1:
            yield title
        yield from fill(f"{number}. {entry.says}", 2, 5)
        yield from quoted(entry.cited)
    if entries:
        yield ""


def _change(change: "Change") -> dict[str, object]:
    return {
        "kind": change.kind.value,
        "recipient": change.recipient,
        "purpose": change.purpose or None,
        "says": change.says,
        "lines": _lines(change.cited),
    }


def _lines(cited: "Iterable[Cited]") -> list[dict[str, object]]:
    return [{"file": line.where, "line": line.line or None, "text": line.text} for line in cited]
