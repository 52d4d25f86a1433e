"""`platewarden audit collect`: the city's log takes in its cameras' checkpoints."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from agent.commands.audit.audit_options import Keys, Root
from agent.commands.city_options import City, Json
from agent.core.text.rfc3339 import from_posix_s
from agent.core.text.visible import visible
from agent.errors import NetworkError, PlatewardenError, UsageError
from agent.values import asdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

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
    broker: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Take in what cameras sent over this broker, and answer them: its folder, with "
            "the certificate that `broker collector` made.",
        ),
    ] = None,
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
    from agent.city.checkpoint_answers import answers_to
    from agent.city.checkpoint_collection import Collection
    from agent.city.checkpoint_collection import collect as take_in
    from agent.city.city_lock import PATIENCE_S, only_writer
    from agent.city.city_log import city_log
    from agent.city.witness_reach import witness_reach

    if not key:
        raise UsageError(
            "no public key, so nothing could be verified",
            fix="give --key roster.jws and --root root.json, or the cameras' public.json",
        )
    keys, now_s = keys_of(key, root), lambda: int(time.time())
    with _Broker(broker) as link:
        came = link.gather()
        with only_writer(city, PATIENCE_S), city_log(city) as log:
            done = take_in(city, log, paths or (), keys, missing_after * _HOUR_S, now_s, came)
            answers = tuple(answers_to(city, done, Collection(city, log)))
        link.answer(answers)
    reach, told = witness_reach(city), tuple(map(str, link.faults))
    worst = _worst((*(one.error for one in done if one.error), *link.faults))
    if as_json:
        tables = [_table(one) for one in done]
        table = {"ok": worst is None, "city_log": asdict(reach), "logs": tables, "broker": told}
        typer.echo(json.dumps(table, ensure_ascii=True))
        if worst is not None:
            raise typer.Exit(worst.exit_code)
        return
    for one in done:
        typer.echo(visible(_line(one)))
    for fault in told:
        typer.echo(visible(f"BROKER      {fault}"))
    typer.echo(visible(reach.line()))
    if worst is not None:
        raise worst


class _Broker:
    """The broker's part, or nothing where there is none: what is wrong with it is told, and the
    logs that did not come are told all the same.
    """

    def __init__(self, folder: Path | None) -> None:
        from agent.broker.checkpoint_link import CheckpointLink

        self._link = CheckpointLink(folder) if folder else None
        self.faults: list[PlatewardenError] = []

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        if self._link:
            self._link.close()

    def gather(self) -> "Mapping[str, Iterable[bytes]]":
        if self._link is None:
            return {}
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("checkpoints", total=None)
            try:
                came = self._link.gather(lambda count: bar.update(task, completed=count))
            except PlatewardenError as error:
                self.faults.append(error)
                return {}
        return came.messages

    def answer(self, answers: "Iterable[tuple[str, bytes]]") -> None:
        if self._link is None or self.faults:
            return
        try:
            refused = self._link.answer(answers)
        except PlatewardenError as error:
            self.faults.append(error)
            return
        if refused:
            what = f"the broker did not take {refused} answers to cameras"
            fix = "give it today's access list (`platewarden broker`)"
            self.faults.append(NetworkError(what, where="broker", fix=fix))


def _worst(errors: "Sequence[PlatewardenError]") -> PlatewardenError | None:
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
