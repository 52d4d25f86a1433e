"""Tells people of cameras that have fallen silent, and that are heard again, by the ways that
`receiver ring` knows. No plate is known here; which camera is silent is told where the ringer may
know it.

A camera counts as silent only while the broker is there: else all of them would be.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from agent.core.text.rfc3339 import rfc3339
from agent.fleet.fleet_store import CameraRow, FleetStore
from agent.receiver.ringing.ring_round import LEASE_S, NamedRinger, Tell, ring_claimed
from agent.values import dataclass

TYPE = "platewarden.fleet.silence"
SILENT, HEARD = "silent", "heard"
BROKER = "."  # in a camera's place; no camera has such a name
MOST_CAMERAS = 20  # in one message


@dataclass(frozen=True, slots=True)
class Notice:
    """Implements ringing.message.Notice. `cameras`: names, where the ringer may be told, the first
    few.
    """

    id: str
    at: datetime
    silent: int
    heard: int = 0
    broker: str = ""
    cameras: tuple[str, ...] = ()

    @property
    def urgent(self) -> bool:
        """A lamp-post can wait for the morning."""
        return False

    def title(self) -> str:
        """A few words."""
        if self.broker:
            return "The cameras' broker: " + self.broker
        if self.silent:
            return "Cameras are silent"
        return "Cameras are heard again" if self.heard else "A test: nothing has happened"

    def sentence(self) -> str:
        """For a person, one line of ASCII."""
        said = [f"The broker is {self.broker}"] if self.broker else []
        said += [_cameras(self.silent, "silent")] if self.silent else []
        said += [_cameras(self.heard, "heard again")] if self.heard else []
        words = "; ".join(said) or "This is a test"
        if self.cameras:
            words += ": " + ", ".join(self.cameras)
        return words + ". See `platewarden fleet status`."

    def body(self) -> bytes:
        """JSON, in the shape that Standard Webhooks recommends: type, timestamp, data."""
        data: dict[str, object] = {"silent": self.silent, "heard_again": self.heard}
        data |= {"broker": self.broker} if self.broker else {}
        data |= {"cameras": list(self.cameras)} if self.cameras else {}
        table = {"type": TYPE, "timestamp": rfc3339(self.at), "data": data}
        return json.dumps(table, separators=(",", ":")).encode("ascii")


def _cameras(number: int, what: str) -> str:
    return f"{number} camera{' is' if number == 1 else 's are'} {what}"


def look(
    store: FleetStore,
    rows: Sequence[CameraRow],
    ringers: Sequence[str],
    now_s: int,
    listening_since_s: int,
    silent_after_s: int,
) -> None:
    """Note who has fallen silent, or is heard again, and what each ringer has to tell of it.

    `listening_since_s`: since when the broker has been there without a break. Raises StorageError.
    """
    changed: dict[str, int | None] = {}
    with store.transaction():
        for row in rows:
            if row.heard_s is None:
                continue  # never heard: `fleet status` tells it
            silent = now_s - max(row.heard_s, listening_since_s) >= silent_after_s
            if silent and row.silent_s is None:
                changed[row.name] = now_s
                store.to_ring(ringers, row.name, SILENT, undoes=HEARD)
            elif row.silent_s is not None and now_s - row.heard_s < silent_after_s:
                changed[row.name] = None
                store.to_ring(ringers, row.name, HEARD, undoes=SILENT)
        store.silent(changed)


def look_at_broker(store: FleetStore, ringers: Sequence[str], *, away: bool) -> None:
    """The same of the broker itself. Raises StorageError."""
    was = store.noted().get("broker_told") == "away"
    if away == was:
        return
    what, undoes = (SILENT, HEARD) if away else (HEARD, SILENT)
    with store.transaction():
        store.note("broker_told", "away" if away else "there")
        store.to_ring(ringers, BROKER, what, undoes=undoes)


def notice_of(ringer: str, tells: str, names: Sequence[tuple[str, str]], at: datetime) -> Notice:
    """Of all that waits for one ringer. `names`: camera, and SILENT or HEARD."""
    digest = hashlib.sha256(f"{ringer}\n{sorted(names)}".encode()).hexdigest()
    silent = sorted(name for name, what in names if what == SILENT and name != BROKER)
    heard = sorted(name for name, what in names if what == HEARD and name != BROKER)
    broker = [what for name, what in names if name == BROKER]
    told = (silent or heard)[:MOST_CAMERAS] if tells != "count" else []
    return Notice(
        f"msg_{digest[:32]}",
        at,
        len(silent),
        len(heard),
        "" if not broker else "away" if broker[-1] == SILENT else "there again",
        tuple(told),
    )


class SilenceRound:
    """One ringer's rounds. `tell`: a line for the operator."""

    def __init__(self, named: NamedRinger, tell: Tell) -> None:
        self._named, self._tell = named, tell

    def turn(self, store: FleetStore, at: datetime) -> bool:
        """Ring if something waits and it is time; did it? Raises StorageError."""
        name = self._named.name
        claim = store.rings.claim(name, LEASE_S)
        if claim is None:
            return False
        notice = notice_of(name, self._named.tells, claim.names, at)
        unheard = "trying again, ever more rarely"
        ring_claimed(store.rings, claim, self._named, notice, self._tell, unheard)
        return True
