"""`platewarden receiver ring`: tells people that leads wait, until it is told to stop."""

import signal
import sys
from threading import Event
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def ring(
    folder: Folder,
    once: Annotated[
        bool, typer.Option("--try", help="Ring each once with a TEST message, and end.")
    ] = False,
) -> None:
    """Ring whoever receiver.toml names under [ring], until SIGTERM: a lead waits, and how many.

    Never a plate. READY on stderr means that it looks.
    """
    from agent.errors import ConfigError, NetworkError
    from agent.host.clock import SystemClock
    from agent.receiver.receiver_settings import FILE_NAME
    from agent.receiver.ringing.ring_round import ring_until, try_each
    from agent.receiver.workplace import Workplace

    place, clock, stopping = Workplace(folder), SystemClock(), Event()
    names = place.settings.ring.names
    if not names:
        raise ConfigError(
            "names nobody to ring",
            where=folder / FILE_NAME,
            fix="add [[ring.webhook]], .push, .mail, .program or .desktop",
        )
    if once:
        if unheard := try_each(place, clock, _tell):
            raise NetworkError(
                f"{unheard} of {len(names)} ringers cannot be heard",
                fix="see the lines above (docs/guide/recipient.md)",
            )
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    _tell(f"READY {place.recipient}: rings {', '.join(names)}")
    ring_until(place, clock, _tell, stopping)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
