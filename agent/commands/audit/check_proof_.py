"""`platewarden audit check-proof`: checks a proof without the log."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.audit.audit_options import Keys, Quorum, Root, Witnesses, WitnessFile
from agent.commands.audit.audit_output import witness_lines, witness_table
from agent.commands.city_options import Json
from agent.core.text.visible import visible
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.audit.proofs.proof_check import Proven

app = typer.Typer(add_completion=False)


@app.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="A proof that `audit prove` made.")],
    key: Keys = None,
    root: Root = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint that you kept, which the proof must fit.")
    ] = None,
    under: Annotated[
        Path | None,
        typer.Option(
            help="A proof of the city's log that tells of this proof's checkpoint "
            "(cameras/NAME.tlog-proof of `audit publish`). Witnesses are then the city's log's."
        ),
    ] = None,
    witness: Witnesses = None,
    quorum: Quorum = None,
    witness_policy: WitnessFile = None,
    as_json: Json = False,
) -> None:
    """Check a proof from the proof, the key and one checkpoint alone.

    Exit 0: proven. Exit 2: nothing could be checked, or too few witnesses cosigned. Exit 3: the
    proof does not hold.
    """
    from agent.audit.proofs.camera_in_city import check_in_city
    from agent.audit.proofs.proof_check import check_proof as check
    from agent.audit.trusted_keys import keys_of
    from agent.audit.witnesses.asked_witnesses import policy_of

    if not key:
        raise UsageError(
            "no public key, so nothing was verified",
            where=file,
            fix="give --key FILE: the camera's public.json from the city's records, or its "
            "roster.jws",
        )
    asked = policy_of(witness or (), quorum, witness_policy)
    keys = keys_of(key, root)
    proven = check(file, keys, checkpoint, None if under else asked)
    city = check_in_city(proven, under, keys, asked) if under else None
    if as_json:
        told = {"city": _table(city)} if city else {}
        typer.echo(json.dumps({**_table(proven), **told}, ensure_ascii=True))
        return
    for line in (*(_lines(city) if city else ()), *_lines(proven)):
        typer.echo(visible(line))


def _table(proven: "Proven") -> dict[str, object]:
    witnesses = {"witnesses": witness_table(proven.witnessed)} if proven.witnessed else {}
    return {
        "proven": True,
        "origin": proven.signed.origin,
        "leaf": proven.leaf,
        "details": json.loads(proven.details) if proven.details else None,
        "since": proven.old_size or None,
        "checkpoint": {"size": proven.signed.size, "root": proven.signed.root.hex()},
        **witnesses,
    }


def _lines(proven: "Proven") -> list[str]:
    signed = proven.signed
    head = [
        f"log         {signed.origin}",
        f"checkpoint  {signed.size} leaves, root {signed.root.hex()}",
        *(witness_lines(proven.witnessed) if proven.witnessed else ()),
    ]
    if proven.leaf is None:
        return [*head, f"Proven: the first {proven.old_size} leaves are those of your checkpoint."]
    details = json.loads(proven.details)
    said = [f"  {name:<16}{value}" for name, value in details.items()]
    return [*head, f"leaf        {proven.leaf}", *said, "Proven: the log's key signed this leaf."]
