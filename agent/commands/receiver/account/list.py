"""`platewarden receiver account list`: who may sign in to the inbox."""

import json

import typer

from agent.commands.receiver.receiver_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command(name="list")
def list_accounts(folder: Folder, as_json: Json = False) -> None:
    """Show the accounts: organization, what each may do, and with what it signs in."""
    from agent.core.text.visible import visible
    from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
    from agent.receiver.inbox.people.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    place = Workplace(folder).folder
    accounts, passkeys = AccountFolder(place), PasskeyFolder(place)
    found = [
        {
            "name": one.name,
            "organization": one.organization,
            "role": one.role.value,
            "password": bool(one.phc),
            "passkeys": len(passkeys.of(one).keys),
            "provider": bool(one.subject),
        }
        for name in accounts.names()
        if (one := accounts.find(name))
    ]
    if as_json:
        typer.echo(json.dumps({"accounts": found}))
        return
    for line in found:
        ways = (
            "password, " * bool(line["password"]),
            f"{line['passkeys']} passkey(s)",
            ", provider" * bool(line["provider"]),
        )
        told = f"{line['name']}  {line['organization']}  {line['role']}: {''.join(ways)}"
        typer.echo(visible(told))
    if not found:
        typer.echo("no account yet: `platewarden receiver account add` makes one")
