"""`platewarden receiver account passkeys`: the passkeys of an account, and removing one."""

import json
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def passkeys(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="Whose.")],
    remove: Annotated[
        str | None, typer.Option("--remove", metavar="ID", help="Remove this one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the passkeys of an account, or remove one: its sessions end with their next request."""
    from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
    from agent.receiver.inbox.people.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    place = Workplace(folder).folder
    account = AccountFolder(place).existing(name)
    ring = PasskeyFolder(place)
    if remove is not None:
        ring.remove(account, remove)
    keys = ring.of(account).keys
    if as_json:
        told = [{"id": one.id, "made_at": one.made_at, "suspect": one.suspect} for one in keys]
        typer.echo(json.dumps({"name": account.name, "passkeys": told}))
        return
    for one in keys:
        suspect = "  may have been copied: remove it" if one.suspect else ""
        typer.echo(f"{one.id}  made {one.made_at}{suspect}")
    if not keys:
        typer.echo("no passkey: `platewarden receiver account invite` lets its holder make one")
