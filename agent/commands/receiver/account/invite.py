"""`platewarden receiver account invite`: lets a person make a passkey, and needs no password."""

import json
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder, Json
from agent.receiver.inbox.people.account_role import Role

app = typer.Typer(add_completion=False)


@app.command()
def invite(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="As it stands in every access record.")],
    organization: Annotated[
        str | None,
        typer.Option("--organization", help="For whom this person works, of a new account."),
    ] = None,
    role: Annotated[
        Role | None,
        typer.Option(
            "--role",
            metavar="analyst|reader",
            help="Of a new account: what it may do; without it an analyst.",
        ),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Remove all passkeys of the account first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print a code with which one passkey can be made, once and within a day.

    The account is made where there is none, without a password.
    """
    from agent.errors import UsageError
    from agent.host.clock import SystemClock
    from agent.receiver.inbox.passkeys.invitations import InvitationFolder
    from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
    from agent.receiver.inbox.people.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    place, now = Workplace(folder).folder, SystemClock().now().utc
    accounts = AccountFolder(place)
    account = accounts.find(name)
    if account is None:
        if organization is None:
            raise UsageError(
                "no such account",
                where=name[:40],
                fix="give --organization, and it is made without a password",
            )
        account = accounts.add(name, organization, None, now, role or Role.ANALYST)
    if role not in (None, account.role) or organization not in (None, account.organization):
        raise UsageError(
            f"is there already, as {account.role} of {account.organization}",
            where=account.name,
            fix="leave --role and --organization out, or `receiver account remove` it first",
        )
    if reset:
        PasskeyFolder(place).remove_all(account.name)
    code = InvitationFolder(place).invite(account, now)
    if as_json:
        typer.echo(json.dumps({"name": account.name, "code": code, "hours": 24}))
        return
    typer.echo(code)
    typer.echo(
        "Good once, for a day, at /invitation of the inbox. Hand it over yourself.", err=True
    )
