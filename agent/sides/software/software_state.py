"""What `status` tells of the software: reads files only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.software.installed import FOLDER
from agent.core.text.rfc3339 import rfc3339
from agent.software.memory_file import read_memory
from agent.software.running_version import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.settings import Settings

_SHOWN = 5


def collect(settings: Settings) -> dict[str, object]:
    """As plain values. `runs` is the version of the very command that asks: outside a trial the one
    that every process runs. Raises StorageError.
    """
    runs, memory = running(), read_memory(settings.state / FOLDER)
    trial = memory.trial.installed if memory.trial else None
    steps = [
        {
            "at": rfc3339(one.at),
            "what": one.what,
            "version": one.version,
            "sha256": one.sha256,
            "reason": one.why or None,
            "told": one.told or None,
        }
        for one in memory.steps[-_SHOWN:]
    ]
    return {
        "runs": {"version": str(runs.version), "sha256": runs.sha256},
        "trial": {"version": str(trial.version), "sha256": trial.sha256} if trial else None,
        "steps": steps,
    }


def lines(state: Mapping[str, object]) -> Iterator[str]:
    """The same for people; or why there is nothing to tell."""
    if "problem" in state:
        yield f"Software  {state['problem']}"
        return
    yield f"Software  {_named(state['runs'])}"
    if state["trial"]:
        yield f"  TRIAL   {_named(state['trial'])}"
    steps = state["steps"]
    for step in steps if isinstance(steps, list) else ():
        why = f" [{step['reason']}]" if step["reason"] else ""
        told = f": {step['told']}" if step["told"] else ""
        yield f"          {step['at']} {step['version']} {step['what']}{why}{told}"


def _named(value: object) -> str:
    one = value if isinstance(value, dict) else {}
    sha256 = str(one.get("sha256", ""))
    told = f"sha256 {sha256}" if sha256 else "as the machine's package has it"
    return f"{one.get('version')}, {told}"
