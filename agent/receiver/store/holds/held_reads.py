"""Holds, and the reads that are held under them: a port. What is held is sealed twice, to the
holder and to the receiver's own key of that hold, and goes when the hold ends.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agent.values import dataclass

Name = tuple[str, str]
"""Camera and read id."""


@dataclass(frozen=True, slots=True)
class KeptHold:
    """A hold that was applied. `record`: what its signers signed, untrusted again; `own_half`: the
    receiver's public key of this hold (`age1…`); `by`, `ended_by`: the receivers' names.

    `ended_at`: None while it lasts. `told`: its end stands in the log, and nothing is left to do.
    """

    id: str
    record: bytes
    own_half: str
    expires_at: datetime
    by: str
    at: datetime
    ended_at: datetime | None = None
    ended_by: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class HeldRead:
    """A read that a hold covers. `refused`: the reason why it could not be sealed anew, or "".
    `wire_sha256`: of the read as the camera sealed it, lower-case hex.
    """

    hold: str
    device: str
    read_id: str
    wire_sha256: str
    at: datetime
    by: str
    refused: str = ""

    @property
    def name(self) -> Name:
        """Camera and read id."""
        return self.device, self.read_id


class HeldReads(Protocol):
    """Every method raises StorageError; StoreAwayError where the store may be back by itself.
    Whatever changes something is durable on return.
    """

    def add(self, hold: KeptHold) -> None:
        """A new hold. One that is there keeps all but its record: others may have signed it too."""
        ...

    def holds(self) -> Sequence[KeptHold]:
        """All that were ever applied, in the order of `at`."""
        ...

    def keep(self, read: HeldRead, sealed: bytes) -> bool:
        """Hold a read. False, and nothing is changed, where it is held already or the hold has
        ended or is unknown: so of several receivers one holds it.
        """
        ...

    def reads(self, hold: str) -> Sequence[HeldRead]:
        """What is held under it, in the order of `at`."""
        ...

    def sealed(self, read: HeldRead) -> bytes:
        """The bytes that were kept: untrusted again."""
        ...

    def end(self, hold: str, at: datetime, by: str) -> None:
        """Delete what is held under it, and remember that it ended, the first time only."""
        ...

    def told(self, hold: str) -> None:
        """The end of it stands in the log."""
        ...
