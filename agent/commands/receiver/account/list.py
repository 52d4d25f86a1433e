"""`platewarden receiver account list`: who may sign in to the inbox."""

import json

import typer

from agent.commands.receiver.receiver_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command(name="list")
def list_accounts(folder: Folder, as_json: Json = False) -> None:
    """Show the accounts and their organizations."""
    from agent.core.text.visible import visible
    from agent.receiver.inbox.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    accounts = AccountFolder(Workplace(folder).folder)
    found = [account for name in accounts.names() if (account := accounts.find(name))]
    if as_json:
        told = [{"name": one.name, "organization": one.organization} for one in found]
        typer.echo(json.dumps({"accounts": told}))
        return
    for one in found:
        typer.echo(visible(f"{one.name}  {one.organization}"))
    if not found:
        typer.echo("no account yet: `platewarden receiver account add` makes one")
