"""What people did with a lead: a port. Acts are added, never changed, and go with their read at its
deadline; who looked stays in the access log.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from agent.core.wire.receipt import Disposition
from agent.values import dataclass

Name = tuple[str, str]
"""Camera and read id."""


class ActKind(StrEnum):
    """Codes are stable: they stand in the store and in the access log."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    OUTCOME = "outcome"


OUTCOMES = {
    Disposition.RIGHT_CAR.value: "Plate, state and vehicle confirmed",
    Disposition.WRONG_PLATE.value: "The camera misread the plate",
    Disposition.WRONG_STATE.value: "Another state, or another vehicle",
    Disposition.OUT_OF_DATE.value: "The entry no longer stands",
    Disposition.NO_ACTION.value: "Nobody followed it up",
}
"""The codes that `receiver outcome` signs for the camera, and what a desk reads."""


@dataclass(frozen=True, slots=True)
class Act:
    """`by`: an account's name. `value`: of an assignment an account's name, of an outcome a code of
    OUTCOMES, else empty.
    """

    at: datetime
    by: str
    kind: ActKind
    value: str = ""


@dataclass(frozen=True, slots=True)
class LeadState:
    """What the acts come to: the last of each kind."""

    acknowledged_by: str | None = None
    assigned_to: str | None = None
    outcome: str | None = None


class LeadActs(Protocol):
    """Every method raises StorageError."""

    def add(self, name: Name, act: Act) -> None:
        """Durable on return. A read that is gone gets none: StorageError."""
        ...

    def of(self, names: Sequence[Name]) -> Mapping[Name, Sequence[Act]]:
        """The acts of each that has some, oldest first."""
        ...


def state_of(acts: Sequence[Act]) -> LeadState:
    """Where a lead stands."""
    last = {act.kind: act for act in acts}
    taken, given, ended = (last.get(kind) for kind in ActKind)
    return LeadState(
        taken.by if taken else None, given.value if given else None, ended.value if ended else None
    )
