"""`platewarden receiver run`: receives sealed reads until it is told to stop, a line for each."""

import json
import sys
from typing import TYPE_CHECKING

import typer

from agent.commands.receiver.receiver_options import Folder, Json
from agent.core.wire.tags import Tags
from agent.core.wire.versions import EnvelopeMinimum

if TYPE_CHECKING:
    from agent.receiver.intake import Taken

app = typer.Typer(add_completion=False)


@app.command()
def run(folder: Folder, as_json: Json = False) -> None:  # typer makes a flag of it
    """Receive until SIGTERM: verify each read, store it sealed, send a receipt. READY on stderr
    means subscribed.
    """
    from agent.host.clock import TrustedClock
    from agent.host.memory import leave_no_core_dump
    from agent.receiver.service import Voice, receive
    from agent.receiver.workplace import Workplace

    leave_no_core_dump()
    voice = Voice(tell=_tell, taken=_print_json if as_json else _print_taken)
    receive(Workplace(folder), TrustedClock(folder), voice)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_taken(taken: "Taken") -> None:
    if taken.tags is None:
        _tell(f"{taken.outcome}: a message that no enrolled camera signed")
    elif isinstance(taken.tags, EnvelopeMinimum):
        _tell(
            f"{taken.outcome}: read {taken.tags.read_id}, camera {taken.tags.device}, "
            f"sealed in version {taken.tags.version}, which is not known here "
            "(docs/ref/versions.md)"
        )
    else:
        test = "TEST received, " if taken.is_test else ""
        _tell(
            f"{test}{taken.outcome}{'' if taken.new or taken.outcome != 'stored' else ' already'}: "
            f"read {taken.tags.read_id}, camera {taken.tags.device}, number {taken.tags.sequence}"
        )


def _print_json(taken: "Taken") -> None:
    if not taken.new or not isinstance(taken.tags, Tags):
        _print_taken(taken)
        return
    line = {
        "read": taken.tags.read_id,
        "device": taken.tags.device,
        "seq": taken.tags.sequence,
        "match": taken.tags.match.value,
    }
    line |= {"test": True} if taken.is_test else {}
    print(json.dumps(line), flush=True)
