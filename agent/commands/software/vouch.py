"""`platewarden software vouch`: for whoever holds the release key: states which packages a version
is made of, and signs that.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.city.passphrase import secret_from
from agent.commands.city_options import Json, PassphraseFile

app = typer.Typer(add_completion=False)


@app.command()
def vouch(
    packages: Annotated[
        list[Path], typer.Argument(help="The packages of this version, one for each kind.")
    ],
    key: Annotated[str, typer.Option("--key", help="The release key (PEM, Ed25519).")],
    out: Annotated[Path, typer.Option("--out", help="The statement's file, which is new.")],
    state: Annotated[
        int,
        typer.Option(
            "--state",
            min=1,
            max=1000,
            help="The number of the formats in which this version keeps logs, outbox and bundles.",
        ),
    ] = 1,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """State which packages a version is made of, and sign it (for the maintainers).

    A city gives the statement to `software release`. Alone it lets no camera install anything.
    """
    from agent.city.software_statement import vouch_for
    from agent.disk.atomic_file import write_new

    made = vouch_for(packages, key, state, secret_from(passphrase_file))
    write_new(out, made.text, 0o644)
    if as_json:
        typer.echo(json.dumps(made.table(), ensure_ascii=True))
        return
    for line in made.lines():
        typer.echo(line)
    typer.echo(f"{out}: give it to cities, with the packages.")
