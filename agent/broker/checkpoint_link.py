"""What cameras told of their logs while the collector was away, taken from the broker in one go."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from agent.broker.collector_link import CollectorLink
from agent.mqtt.topics import checkpoints_topic
from agent.values import dataclass, field

QUIET_S, LONGEST_S = 2.0, 600.0
MAX_KEPT = 16  # of a camera, the newest: two logs, four times a day, two days
MAX_CAMERAS = 100_000


@dataclass(slots=True)
class Came:
    """What came for the collector. `messages`: the newest of each camera, oldest first, by the name
    in its certificate; `dropped`: of cameras that sent more than is kept.

    `topic`: of one camera's messages of this kind.
    """

    topic: Callable[[str], str] = checkpoints_topic
    most: int = MAX_KEPT
    messages: dict[str, deque[bytes]] = field(default_factory=dict)
    dropped: int = 0

    def take(self, topic: str, payload: bytes) -> None:
        """Keep one."""
        camera = topic.rpartition("/")[2]
        if topic != self.topic(camera) or (
            camera not in self.messages and len(self.messages) >= MAX_CAMERAS
        ):
            self.dropped += 1
            return
        kept = self.messages.setdefault(camera, deque(maxlen=self.most))
        self.dropped += len(kept) == self.most
        kept.append(payload)

    def taken(self) -> dict[str, deque[bytes]]:
        """All of it, once."""
        messages, self.messages = self.messages, {}
        return messages


class CheckpointLink(CollectorLink):
    """`folder`: the broker's, or a copy of its broker.toml, ca.pem and collector/.

    Raises ConfigError, StorageError, NetworkError, DestinationRefusedError.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, (checkpoints_topic("+"),))
        self._came = Came()

    def take(self, topic: str, untrusted_payload: bytes) -> None:
        """Keep one that came."""
        self._came.take(topic, untrusted_payload)

    def gather(self, progress: Callable[[int], object] = lambda _: None) -> Came:
        """Everything that waited, until nothing more comes for QUIET_S. `progress`: how many so
        far.
        """
        self.connect()
        end_s = time.monotonic() + LONGEST_S
        quiet_s = time.monotonic() + QUIET_S
        count = 0
        while time.monotonic() < min(quiet_s, end_s):
            came = self.loop(0.25)
            if came:
                quiet_s, count = time.monotonic() + QUIET_S, count + came
                progress(count)
        return self._came
