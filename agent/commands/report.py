"""`platewarden report`: the public report, and `--verify`, which makes it again."""

from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.city_options import Json
from agent.core.text.visible import visible
from agent.errors import LogRefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.city.report.make import Asked, Made, Tell

DIFFERS = 3
app = typer.Typer(add_completion=False)


class Form(StrEnum):
    """What is written."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"


@app.command()
def report(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="LOGS...", help="Logs, or folders above: every log below is taken."),
    ],
    city: Annotated[
        Path, typer.Option(help="The city's folder, or a copy of its published repository in one.")
    ],
    period: Annotated[
        str, typer.Option(help="The day, month or year: 2027-10-31, 2027-10, 2027.")
    ] = "",
    asked: Annotated[
        list[str] | None,
        typer.Option(help="Say whether anything went to this recipient, and why nothing could."),
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(help="Public keys of logs besides the cameras': the city log's public.json."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write it there, not to the screen.")] = None,
    form: Annotated[Form, typer.Option("--as", metavar="FORM", help="html, json or csv.")] = (
        Form.HTML
    ),
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The same as `--as csv`.")] = False,
    verify: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Make this report again, and say where it differs."),
    ] = None,
) -> None:
    """Make the public report from the city's signed archive and verified logs alone.

    Exit 3: a log is not whole, or the file given to --verify differs. The same files give the same
    bytes.
    """
    from agent.city.report.make import Asked, make
    from agent.city.report.report_tables import Period, require

    wanted = Asked(city, paths, Period(period), asked or (), key or ())
    if verify is not None:
        _verify(verify, wanted)
        return
    require(wanted.period.name, wanted.names)
    with logs_bar() as tell:
        made = make(wanted, tell)
    chosen = Form.JSON if as_json else Form.CSV if as_csv else form
    _write(_bytes(made, chosen), out)
    _tell_faults(made)


def _bytes(made: "Made", form: Form) -> bytes:
    from agent.city.report.shown import forms, report_page

    match form:
        case Form.HTML:
            return report_page.as_html(made.report)
        case Form.JSON:
            return forms.as_json(made.report)
        case Form.CSV:
            return forms.as_csv(made.report)


def _write(data: bytes, out: Path | None) -> None:
    from agent.disk.atomic_file import write_atomic

    if out is None:
        typer.echo(data.decode(), nl=False)
        return
    if out.is_dir() or not out.parent.is_dir():
        raise UsageError(
            "not a file that can be written", where=out, fix="name a file in a folder that exists"
        )
    write_atomic(out, data, 0o644)
    typer.echo(f"written: {out}", err=True)


def _verify(file: Path, wanted: "Asked") -> None:
    from agent.city.report.recompute import recompute

    with logs_bar() as tell:
        checked = recompute(file, wanted, tell)
    if not checked.differences:
        count = len(checked.made.logs)
        typer.echo(f"The same, byte for byte: made again from {count} logs and the archive.")
        return
    for one in checked.differences:
        typer.echo(visible(f"DIFFERS  {one}"))
    raise typer.Exit(DIFFERS)


def _tell_faults(made: "Made") -> None:
    """A report of logs that are not whole says so in itself, and the command says it, too."""
    for error in made.failed:
        typer.echo(visible(f"platewarden: {error}"), err=True)
    for one in made.logs:
        if one.report.faults:
            first = one.report.faults[0]
            raise LogRefusedError(
                first.reason,
                f"{one.report.origin}: {first.what}; the report says so",
                where=one.report.path,
                fix="see docs/guide/auditor.md, and publish nothing before it is explained",
            )
    if made.failed:
        raise made.failed[0]


@contextmanager
def logs_bar() -> "Iterator[Tell]":
    """A bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("logs", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
