"""`platewarden hold key`: the key of a holder, who alone opens what is held."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")],
) -> None:
    """Make a holder's key, and print its public half for the hold. Keep a copy in a safe.

    Whoever has it, and the recipient's machine, can open what is held; nobody can restore it.
    """
    from agent.receiver.holds.hold_keys import make_holder_key

    public = make_holder_key(file)
    typer.echo(public)
    typer.echo(f"{file} stays with you; the line above is for whoever signs the hold.", err=True)
