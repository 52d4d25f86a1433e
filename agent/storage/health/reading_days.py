"""What watch remembers of how it read, day by day: a small file of its own, numbers alone."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from agent.core.camera.health.reading_quality import MOST_DAYS, ReadingDay
from agent.core.text.strict_json import Fields, parse_object
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import EnvelopeRefusedError, StorageError
from agent.values import dataclass

NAME = "reading.json"
MAX_BYTES = 65_536
_MOST = 10**9
_MEMBERS = ("day", "vehicles", "confidence", "right", "wrong")


@dataclass(frozen=True, slots=True)
class ReadingMemory:
    """`asked_since`: since when the charter has promised something; None: it does not."""

    days: tuple[ReadingDay, ...] = ()
    asked_since: date | None = None


def write_memory(path: Path, memory: ReadingMemory) -> None:
    """Raises StorageError."""
    days = [
        {
            "day": one.day.isoformat(),
            "vehicles": one.vehicles,
            "confidence": round(one.confidence, 3),
            "right": one.right,
            "wrong": one.wrong,
        }
        for one in memory.days
    ]
    asked = memory.asked_since.isoformat() if memory.asked_since else None
    write_atomic(path, json.dumps({"asked_since": asked, "days": days}).encode())


def read_memory(path: Path) -> ReadingMemory:
    """What was written. One that is missing or damaged is empty: the camera learns anew."""
    try:
        table = parse_object(read_bounded(path, MAX_BYTES), NAME)
        fields = Fields(table, NAME, required=("asked_since", "days"))
        asked = fields.day("asked_since") if fields.value("asked_since") is not None else None
        return ReadingMemory(_days(fields.sequence("days", MOST_DAYS)), asked)
    except (StorageError, EnvelopeRefusedError):
        return ReadingMemory()


def _days(untrusted: Sequence[object]) -> tuple[ReadingDay, ...]:
    found = []
    for one in untrusted:
        fields = Fields(one, NAME, required=_MEMBERS)
        vehicles, confidence = fields.whole("vehicles", 0, _MOST), fields.value("confidence")
        if not isinstance(confidence, int | float) or not 0 <= confidence <= vehicles + 1:
            raise fields.bad("confidence", "a sum over the vehicles")
        found.append(
            ReadingDay(
                fields.day("day"),
                vehicles,
                float(confidence),
                fields.whole("right", 0, _MOST),
                fields.whole("wrong", 0, _MOST),
            )
        )
    return tuple(found)
