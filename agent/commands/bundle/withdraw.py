"""`platewarden bundle withdraw`: gives a proposal up, with the signatures under it."""

import json
from typing import Annotated

import typer

from agent.city.city_lock import only_writer
from agent.commands.city_options import City, Json
from agent.core.text.plain_words import quoted_names
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def withdraw(
    city: City,
    role: Annotated[str, typer.Option("--role", help="The role whose next version is given up.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    as_json: Json = False,
) -> None:
    """Give up what is pending for a role. What is published stays in force, and drafts stay.

    Signatures on sticks are not taken for this version any more.
    """
    from agent.bundles.repository.assembly import told
    from agent.bundles.repository.published import CityRepository
    from agent.city.proposal import give_up, standing_of

    repository = CityRepository(city)
    shown, standings = standing_of(repository, role)
    version = shown.metadata.signed.version
    signed = sorted({name for one in standings for name in one.signed})
    if not yes:
        typer.echo(visible(f"{role}, version {version}: {'; '.join(map(told, standings))}"))
        if not typer.confirm("Withdraw it?", err=True):
            typer.echo("Nothing was withdrawn.", err=True)
            raise typer.Exit(1)
    with only_writer(city):
        give_up(repository, shown)
    if as_json:
        typer.echo(json.dumps({"role": role, "version": version, "was_signed_by": signed}))
        return
    lost = f"; signatures of {quoted_names(signed)} fall away" if signed else ""
    typer.echo(visible(f"Withdrawn: {role}, version {version}{lost}."))
