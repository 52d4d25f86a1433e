"""`platewarden receiver keys`: destroys the keys that are due, makes new ones, signs the list of
them.
"""

import typer

from agent.commands.receiver.receiver_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def keys(folder: Folder) -> None:
    """Destroy the keys and reads that are due, make new keys, sign key-list.jws."""
    from agent.core.text.encoding import b64url
    from agent.core.text.rfc3339 import rfc3339
    from agent.host.clock import TrustedClock
    from agent.receiver.workplace import KEY_LIST, Workplace

    place = Workplace(folder)
    now = TrustedClock(folder).now()
    for line in place.tidy(now):
        typer.echo(line)
    if not place.settings.makes_keys:
        typer.echo("no key is made here: copy epochs/ and key-list.jws from where they are made")
        return
    listed = place.renew_keys(now)
    typer.echo(
        f"{folder / KEY_LIST}: {len(listed.keys)} epochs, {min(listed.keys).isoformat()} to "
        f"{max(listed.keys).isoformat()}, issued {rfc3339(now.utc)}"
    )
    typer.echo(f'signing_key = "{b64url(place.signer().public_key)}"')
