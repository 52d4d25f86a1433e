"""`platewarden receiver account remove`: a person may no longer sign in to the inbox."""

from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def remove(
    folder: Folder, name: Annotated[str, typer.Argument(help="Whose account goes.")]
) -> None:
    """Remove an account: its sessions end with their next request, its access records stay."""
    from agent.receiver.inbox.passkeys.invitations import InvitationFolder
    from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
    from agent.receiver.inbox.people.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    place = Workplace(folder)
    AccountFolder(place.folder).remove(name)
    PasskeyFolder(place.folder).remove_all(name)
    InvitationFolder(place.folder).end(name)
    typer.echo(f"removed {name}: its access records stay")
    provider = place.settings.inbox.oidc
    if provider is not None and provider.create_accounts:
        typer.echo(
            "The provider makes accounts (create_accounts): end the person's groups there too.",
            err=True,
        )
