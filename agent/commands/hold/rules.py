"""`platewarden hold rules`: the charter's rules for holds, signed for recipients."""

import json
from typing import Annotated

import typer

from agent.city.city_lock import only_writer
from agent.city.passphrase import secret_from
from agent.commands.city_options import City, Json, On, PassphraseFile
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def rules(
    city: City,
    roster_key: Annotated[
        str, typer.Option("--roster-key", help="Your private key of the city's root (PEM).")
    ],
    passphrase_file: PassphraseFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")] = False,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Sign who may order a hold, as the charter's [holds] says: hold-rules.jws, for recipients.

    Where several hold the city's root, each signs the same file in turn.
    """
    from agent.city.hold_signature import plan_rules
    from agent.city.moment import moment

    plan = plan_rules(city, roster_key, moment(on), secret_from(passphrase_file))
    for line in plan.lines:
        typer.echo(visible(line), err=as_json)
    if not yes and not typer.confirm("Sign these rules?", err=True):
        typer.echo("Nothing was signed.", err=True)
        raise typer.Exit(1)
    with only_writer(city):
        plan.keep()
    if as_json:
        table = {"file": str(plan.path), "signed": list(plan.signed), "missing": plan.missing}
        typer.echo(json.dumps(table))
        return
    for line in plan.told("Enough have signed. Give it to every recipient, with root.json."):
        typer.echo(visible(line))
