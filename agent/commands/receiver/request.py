"""`platewarden receiver request`: asks the broker's CA for a certificate."""

import typer

from agent.commands.receiver.receiver_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def request(folder: Folder) -> None:
    """Make a TLS key and a certificate request, tls.csr, for whoever runs the broker."""
    from agent.receiver.workplace import TLS_KEY, Workplace

    made = Workplace(folder).request_certificate()
    typer.echo(
        f"{made}: give it to whoever runs the broker. Put the certificate beside it as tls.crt, "
        "and name both under [broker] in receiver.toml:"
    )
    typer.echo(f'client_certificate = "tls.crt"\nclient_key = "{TLS_KEY}"')
