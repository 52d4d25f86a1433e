"""How large a fleet is played, and for how long: each a setting with a small default."""

from dataclasses import dataclass, field
from typing import Any

MNESIA, KHEPRI = STORES = ("mnesia", "khepri")
RECIPIENT_QUEUE = "subscription-{}.1qos1"


def setting(default: Any, words: str) -> Any:
    """A field of Sizes, and the help of its option."""
    return field(default=default, metadata={"help": words})


@dataclass(frozen=True, slots=True)
class Sizes:
    """`--cameras 100` sets `cameras`, and so on."""

    cameras: int = setting(6, "real deliver processes")
    sessions: int = setting(200, "simulated sessions, each a camera of its own")
    a_process: int = setting(2500, "simulated sessions in one process")
    rate: float = setting(8.0, "reads a second, of all together")
    calm_s: float = setting(10.0, "seconds before the first kill")
    receiver_kills: int = setting(4, "kills of a receiver's machine, one of the two in turn")
    kill_every_s: float = setting(10.0, "seconds between two of them")
    down_s: float = setting(8.0, "seconds for which a killed broker or node stays away")
    after_s: float = setting(25.0, "seconds from its kill to the next")
    rounds: int = setting(1, "rounds of all kills")
    settle_s: float = setting(240.0, "seconds in which every read must be receipted at the end")
    connect_s: float = setting(900.0, "seconds in which every session must stand")
    store: str = setting(MNESIA, "where RabbitMQ keeps users, queues and bindings")
    plant: str = setting("", "break something by hand, to see it found")
