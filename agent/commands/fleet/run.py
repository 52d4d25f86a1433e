"""`platewarden fleet run`: hears the cameras until it is told to stop."""

import signal
import sys
from threading import Event
from typing import Annotated

import typer

from agent.commands.fleet.fleet_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def run(
    folder: Folder,
    once: Annotated[
        bool,
        typer.Option("--try", help="Ring each ringer once, with a message about nothing, and end."),
    ] = False,
) -> None:
    """Take in what cameras tell of their health over the city's broker, until SIGTERM.

    Writes the page and the metrics that fleet.toml names, rings whoever it names when a camera
    falls silent, and feeds the city's log where it names it. READY on stderr means that it hears.
    """
    from agent.errors import NetworkError
    from agent.fleet.fleet_run import FleetRun
    from agent.fleet.silence import Notice
    from agent.host.clock import SystemClock
    from agent.receiver.ringing.ring_round import try_ringers

    clock, stopping = SystemClock(), Event()
    fleet = FleetRun(folder, clock, _tell)
    if once:
        ringers, at = fleet.named_ringers(), clock.now().utc
        notice = Notice(f"msg_try_{int(at.timestamp())}", at, silent=0)
        if unheard := try_ringers(ringers, notice, _tell, "a message"):
            raise NetworkError(f"{unheard} of {len(ringers)} ringers cannot be heard")
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    fleet.until(stopping)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
