"""What the commands of `receiver` share: options; how far witnesses vouch for its logs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.audit.witnesses.cosigned_reach import WitnessReach

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The receiver's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def own_logs(folder: Path) -> "Mapping[str, WitnessReach]":
    """How far witnesses vouch for the receiver's own logs, by `witnesses.policy` in its folder. One
    of 0 leaves was not begun. Raises nothing of ours: what is wrong is told.
    """
    from agent.audit.witnesses.cosigned_reach import POLICY, reach_of
    from agent.receiver.holds.hold_log import PROCESS as HOLD
    from agent.receiver.inbox.access_log import PROCESS as ACCESS
    from agent.receiver.logs.own_log import DATABASE, PUBLIC, LogPlace

    places = {one: LogPlace(folder, one, "").folder for one in (ACCESS, HOLD)}
    return {
        one: reach_of(place / DATABASE, place / PUBLIC, folder / POLICY, f"{one} log")
        for one, place in places.items()
    }
