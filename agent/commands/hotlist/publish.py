"""`platewarden hotlist publish`: encrypts the list to the cameras, signs it and publishes it."""

import json
from typing import Annotated

import typer

from agent.commands.city_options import Json, On, PassphraseFile
from agent.commands.hotlist.hotlist_options import City, OnlinePassphraseFile

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
    online_passphrase_file: OnlinePassphraseFile = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="Encrypt the whole list anew, where changes would do: after a camera said that "
            "it cannot apply them.",
        ),
    ] = False,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Encrypt the list to all enrolled cameras, sign it and publish it. Made for cron.

    With --online-key the result is verified here as a camera verifies it.

    Exit 0: published, or unchanged and still fresh. Exit 1: try again. Exit 2: list, folder or key
    is wrong. Exit 3: refused; or a camera refuses what is published, or something in it has ended.
    """
    from agent.commands.hotlist.hotlist_sender import Keys, send, told_of

    keys = Keys(key, online_key, passphrase_file, online_passphrase_file)
    sent = send(city, keys.loaded(), on, whole=whole)
    typer.echo(json.dumps(sent.table()) if as_json else sent.told())
    told_of(sent, on)
