"""What the commands of `receiver` share: options; how far witnesses vouch for the access log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agent.audit.witnesses.cosigned_reach import WitnessReach

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The receiver's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def access_log_reach(folder: Path) -> "WitnessReach":
    """By `witnesses.policy` in the receiver's folder; 0 leaves: nobody has used the inbox. Raises
    nothing of ours: what is wrong is told.
    """
    from agent.audit.witnesses.cosigned_reach import POLICY, reach_of
    from agent.receiver.inbox.access_log import DATABASE, FOLDER, PUBLIC

    log = folder / FOLDER
    return reach_of(log / DATABASE, log / PUBLIC, folder / POLICY, "access log")
