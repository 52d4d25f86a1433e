"""`platewarden hotlist publish`: encrypts the list to the cameras, signs it and publishes it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.city_options import City, Json, On, PassphraseFile
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def publish(
    city: City,
    key: Annotated[
        str,
        typer.Option(
            "--key", help="The key of role hotlist: a PEM file, or a token's pkcs11: URI."
        ),
    ],
    online_key: Annotated[
        str,
        typer.Option(
            "--online-key",
            help="The online key, to publish at once. Without it, the next `bundle publish "
            "--renew` publishes the list.",
        ),
    ] = "",
    passphrase_file: PassphraseFile = None,
    online_passphrase_file: Annotated[
        Path | None,
        typer.Option("--online-passphrase-file", help="As --passphrase-file, for --online-key."),
    ] = None,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Encrypt the list to all enrolled cameras, sign it and publish it. Made for cron.

    With --online-key the result is verified here as a camera verifies it.

    Exit 0: published, or unchanged and still fresh. Exit 1: try again. Exit 2: list, folder or key
    is wrong. Exit 3: refused; or a camera refuses what is published, or something in it has ended.
    """
    from agent.bundles.repository.signing_keys import load_signer
    from agent.city.city_lock import only_writer
    from agent.city.hotlist_publication import publish_list
    from agent.city.moment import moment
    from agent.city.passphrase import secret_from

    with only_writer(city):
        signer = load_signer(key, secret_from(passphrase_file))
        online = (
            load_signer(online_key, secret_from(online_passphrase_file or passphrase_file))
            if online_key
            else None
        )
        sent = publish_list(city, signer, online, lambda rig: moment(on, rig=rig))
    if sent.stale_after <= moment(on, rig=True):
        print(
            f"platewarden: the list is stale: it was made at {sent.as_of:%Y-%m-%d %H:%M} UTC, and "
            "cameras match nothing with it. Import a newer one.",
            file=sys.stderr,
        )
    typer.echo(json.dumps(sent.table()) if as_json else sent.told())
    for line in sent.warnings():
        typer.echo(f"platewarden: {visible(line)}", err=True)
    raise typer.Exit(sent.exit_code)
