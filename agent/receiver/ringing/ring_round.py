"""One ringer's rounds: what waits in the store is told, and where nobody hears it, told again after
a growing pause.

Nothing here is in the way of storing or of receipts: it runs in a process of its own.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from agent.errors import NetworkError, PlatewardenError, RefusedError, StorageError, StoreAwayError
from agent.receiver.ringing.desktop import Desktop, session_bus
from agent.receiver.ringing.message import Message, Notice, Read, message_of
from agent.receiver.ringing.ring_settings import RingSettings
from agent.receiver.ringing.ringers import Ringer, ringer_of
from agent.receiver.store.ring_queue import LONGEST_PAUSE_S, Claim, RingQueue, pause_s
from agent.receiver.workplace import Workplace
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.ports import Clock, Verifier
    from agent.receiver.store.read_store import ReadStore

POLL_S = 1.0
LEASE_S = 60.0
"""Longer than any ring takes: a ringer whose process died is rung by another after this."""
_END_S = 20.0
Tell = Callable[[str], None]
S = TypeVar("S")
"""A store, of whatever waits to be rung."""


@dataclass(frozen=True, slots=True)
class NamedRinger:
    """`tells`: "count", "camera" or "category"."""

    name: str
    tells: str
    ringer: Ringer


def ring_claimed(
    rings: RingQueue, claim: Claim, named: NamedRinger, notice: Notice, tell: Tell, unheard: str
) -> None:
    """Ring once, and book whether somebody heard. `unheard`: what the operator is told behind why
    nobody did, once; `status` goes on saying it. Raises StorageError.
    """
    try:
        named.ringer.ring(notice)
    except NetworkError as error:
        why = error.what
    except Exception as error:  # noqa: BLE001  # whatever it is, the ringer is dead: it is told
        why = f"fails ({type(error).__name__})"
    else:
        rings.rung(named.name, claim)
        if claim.failures:
            tell(f"ringer {named.name} is heard again")
        return
    rings.failed(named.name, why, pause_s(claim.failures + 1))
    if not claim.failures:
        tell(f"ringer {named.name} {why}: {unheard}")


class RingRound:
    """`tell`: a line for the operator, never with a plate."""

    def __init__(
        self, named: NamedRinger, verifier: "Verifier", clock: "Clock", tell: Tell
    ) -> None:
        self._named, self._verifier, self._clock, self._tell = named, verifier, clock, tell

    def turn(self, store: "ReadStore") -> bool:
        """Ring if something waits and it is time; did it? Raises StorageError."""
        name = self._named.name
        claim = store.rings.claim(name, LEASE_S)
        if claim is None:
            return False
        message = message_of(
            name, self._named.tells, self._reads(store, claim), self._clock.now().utc
        )
        unheard = (
            f"{len(claim.names)} wait; trying again, with pauses that grow to "
            f"{LONGEST_PAUSE_S / 60:.0f} minutes"
        )
        ring_claimed(store.rings, claim, self._named, message, self._tell, unheard)
        return True

    def _reads(self, store: "ReadStore", claim: Claim) -> "Sequence[Read]":
        return [(*name, self._category(store, *name)) for name in claim.names]

    def _category(self, store: "ReadStore", device: str, read_id: str) -> str | None:
        """From the tags, which the camera signed; None where they cannot be believed any more."""
        for row in store.reads(read_id):
            if row.device == device:
                try:
                    tags = self._verifier.verify(store.wire(row))
                except StoreAwayError:
                    raise
                except (RefusedError, StorageError):
                    return None
                return tags.category
        return None


def named_ringers(ring: RingSettings, folder: Path) -> "Sequence[NamedRinger]":
    """All that [ring] names, with their secrets read. `folder`: of its file. Raises ConfigError,
    StorageError.
    """
    return [NamedRinger(one.name, one.tells, ringer_of(one, folder)) for one in ring.all]


def try_each(place: Workplace, clock: "Clock", tell: Tell) -> int:
    """Ring each once with a message about nothing; how many nobody heard."""
    at = clock.now().utc
    message = Message(f"msg_try_{int(at.timestamp())}", at, leads=0, tests=1)
    ringers = named_ringers(place.settings.ring, place.folder)
    return try_ringers(ringers, message, tell, "a TEST message")


def try_ringers(ringers: "Sequence[NamedRinger]", notice: Notice, tell: Tell, what: str) -> int:
    """Ring each once with this; how many nobody heard. `what`: in words."""
    unheard = 0
    for named in ringers:
        try:
            named.ringer.ring(notice)
        except NetworkError as error:
            unheard += 1
            tell(f"ringer {named.name} {error.what}")
        else:
            tell(f"ringer {named.name}: took {what}")
    return unheard


def ring_until(place: Workplace, clock: "Clock", tell: Tell, stopping: Event) -> None:
    """Until `stopping`. A desktop without a session here is left to whoever runs `receiver ring`
    in one: `status` tells what waits for it.

    Raises NetworkError where nobody is left to ring.
    """
    verifier, ringers = place.verifier(), named_ringers(place.settings.ring, place.folder)
    here = [one for one in ringers if session_bus() or not isinstance(one.ringer, Desktop)]
    for one in ringers:
        if one not in here:
            tell(f"ringer {one.name}: no desktop session here, left to a `receiver ring` in one")
    if not here:
        raise NetworkError(
            "there is no desktop session, and nobody else to ring",
            fix="start it as who is signed in at the screen (docs/guide/recipient.md)",
        )
    rounds = [RingRound(named, verifier, clock, tell).turn for named in here]
    turn_each(rounds, lambda: closing(place.store()), tell, stopping, POLL_S)


def turn_each(
    rounds: "Sequence[Callable[[S], bool]]",
    opened: Callable[[], AbstractContextManager[S]],
    tell: Tell,
    stopping: Event,
    poll_s: float,
) -> None:
    """Until `stopping`: a thread for each round, so that a ringer that hangs delays no other.

    `rounds`: each rings once if something waits and it is time, and says whether it did; `opened`:
    the store, for one thread alone.
    """
    threads = [
        Thread(target=_keep_turning, args=(one, opened, tell, stopping, poll_s), daemon=True)
        for one in rounds
    ]
    for thread in threads:
        thread.start()
    stopping.wait()
    for thread in threads:
        thread.join(_END_S)


def _keep_turning(
    turn: Callable[[S], bool],
    opened: Callable[[], AbstractContextManager[S]],
    tell: Tell,
    stopping: Event,
    poll_s: float,
) -> None:
    rest_s = poll_s
    while not stopping.is_set():
        try:
            with opened() as store:  # of this thread alone
                while not stopping.is_set():
                    if not turn(store):
                        stopping.wait(poll_s)
                    rest_s = poll_s
        except PlatewardenError as error:
            tell(f"{error}; trying again")
        except Exception as error:  # noqa: BLE001  # one ringer's fault must not end the others
            tell(f"a ringer's round failed ({type(error).__name__}); trying again")
        stopping.wait(rest_s)
        rest_s = min(2 * rest_s, 60.0)
