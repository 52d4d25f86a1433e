"""`platewarden broker show`: who has a certificate, until when, and the policy's table."""

import json

import typer

from agent.commands.broker.broker_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def show(folder: Folder, as_json: Json = False) -> None:
    """Tell who has a certificate and until when, and the [[broker]] of a policy that fits."""
    from agent.broker.broker_folder import BrokerFolder, policy_table
    from agent.host.clock import SystemClock

    place, now = BrokerFolder(folder), SystemClock().now().utc
    rows = [
        {"kind": kind, "name": name, "until": until.date().isoformat(), "days": (until - now).days}
        for kind, name, until in place.holders()
    ]
    if as_json:
        typer.echo(json.dumps({"certificates": rows, "pins": list(place.pins)}))
        return
    for row in rows:
        soon = "   renew it" if row["days"] < 30 else ""  # type: ignore[operator]
        typer.echo(f"{row['kind']:<10} {row['name']:<32} until {row['until']}{soon}")
    typer.echo("\n# for policy.toml; put ca.pem into the city's ca/ under this name")
    typer.echo(policy_table(place, "broker-ca.pem"), nl=False)
