"""How many health messages this camera has made, and how many of the last ones no broker took: a
small file of deliver's, so that a start does not count anew.
"""

import json
from pathlib import Path

from agent.core.camera.health.health_message import MOST
from agent.core.text.strict_json import Fields, parse_object
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import EnvelopeRefusedError, StorageError
from agent.values import dataclass

MAX_BYTES = 256
_WHERE = "health.json"


@dataclass(frozen=True, slots=True)
class MessageCount:
    """`made`: the number of the newest. `unsent`: those since the last that was taken."""

    made: int = 0
    unsent: int = 0


class CountFile:
    """`count`: as it stands on the disk. One that cannot be read begins anew: whoever collects
    then sees a smaller number with a later hour.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.count = path, MessageCount()
        try:
            fields = Fields(
                parse_object(read_bounded(path, MAX_BYTES), _WHERE),
                _WHERE,
                required=("made", "unsent"),
            )
            self.count = MessageCount(
                fields.whole("made", 0, MOST - 1), fields.whole("unsent", 0, MOST - 1)
            )
        except (StorageError, EnvelopeRefusedError):
            return

    def keep(self, count: MessageCount) -> None:
        """Raises StorageError."""
        write_atomic(self._path, json.dumps({"made": count.made, "unsent": count.unsent}).encode())
        self.count = count
