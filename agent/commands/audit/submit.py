"""`platewarden audit submit`: asks witnesses to cosign logs (C2SP tlog-witness)."""

import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.audit.audit_options import Keys, Logs, Root
from agent.commands.city_options import Json
from agent.core.text.rfc3339 import from_posix_s
from agent.core.text.visible import visible
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.audit.witnesses.log_submission import Submitted

app = typer.Typer(add_completion=False)
_WORST_FIRST = (3, 1, 2)


@app.command()
def submit(
    paths: Logs,
    witness_policy: Annotated[
        Path,
        typer.Option(
            help="Which witnesses, where, and how many are enough (C2SP tlog-policy, with an "
            "address in each `witness` line)."
        ),
    ],
    key: Keys = None,
    root: Root = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the cosigned checkpoint goes. Without it: `cosigned` in the log."),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="Believe this authority's certificates (PEM), not the system's."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask witnesses over HTTPS to cosign logs' newest checkpoints (C2SP tlog-witness).

    For whoever keeps the logs, away from the cameras: run it daily (cron). Exit 0: enough have
    cosigned. Exit 1: too few answered. Exit 3: too few, and one has seen another history.
    """
    from agent.audit.found_logs import logs_at
    from agent.audit.trusted_keys import keys_nearby, keys_of
    from agent.audit.witnesses.asked_witnesses import policy_of
    from agent.audit.witnesses.log_submission import Submitted, submit
    from agent.audit.witnesses.witness_client import WitnessClient

    policy = policy_of((), None, witness_policy)
    assert policy is not None  # noqa: S101 (for mypy: a file was given)
    found, faults = logs_at(paths)
    if out is not None and len(found) != 1:
        raise UsageError("one file holds one log's checkpoint", fix="leave --out away")
    client = WitnessClient(_context(ca))
    keys = keys_of(key, root) if key else None
    done = [Submitted(Path(fault.where), error=fault) for fault in faults]
    done += [submit(one, keys or keys_nearby(one), policy, client.ask, out) for one in found]
    codes = {one.error.exit_code for one in done if one.error}
    code = next((code for code in _WORST_FIRST if code in codes), 0)
    if as_json:
        told = {"ok": not code, "quorum": str(policy), "logs": [_table(one) for one in done]}
        typer.echo(json.dumps(told, ensure_ascii=True))
        if code:
            raise typer.Exit(code)
        return
    for line in (line for one in done for line in _lines(one)):
        typer.echo(visible(line))
    worst = next((one.error for one in done if one.error and one.error.exit_code == code), None)
    if worst is not None:
        raise worst


def _context(ca: Path | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise UsageError("holds no certificate", where=ca, fix="give a PEM file") from None


def _table(one: "Submitted") -> dict[str, object]:
    """One log as plain values (docs/ref/audit-log.md, "Witnesses")."""
    return {
        "path": str(one.path),
        "origin": one.signed.origin if one.signed else "",
        "size": one.signed.size if one.signed else None,
        "root": one.signed.root.hex() if one.signed else None,
        "file": str(one.file) if one.file else None,
        "witnesses": [
            {
                "witness": witness.name,
                "answer": said.answer.value,
                "told": said.told,
                "at": from_posix_s(said.at_s) if said.at_s else None,
                "seen": said.seen,
            }
            for witness, said in one.asked
        ],
        "error": str(one.error) if one.error else None,
    }


def _lines(one: "Submitted") -> list[str]:
    if one.signed is None:
        return [f"NOT COSIGNED {one.path}: {one.error}"]
    lines = [
        f"log         {one.signed.origin}",
        f"checkpoint  {one.signed.size} leaves, root {one.signed.root.hex()}",
    ]
    for witness, said in one.asked:
        at = f", on {from_posix_s(said.at_s)}" if said.at_s else ""
        lines.append(f"witness     {witness.name} {said.told}{at}")
    lines.append(f"cosigned    {one.file}" if one.file else "NOT COSIGNED by enough of them")
    return lines
