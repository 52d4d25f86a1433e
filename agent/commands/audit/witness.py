"""`platewarden audit witness`: looks whether logs have only grown, and cosigns them as they are."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.audit.audit_options import Keys, Root
from agent.commands.city_options import Json
from agent.core.text.rfc3339 import from_posix_s
from agent.core.text.visible import visible
from agent.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from agent.audit.witnesses.log_witness import Looked

app = typer.Typer(add_completion=False)


@app.command()
def witness(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...",
            help="A log, a folder above logs, a proof that a log has grown (`audit prove --grown`) "
            "or a checkpoint.",
        ),
    ] = None,
    state: Annotated[
        Path, typer.Option(help="This witness's folder: its key, and what it has cosigned.")
    ] = Path("witness"),
    new: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Make the folder and its key, once. NAME begins with a domain of yours: "
            "example.org/witness-1.",
        ),
    ] = None,
    key: Keys = None,
    root: Root = None,
    as_json: Json = False,
) -> None:
    """Cosign logs that have only grown since this witness saw them last (C2SP tlog-cosignature).

    For a clerk, a newspaper, another city: run it daily (cron). Exit 0: all are cosigned. Exit 1:
    unreadable. Exit 2: nothing could be verified. Exit 3: a log shows less than before, or another
    history.
    """
    from agent.audit.trusted_keys import keys_of
    from agent.audit.witnesses.log_witness import exit_code_of, witness_all
    from agent.audit.witnesses.witness_folder import new_witness, open_witness

    if new is not None:
        public = new_witness(state, new)
        typer.echo(json.dumps({"vkey": str(public)}) if as_json else f"vkey        {public}")
        return
    if not key or not paths:
        raise UsageError(
            "says neither what to look at, nor by which key" if not paths else "no public key",
            fix="give the logs, and --key FILE: the city's roster.jws with --root, or public.json",
        )
    with open_witness(state) as folder:
        looked = witness_all(paths, folder, keys_of(key, root), lambda: int(time.time()))
    code = exit_code_of(looked)
    if as_json:
        tables = [_table(one) for one in looked]
        told = {"ok": not code, "witness": folder.public.name, "logs": tables}
        typer.echo(json.dumps(told, ensure_ascii=True))
        if code:
            raise typer.Exit(code)
        return
    for one in looked:
        for line in _lines(one):
            typer.echo(visible(line))
    worst = next((one.error for one in looked if one.error and one.error.exit_code == code), None)
    if worst is not None:
        raise worst


def _table(one: "Looked") -> dict[str, object]:
    """One path as plain values (docs/ref/audit-log.md, "Witnesses")."""
    last = one.last
    return {
        "path": str(one.path),
        "origin": one.signed.origin if one.signed else "",
        "cosigned": one.file is not None,
        "size": one.signed.size if one.signed else None,
        "root": one.signed.root.hex() if one.signed else None,
        "at": from_posix_s(one.at_s) if one.at_s is not None else None,
        "file": str(one.file) if one.file else None,
        "before": {
            "size": last.checkpoint.size,
            "root": last.checkpoint.root.hex(),
            "at": from_posix_s(last.at_s),
            "file": str(last.file),
        }
        if last
        else None,
        "reason": one.error.reason if isinstance(one.error, RefusedError) else None,
        "error": str(one.error) if one.error else None,
    }


def _lines(one: "Looked") -> list[str]:
    if one.signed is None or one.file is None:
        return [f"NOT COSIGNED {one.path}: {one.error}"]
    last = one.last.checkpoint.size if one.last else None
    before = f"{last} before" if last is not None else "seen for the first time"
    return [
        f"log         {one.signed.origin}",
        f"cosigned    {one.signed.size} leaves ({before}), root {one.signed.root.hex()}",
        f"file        {one.file}",
    ]
