"""`platewarden audit verify`: names what was changed, deleted or reordered in a log."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.city_options import Json
from agent.core.text.visible import visible
from agent.errors import LogRefusedError

if TYPE_CHECKING:
    from agent.storage.log_check import Fault
    from agent.storage.log_key import TrustedLogKeys
    from agent.storage.log_verify import LogReport

MAX_SHOWN = 20

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    path: Annotated[
        Path, typer.Argument(help="A log's folder (state/watch, state/deliver) or its log.sqlite.")
    ],
    key: Annotated[
        Path | None,
        typer.Option(
            help="Public keys: the device's public.json, a JWK, a PEM or a `name+id+key` line."
        ),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that you kept from earlier. May be given many times."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a log against its signed checkpoints.

    Exit 0: whole. Exit 1: unreadable. Exit 3: not what was signed.
    """
    from agent.storage.log_key import load_trusted_keys
    from agent.storage.log_verify import keys_nearby
    from agent.storage.log_verify import verify as verify_log

    keys = load_trusted_keys(key) if key else keys_nearby(path)
    report = verify_log(path, keys, checkpoint or ())
    if as_json:
        typer.echo(json.dumps(as_table(report, keys), ensure_ascii=True))
        if report.faults:
            raise typer.Exit(LogRefusedError.exit_code)
        return
    for line in _lines(report, keys):
        typer.echo(visible(line))
    if report.faults:
        first = report.faults[0]
        raise LogRefusedError(
            first.reason,
            _sentence(first),
            where=path,
            fix="keep the folder unchanged as evidence; see docs/guide/auditor.md",
        )


def as_table(report: "LogReport", keys: "TrustedLogKeys") -> dict[str, object]:
    """The report as plain values (docs/ref/audit-log.md, "Output of verify")."""
    head = report.head
    return {
        "ok": not report.faults,
        "origin": report.origin,
        "key": str(keys.source),
        "leaves": report.leaves,
        "pruned": report.pruned,
        "kinds": dict(report.kinds),
        "first_at": report.first_at,
        "last_at": report.last_at,
        "checkpoint": {"size": head.size, "root": head.root.hex()} if head else None,
        "faults": [asdict(fault) for fault in report.faults],
        "warnings": list(report.warnings),
    }


def _lines(report: "LogReport", keys: "TrustedLogKeys") -> list[str]:
    lines = [
        f"log         {report.origin or '(unknown)'}",
        f"key         {keys.source}",
        f"leaves      {report.leaves}"
        + (f", {report.first_at} to {report.last_at}" if report.first_at else ""),
        *(f"  {kind:<10}{count}" for kind, count in report.kinds.items()),
    ]
    if report.head:
        lines.append(f"checkpoint  {report.head.size} leaves, root {report.head.root.hex()}")
    lines += [f"note        {warning}" for warning in report.warnings]
    lines += [
        f"FAULT       [{fault.reason}] {_sentence(fault)}" for fault in report.faults[:MAX_SHOWN]
    ]
    if len(report.faults) > MAX_SHOWN:
        lines.append(
            f"            … and {len(report.faults) - MAX_SHOWN} more faults (--json lists them "
            "all)"
        )
    lines.append(
        "NOT what was signed."
        if report.faults
        else "Whole: every leaf is the one that was signed, in its order."
    )
    return lines


def _sentence(fault: "Fault") -> str:
    if fault.leaf is None:
        return fault.what
    leaves = (
        f"leaf {fault.leaf}"
        if fault.last in (None, fault.leaf)
        else f"leaves {fault.leaf} to {fault.last}"
    )
    return f"{leaves}{f' of {fault.at}' if fault.at else ''}: {fault.what}"
