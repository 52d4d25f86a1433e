"""How large a fleet is played, and for how long."""

from dataclasses import dataclass

RECIPIENT_QUEUE = "subscription-{}.1qos1"


@dataclass(frozen=True, slots=True)
class Sizes:
    """`cameras`: real deliver processes; `sessions`: simulated ones, `a_process` of them in one.

    `rate`: reads a second of all together; `receiver_kills`, each `kill_every_s` after the last;
    `calm_s`: before the first; `down_s`: a broker's node stays away; `after_s`: looked at since its
    kill; `rounds`: of all kills; `settle_s`: until everything must be receipted; `connect_s`: until
    every session must stand.
    """

    cameras: int = 6
    sessions: int = 200
    a_process: int = 250
    rate: float = 10.0
    receiver_kills: int = 4
    kill_every_s: float = 10.0
    calm_s: float = 10.0
    down_s: float = 8.0
    after_s: float = 25.0
    rounds: int = 1
    settle_s: float = 240.0
    connect_s: float = 900.0
    plant: str = ""
