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
    from agent.receiver.inbox.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    AccountFolder(Workplace(folder).folder).remove(name)
    typer.echo(f"removed {name}: its access records stay")
