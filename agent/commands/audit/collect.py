"""`platewarden audit collect`: the city's log takes in its cameras' checkpoints."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.audit.audit_options import Keys, Root
from agent.commands.city_options import City, Json
from agent.core.text.rfc3339 import from_posix_s
from agent.core.text.visible import visible
from agent.errors import PlatewardenError, UsageError

if TYPE_CHECKING:
    from agent.city.checkpoint_collection import Collected

app = typer.Typer(add_completion=False)
_HOUR_S = 3_600
_WORST_FIRST = (3, 1, 2)


@app.command()
def collect(
    city: City,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Cameras' logs, folders above logs, proofs that one has grown, or checkpoints.",
        ),
    ] = None,
    key: Keys = None,
    root: Root = None,
    missing_after: Annotated[
        int, typer.Option(min=1, help="Hours without a larger checkpoint that are told.")
    ] = 26,
    as_json: Json = False,
) -> None:
    """Write each camera's newest checkpoint into the city's log, after checking that it has only
    grown.

    One that does not fit, or does not come, is a leaf, too: every log that --key names is expected.
    Exit 0: all fit. Exit 1: one did not come. Exit 2: one could not be verified. Exit 3: one does
    not fit.
    """
    from agent.audit.trusted_keys import keys_of
    from agent.city.checkpoint_collection import collect as take_in
    from agent.city.city_lock import PATIENCE_S, only_writer
    from agent.city.city_log import city_log
    from agent.city.witness_reach import witness_reach

    if not key:
        raise UsageError(
            "no public key, so nothing could be verified",
            fix="give --key roster.jws and --root root.json, or the cameras' public.json",
        )
    keys = keys_of(key, root)
    with only_writer(city, PATIENCE_S), city_log(city) as log:
        done = take_in(
            city, log, paths or (), keys, missing_after * _HOUR_S, lambda: int(time.time())
        )
    reach = witness_reach(city)
    worst = _worst(done)
    if as_json:
        tables = [_table(one) for one in done]
        told = {"ok": worst is None, "city_log": asdict(reach), "logs": tables}
        typer.echo(json.dumps(told, ensure_ascii=True))
        if worst is not None:
            raise typer.Exit(worst.exit_code)
        return
    for one in done:
        typer.echo(visible(_line(one)))
    typer.echo(visible(reach.line()))
    if worst is not None:
        raise worst


def _worst(done: "tuple[Collected, ...]") -> PlatewardenError | None:
    errors = [one.error for one in done if one.error is not None]
    return next((one for code in _WORST_FIRST for one in errors if one.exit_code == code), None)


def _table(one: "Collected") -> dict[str, object]:
    """One log as plain values (docs/ref/audit-log.md, "Cameras' checkpoints")."""
    from agent.city.checkpoint_collection import reason_of

    last = one.before
    return {
        "origin": one.origin,
        "outcome": one.outcome,
        "size": one.size,
        "root": one.root.hex() or None,
        "before": last.checkpoint.size if last else None,
        "before_at": from_posix_s(last.at_s) if last else None,
        "leaf": one.leaf,
        "reason": reason_of(one) or None,
        "why": one.why,
    }


def _line(one: "Collected") -> str:
    leaf = f" (leaf {one.leaf})" if one.leaf is not None else ""
    if one.why:
        return f"{one.outcome.upper():<11} {one.origin}{leaf}: {one.why}".replace("  :", ":")
    before = f", {one.before.checkpoint.size} before" if one.before else ""
    return f"{one.outcome:<11} {one.origin}{leaf}: {one.size} leaves{before}"
