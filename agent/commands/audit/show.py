"""`platewarden audit show`: what verified logs say, by day, camera, recipient, rule and kind."""

import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.audit.audit_options import Kept, Keys, Logs, Root
from agent.commands.audit.audit_outcome import error_of
from agent.commands.audit.audit_output import leaves_bar, summary
from agent.core.text.visible import visible
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.audit.many_logs import Verification
    from agent.audit.shown_leaves import ShownLeaf

_DAY = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)
app = typer.Typer(add_completion=False)


class Form(StrEnum):
    """What is printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


def _some(name: str, what: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(
        name, help=f"Only of this {what}. May be given many times."
    )
    return found


@app.command()
def show(
    paths: Logs,
    key: Keys = None,
    root: Root = None,
    checkpoint: Kept = None,
    day: Annotated[
        str, typer.Option(help="Only of this day, month or year: 2026-10-31, 2026-10, 2026.")
    ] = "",
    camera: Annotated[list[str] | None, _some("--camera", "camera")] = None,
    recipient: Annotated[list[str] | None, _some("--recipient", "recipient")] = None,
    rule: Annotated[list[str] | None, _some("--rule", "rule")] = None,
    kind: Annotated[list[str] | None, _some("--kind", "kind of leaf")] = None,
    form: Annotated[
        Form, typer.Option("--as", metavar="FORM", help="text, json, csv or html: one HTML file.")
    ] = Form.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as `--as json`.")] = False,
) -> None:
    """Verify logs, and show their leaves in the order of their times.

    A withheld leaf is always shown: it may be what you look for. Exit codes are those of `audit
    verify`.
    """
    from agent.audit.log_verify import Asked
    from agent.audit.many_logs import verify_all
    from agent.audit.shown_leaves import Wanted, shown_leaves

    if day and not _DAY.fullmatch(day):
        raise UsageError("is no day", where=f"--day {day}", fix="write 2026-10-31, or 2026-10")
    wanted = Wanted(day, camera or (), recipient or (), rule or (), kind or ())
    with leaves_bar() as tell:
        done = verify_all(paths, key or (), root, Asked(checkpoint or ()), tell)
    leaves = shown_leaves([report for report, _ in done.logs], wanted)
    for piece in _pieces(Form.JSON if as_json else form, leaves, done, wanted.words()):
        typer.echo(piece, nl=False)
    error = error_of(done)
    if error is not None:
        raise error


def _pieces(
    form: Form, leaves: "Iterable[ShownLeaf]", done: "Verification", asked: str
) -> Iterator[str]:
    from agent.audit import leaf_tables

    reports = [report for report, _ in done.logs]
    match form:
        case Form.TEXT:
            yield from (f"{visible(line)}\n" for line in leaf_tables.as_lines(leaves))
            yield from (f"{visible(line)}\n" for line in summary(done))
        case Form.CSV:
            yield from leaf_tables.as_csv(leaves)
        case Form.HTML:
            yield from leaf_tables.as_html(leaves, reports, asked)
        case Form.JSON:
            logs = [{"origin": one.origin, "verdict": one.verdict.value} for one in reports]
            shown = [leaf_tables.as_values(leaf) for leaf in leaves]
            yield json.dumps({"logs": logs, "leaves": shown}, ensure_ascii=True) + "\n"
