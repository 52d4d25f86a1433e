"""`platewarden receiver account link`: lets the provider of `[inbox.oidc]` speak for an account."""

from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def link(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="Whose account.")],
    subject: Annotated[
        str | None,
        typer.Option("--subject", help="By what the provider knows the person: `sub`."),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="The provider speaks for it no more.")] = False,
) -> None:
    """Link an account to a person at the provider, or end that. Sessions end with the link."""
    from agent.errors import ConfigError, UsageError
    from agent.receiver.inbox.people.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    place = Workplace(folder)
    if (subject is None) != end:
        raise UsageError("--subject or --end, and not both", fix="give one of them")
    if subject is None:
        AccountFolder(place.folder).link(name, "", "")
        typer.echo(f"the provider speaks for {name} no more")
        return
    settings = place.settings.inbox.oidc
    if settings is None:
        raise ConfigError(
            "no provider is named", where=folder, fix="write [inbox.oidc] into receiver.toml"
        )
    AccountFolder(place.folder).link(name, settings.issuer, subject)
    typer.echo(f"{settings.issuer} speaks for {name}")
