"""`platewarden receiver status`: what the receiver's folder holds, and until when."""

import json

import typer

from agent.commands.receiver.receiver_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:  # typer makes a flag of it
    """Show the reads held, the numbers that never came, the epoch keys and their end."""
    from agent.host.clock import SystemClock, TrustedClock
    from agent.receiver import receiver_status
    from agent.receiver.workplace import Workplace

    table = receiver_status.status(Workplace(folder), SystemClock().now())
    table["clock"] = TrustedClock(folder, keep=False).explain()
    typer.echo(json.dumps(table) if as_json else receiver_status.as_text(table))
