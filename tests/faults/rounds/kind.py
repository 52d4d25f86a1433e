"""A kind of fault: its name, what it does, and what it needs."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.rounds.line import Line


@dataclass(frozen=True, slots=True)
class Kind:
    """`play(line, turn)`: put the fault in while reads are released, and take it out again; `turn`
    counts this kind's rounds from 0. `needs_root`: namespaces, or a disk of its own.
    """

    name: str
    does: str
    play: Callable[[Line, int], None]
    needs_root: bool = False
