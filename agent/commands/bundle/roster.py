"""`platewarden bundle roster`: one holder's signature of the roster, where the city's root has
several keys; and how a city comes to have several.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.city.city_lock import only_writer
from agent.city.passphrase import secret_from
from agent.commands.city_options import (
    City,
    Enrol,
    Json,
    On,
    PassphraseFile,
    Replace,
    Retire,
    RosterKey,
    Yes,
    require_agreed,
)
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def roster(
    city: City,
    roster_key: RosterKey,
    enrol: Enrol = None,
    replace: Replace = None,
    retire: Retire = None,
    new_roster_key: Annotated[
        list[Path] | None,
        typer.Option(
            "--new-roster-key",
            help="From now on these hold the root: the public file (NAME.pub) of each, two at "
            "least. Needs nothing of the old key, which may be lost.",
        ),
    ] = None,
    threshold: Annotated[
        int, typer.Option("--threshold", min=2, max=9, help="How many of them must sign.")
    ] = 2,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Sign the roster as one of those who hold the city's root. The first one says what changes.

    The others sign the same roster without --enrol, --retire and --new-roster-key. When enough
    have signed, two of the policy's signers sign as ever: `bundle sign`.
    """
    from agent.bundles.repository.published import CityRepository
    from agent.city.carriage import identity
    from agent.city.moment import moment
    from agent.city.roster_change import Wanted
    from agent.city.roster_signature import Order, plan

    now = moment(on, rig=identity(CityRepository(city)).rig)
    wanted = Wanted(tuple(enrol or ()), tuple(replace or ()), tuple(retire or ()))
    order = Order(wanted, roster_key, tuple(new_roster_key or ()), threshold)
    found = plan(city, order, now, secret_from(passphrase_file))
    if not as_json or not yes:  # whoever is asked must have seen it
        for line in found.lines or ("No camera comes or goes.",):
            typer.echo(visible(line), err=as_json)
    require_agreed("Sign this roster?", yes=yes)
    with only_writer(city):
        found.keep()
    if as_json:
        table = {"change": list(found.lines), "signed": list(found.signed)}
        typer.echo(json.dumps({**table, "missing": found.missing}, ensure_ascii=True))
        return
    for line in found.told():
        typer.echo(visible(line))
