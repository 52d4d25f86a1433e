"""Takes cameras' health messages in: whose they are, whether they are newer than what is known, and
how many before them never came.

A flood or a wrong message costs its camera's messages, and nobody else's.
"""

from collections.abc import Iterable, Mapping

from agent import boundary
from agent.core.camera.health.health_message import HealthMessage
from agent.core.reasons import reason_of
from agent.core.text.identifier import IDENTIFIER
from agent.errors import PlatewardenError
from agent.fleet.fleet_store import FleetStore
from agent.storage.health.health_note import verified
from agent.storage.log_key import TrustedLogKeys, parts_of
from agent.values import dataclass

AHEAD_S = 2 * 3_600
"""A camera's hour may lie so far ahead of ours; what lies further would outlive every later one."""
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Taken:
    """How many were taken in, refused, and older than what was known."""

    taken: int = 0
    refused: int = 0
    old: int = 0


def take_in(
    store: FleetStore, came: Mapping[str, Iterable[bytes]], keys: TrustedLogKeys, now_s: int
) -> Taken:
    """`came`: by the name in the certificate. Raises StorageError."""
    taken = refused = old = 0
    with store.transaction():
        for camera, messages in came.items():
            for untrusted in messages:
                try:
                    with boundary.document("camera's health message"):
                        message = verified(untrusted, camera, keys)
                except PlatewardenError as error:
                    refused += 1
                    store.refuse(camera[:_LONGEST_NAME], reason_of(error), error.what, now_s)
                else:
                    new = _keep(store, message, now_s)
                    taken, old = taken + new, old + (not new)
    return Taken(taken, refused, old)


def _keep(store: FleetStore, message: HealthMessage, now_s: int) -> bool:
    """Is it newer? A number decides. A smaller one with a later hour is of a camera whose count
    began anew, as after its card was made again.
    """
    told_s = min(int(message.health.at.timestamp()), now_s + AHEAD_S)
    last = store.last(message.health.camera)
    number, hour_s = last or (0, 0)
    anew = message.number <= number and told_s > hour_s
    if message.number <= number and not anew:
        return False
    # of a camera that is heard for the first time, nobody knows what came before
    missed = message.number - number - 1 if last and not anew else 0
    store.keep(message, told_s, now_s, missed=missed, anew=anew)
    return True


def names_in(keys: TrustedLogKeys) -> frozenset[str]:
    """The cameras of the keys."""
    found = (parts_of(origin)[0] for origin in keys.keys)
    return frozenset(name for name in found if IDENTIFIER.fullmatch(name))
