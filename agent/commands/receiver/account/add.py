"""`platewarden receiver account add`: lets a person sign in to the inbox."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder
from agent.receiver.inbox.people.account_role import Role

app = typer.Typer(add_completion=False)


@app.command()
def add(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="As it stands in every access record.")],
    organization: Annotated[
        str, typer.Option("--organization", help="For whom this person works.")
    ],
    role: Annotated[
        Role, typer.Option("--role", metavar="analyst|reader", help="What it may do.")
    ] = Role.ANALYST,
    passphrase_file: Annotated[
        Path | None,
        typer.Option("--passphrase-file", help="Take the password from this file (mode 0600)."),
    ] = None,
) -> None:
    """Make an account, and show once what its holder's authenticator scans."""
    import sys

    import segno

    from agent.city.passphrase import new_passphrase
    from agent.host.clock import SystemClock
    from agent.receiver.inbox.people.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    accounts = AccountFolder(Workplace(folder).folder)
    password = new_passphrase(f"the account {name[:40]!a}", passphrase_file)
    account = accounts.add(name, organization, password, SystemClock().now().utc, role)
    uri = account.provisioning_uri()
    segno.make(uri, error="m", micro=False).terminal(sys.stderr, compact=True, border=2)
    typer.echo(uri)
    typer.echo("Scan it now: it is not shown again, and whoever has it has the codes.", err=True)
