"""`platewarden hotlist approve`: the second hand under an entry that somebody else added."""

import json
from typing import Annotated

import typer

from agent.city.passphrase import secret_from
from agent.commands.city_options import Json, PassphraseFile
from agent.commands.hotlist.hotlist_options import City, plate

app = typer.Typer(add_completion=False)


@app.command()
def approve(
    city: City,
    case: Annotated[str, typer.Option("--case", help="The entry's case number.")],
    signing_key: Annotated[
        str, typer.Option("--signing-key", help="Your key, which the charter names.")
    ],
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Sign an entry that another person added. The plate is asked for again."""
    from agent.city.hotlist_hand import approve as sign
    from agent.city.hotlist_hand import load_hand

    key = load_hand(signing_key, secret_from(passphrase_file))
    first = sign(city, plate(), case, key)
    told = f"approved: {first} added it. `hotlist publish` sends it to the cameras."
    typer.echo(json.dumps({"approved": 1, "added_by": first}) if as_json else told)
