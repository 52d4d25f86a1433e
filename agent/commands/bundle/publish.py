"""`platewarden bundle publish`: everything that enough have signed, under a new snapshot and
timestamp by the online key; whole at every instant.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.city.city_lock import PATIENCE_S, only_writer
from agent.city.moment import moment
from agent.city.passphrase import secret_from
from agent.commands.city_options import City, Json, On, PassphraseFile
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def publish(
    city: City,
    key: Annotated[
        str,
        typer.Option(
            "--key",
            help="The online key, which signs snapshot and timestamp: a PEM file or a token's "
            "pkcs11: URI.",
        ),
    ],
    renew: Annotated[
        bool,
        typer.Option(
            "--renew",
            help="For the daily job. Publish also when nothing is new, so that nothing expires. "
            "Leave what lacks signatures.",
        ),
    ] = False,
    to: Annotated[
        list[Path] | None,
        typer.Option(
            "--to",
            help="Copy the whole repository here as well, to a stick or a web server's folder.",
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Publish what enough have signed, with a new snapshot and timestamp.

    Afterwards the repository is verified here as a camera verifies it.

    Exit 0: published, or there was nothing new. Exit 1: a copy could not be written. Exit 3: a
    camera refuses the result, something in it has ended, a newer copy exists, or (without --renew)
    something lacks signatures.
    """
    from agent.bundles.repository.signing_keys import load_signer
    from agent.city.publication import publish_city

    # Before the lock: a passphrase is asked for here.
    signer = load_signer(key, secret_from(passphrase_file))
    with only_writer(city, PATIENCE_S):
        done = publish_city(
            city,
            signer,
            lambda rig: moment(on, rig=rig),
            renew=renew,
            to=tuple(to or ()),
        )
    if as_json:
        typer.echo(json.dumps(done.table(), ensure_ascii=True))
    else:
        for line in done.lines():
            typer.echo(visible(line))
    for line in done.warnings():
        typer.echo(f"platewarden: {visible(line)}", err=True)
    raise typer.Exit(done.exit_code)
