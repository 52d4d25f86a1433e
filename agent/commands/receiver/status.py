"""`platewarden receiver status`: what the receiver's folder holds, and until when."""

import json

import typer

from agent.commands.receiver.receiver_options import Folder, Json, own_logs
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:  # typer makes a flag of it
    """Show the reads stored, those on hold and until when, the numbers that never came, and the end
    of the epoch keys. Tell how far witnesses vouch for the receiver's own logs.
    """
    from agent.host.clock import SystemClock, TrustedClock
    from agent.receiver import receiver_status
    from agent.receiver.workplace import Workplace
    from agent.values import asdict

    place = Workplace(folder)
    table = receiver_status.status(place, SystemClock().now())
    logs = {name: one for name, one in own_logs(folder).items() if one.leaves or one.problem}
    table["logs"] = {name: asdict(one) for name, one in logs.items()}
    table["clock"] = TrustedClock(folder, keep=False).explain()
    if as_json:
        typer.echo(json.dumps(table))
        return
    typer.echo(receiver_status.as_text(table))
    for one in logs.values():
        typer.echo(visible(f"{one.log.capitalize():<10} {one.words()}"))
