"""`platewarden receiver serve`: the desk's inbox, in a browser on this machine."""

import sys
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    folder: Folder,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="ADDRESS:PORT",
            help="Where; others than this machine's own need a certificate.",
        ),
    ] = "127.0.0.1:8490",
) -> None:
    """Serve the inbox until SIGTERM: leads, opened for a purpose, each opening an access record.

    READY on stderr tells its address. Sign in with an account of `receiver account add`.
    """
    from agent.errors import ConfigError, UsageError
    from agent.host.clock import TrustedClock
    from agent.host.memory import leave_no_core_dump
    from agent.receiver.inbox.people.accounts import AccountFolder
    from agent.receiver.workplace import Workplace

    leave_no_core_dump()
    place = Workplace(folder)
    try:
        from agent.receiver.inbox.server import listening, serve
    except ImportError as error:  # an extra
        raise ConfigError(
            f"the inbox needs a library: {error.name}",
            fix="pip install 'platewarden[inbox]'",
        ) from None
    provider = place.settings.inbox.oidc
    if not AccountFolder(folder).names() and not (provider and provider.create_accounts):
        raise ConfigError(
            "nobody has an account",
            where=folder,
            fix=f"`platewarden receiver account add {folder} NAME --organization ORGANIZATION`",
        )
    address, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(
            f"{listen[:40]!a} is no ADDRESS:PORT", where="--listen", fix="give 127.0.0.1:8490"
        )
    made = listening(address.strip("[]"), int(port), place.settings.inbox)
    serve(place, TrustedClock(folder), made, _tell)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
