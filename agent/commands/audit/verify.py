"""`platewarden audit verify`: names what was changed, deleted, withheld or reordered in a log."""

import json
from typing import TYPE_CHECKING

import typer

from agent.commands.audit.audit_options import Kept, Keys, Logs, Root
from agent.commands.audit.audit_output import as_table, lines, sentence, summary
from agent.commands.city_options import Json
from agent.core.text.visible import visible
from agent.errors import LogRefusedError, PlatewardenError, UsageError

if TYPE_CHECKING:
    from agent.audit.log_verify import LogReport
    from agent.audit.many_logs import Verification

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    paths: Logs,
    key: Keys = None,
    root: Root = None,
    checkpoint: Kept = None,
    as_json: Json = False,
) -> None:
    """Verify logs against their signed checkpoints.

    Exit 0: whole. Exit 1: unreadable. Exit 2: nothing, or not all, could be checked. Exit 3: not
    what was signed, or leaves are withheld.
    """
    from agent.audit.many_logs import verify_all

    done = verify_all(paths, key or (), root, checkpoint or ())
    if as_json:
        typer.echo(json.dumps(_tables(done), ensure_ascii=True))
        if done.exit_code:
            raise typer.Exit(done.exit_code)
        return
    for number, (report, keys) in enumerate(done.logs):
        if number:
            typer.echo()
        for line in lines(report, keys):
            typer.echo(visible(line))
    if done.many:
        typer.echo()
        for line in summary(done):
            typer.echo(visible(line))
    error = _error(done)
    if error is not None:
        raise error


def _tables(done: "Verification") -> dict[str, object]:
    """One log: its table; several: a list of them (docs/ref/audit-log.md, "Output of verify")."""
    tables = [as_table(report, keys) for report, keys in done.logs]
    if not done.many and tables:
        return tables[0]
    return {
        "ok": not done.exit_code,
        "logs": tables,
        "failed": [str(error) for error in done.failed],
        "unused_checkpoints": [str(file) for file in done.unused],
    }


def _error(done: "Verification") -> PlatewardenError | None:
    """The worst of it, as the command's last word."""
    worst = [report for report, _ in done.logs if report.verdict.exit_code == done.exit_code]
    if done.exit_code == LogRefusedError.exit_code:
        return _refusal(worst[0])
    failed = [error for error in done.failed if error.exit_code == done.exit_code]
    if failed or not done.exit_code:
        return failed[0] if failed else None
    if worst and worst[0].unverified:
        return UsageError(
            f"nothing was verified: {worst[0].unverified}",
            where=worst[0].path,
            fix="give the key that the city enrolled for this camera, or its roster.jws",
        )
    what = worst[0].unusable[0] if worst else f"{done.unused[0]} is of none of these logs"
    return UsageError(
        f"not all was checked: {what}",
        fix="give the checkpoint as it was copied then, with the log that it is of",
    )


def _refusal(report: "LogReport") -> LogRefusedError:
    first = report.faults[0]
    return LogRefusedError(
        first.reason,
        sentence(first),
        where=report.path,
        fix="keep the folder unchanged as evidence; see docs/guide/auditor.md",
    )
