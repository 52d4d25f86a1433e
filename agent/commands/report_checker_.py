"""`platewarden report-checker`: writes the page with which anybody checks a report in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from agent.errors import UsageError

app = typer.Typer(add_completion=False)


@app.command()
def report_checker(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it, as HTML.")],
) -> None:
    """Write the page that checks a report in a browser, offline, without an installation."""
    from agent.city.report.checker.checker_page import checker_page
    from agent.disk.atomic_file import write_atomic

    if out.is_dir() or not out.parent.is_dir():
        raise UsageError(
            "not a file that can be written", where=out, fix="name a file in a folder that exists"
        )
    write_atomic(out, checker_page(), 0o644)
    typer.echo(f"written: {out}", err=True)
