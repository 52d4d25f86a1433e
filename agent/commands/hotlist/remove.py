"""`platewarden hotlist remove`: withdraws a plate, imported or added by hand."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.city_options import Json, On, PassphraseFile
from agent.commands.hotlist.hotlist_options import By, City, OnlinePassphraseFile, State, Why, plate
from agent.core.text.visible import visible
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.city.hotlist_way import Held

app = typer.Typer(add_completion=False)


@app.command()
def remove(
    city: City,
    state: State,
    by: By,
    why: Why,
    case: Annotated[
        str,
        typer.Option(
            "--case", help="Only the entry of this case. Without it, all entries of the plate."
        ),
    ] = "",
    protection: Annotated[
        bool, typer.Option("--protection", help="Also end a protection (never-release).")
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Send the list at once, as `hotlist publish` does.")
    ] = False,
    key: Annotated[str, typer.Option("--key", help="For --publish: the key of role hotlist.")] = "",
    online_key: Annotated[str, typer.Option("--online-key", help="As of `hotlist publish`.")] = "",
    passphrase_file: PassphraseFile = None,
    online_passphrase_file: OnlinePassphraseFile = None,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Withdraw a plate, imported or added. The plate is asked for, or read from standard input.

    It says what cameras may still look for. With --publish, exit codes are as of `hotlist publish`.
    """
    from agent.city.hotlist_acts import Actor, Meant, withdraw_entries
    from agent.city.moment import moment
    from agent.commands.hotlist.hotlist_sender import Keys, send, told_of

    if publish and not key:
        raise UsageError("needs the list's key", where="--publish", fix="give --key")
    named = Keys(key, online_key, passphrase_file, online_passphrase_file)
    keys = named.loaded() if publish else None  # before anybody is asked for a plate
    now = moment("")
    meant = Meant(plate(), state, case, protection=protection)
    done = withdraw_entries(city, meant, Actor(by, why, now))
    sent = send(city, keys, on) if keys is not None else None
    if as_json:
        table = {
            "withdrawn": done.number,
            "cameras_hold": done.held.table() if done.held and not sent else None,
            "sent": sent.table() if sent else None,
        }
        typer.echo(json.dumps(table))
    else:
        typer.echo(f"withdrawn: {done.number} entries")
        typer.echo(sent.told() if sent else _way(city, done.held))
    if sent is not None:
        told_of(sent, on)


def _way(city: Path, held: "Held | None") -> str:
    if held is None:
        return "No published list holds them: a rig's camera reads this folder when it starts."
    return (
        f"Cameras may still look for them: {held.told()}. To send it now: platewarden hotlist "
        f"publish --city {visible(str(city))} --key KEY --online-key KEY (or remove --publish)"
    )
