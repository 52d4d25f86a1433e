"""The collector's connection, held open: what cameras tell of their health as it comes, and of
their logs, where the city's log takes that in from here.
"""

from pathlib import Path

from agent.broker.checkpoint_link import Came
from agent.broker.collector_link import CollectorLink
from agent.mqtt.topics import checkpoints_topic, health_topic

MAX_KEPT = 4  # of a camera between two turns: a wrong message must not cost the one before it


class HealthLink(CollectorLink):
    """`health`, `checkpoints`: what came and was not taken yet. Without `with_checkpoints` the
    latter are left to `audit collect`.
    """

    def __init__(self, folder: Path, *, with_checkpoints: bool) -> None:
        topics = [health_topic("+"), *([checkpoints_topic("+")] if with_checkpoints else [])]
        super().__init__(folder, topics)
        self.health, self.checkpoints = Came(health_topic, MAX_KEPT), Came()

    def take(self, topic: str, untrusted_payload: bytes) -> None:
        """Keep one that came."""
        is_health = topic == health_topic(topic.rpartition("/")[2])
        (self.health if is_health else self.checkpoints).take(topic, untrusted_payload)
