"""`platewarden audit verify`: names what was changed, deleted, withheld or reordered in a log."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.audit.audit_options import (
    Kept,
    Keys,
    Logs,
    Quorum,
    Root,
    Witnesses,
    WitnessFile,
)
from agent.commands.audit.audit_outcome import error_of
from agent.commands.audit.audit_output import as_table, leaves_bar, lines, summary
from agent.commands.city_options import Json
from agent.core.text.visible import visible

if TYPE_CHECKING:
    from agent.audit.many_logs import Verification

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    paths: Logs,
    key: Keys = None,
    root: Root = None,
    checkpoint: Kept = None,
    every_signature: Annotated[
        bool,
        typer.Option(
            help="Check the signature of every stored checkpoint, also where the newest one "
            "vouches for it: four times slower or more."
        ),
    ] = False,
    witness: Witnesses = None,
    quorum: Quorum = None,
    witness_policy: WitnessFile = None,
    as_json: Json = False,
) -> None:
    """Verify logs against their signed checkpoints.

    Exit 0: whole. Exit 1: unreadable. Exit 2: nothing, or not all, could be checked, or too few
    witnesses cosigned. Exit 3: not what was signed, or leaves are withheld.
    """
    from agent.audit.log_verify import Asked
    from agent.audit.many_logs import verify_all
    from agent.audit.witnesses.asked_witnesses import policy_of

    asked = Asked(
        checkpoint or (),
        every_signature=every_signature,
        witnesses=policy_of(witness or (), quorum, witness_policy),
    )
    with leaves_bar() as tell:
        done = verify_all(paths, key or (), root, asked, tell)
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
    error = error_of(done)
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
