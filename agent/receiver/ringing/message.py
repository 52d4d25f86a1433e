"""What a ringer says: that leads wait, how many, and at which cameras. Never a plate, a text of a
read, a picture, nor anything else out of a sealed content (P9).

It is made from tags alone, by a process that holds no key.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agent.core.policy.policy import TEST
from agent.core.text.rfc3339 import rfc3339
from agent.values import dataclass

TYPE = "platewarden.lead.waiting"
MOST_CAMERAS = 20  # in one message
Read = tuple[str, str, str | None]
"""Camera, read id, and the category: None where its tags can no longer be believed."""


class Notice(Protocol):
    """What a ringer can say: of leads that wait, or of cameras that are silent. `id`: the same when
    the same is told again.
    """

    @property
    def id(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def urgent(self) -> bool: ...
    def sentence(self) -> str: ...
    def title(self) -> str: ...
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class CameraWaits:
    """`categories`: how many leads of each, where the ringer may be told."""

    camera: str
    leads: int
    categories: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """`leads`: how many wait, `tests` of rehearsals among them not counted. `id`: the same when
    the same reads are told again.
    """

    id: str
    at: datetime
    leads: int
    tests: int = 0
    cameras: tuple[CameraWaits, ...] = ()

    @property
    def urgent(self) -> bool:
        """Shall it be heard at night?"""
        return bool(self.leads)

    def sentence(self) -> str:
        """For a person, one line of ASCII."""
        said = [_waits(self.leads, "lead")] if self.leads or not self.tests else []
        said += [_waits(self.tests, "TEST") + ", nobody is looked for"] if self.tests else []
        words = "; ".join(said)
        if self.cameras:
            words += ": " + ", ".join(map(_camera, self.cameras))
        return words + ". Unverified: open it in the inbox."

    def title(self) -> str:
        """The same, shorter."""
        return "A lead waits" if self.leads or not self.tests else "TEST: a lead waits"

    def body(self) -> bytes:
        """JSON, in the shape that Standard Webhooks recommends: type, timestamp, data."""
        data: dict[str, object] = {"leads": self.leads, "tests": self.tests, "unverified": True}
        if self.cameras:
            data["cameras"] = [
                {"camera": one.camera, "leads": one.leads}
                | ({"categories": dict(one.categories)} if one.categories else {})
                for one in self.cameras
            ]
        table = {"type": TYPE, "timestamp": rfc3339(self.at), "data": data}
        return json.dumps(table, separators=(",", ":")).encode("ascii")


def message_of(ringer: str, tells: str, reads: Sequence[Read], at: datetime) -> Message:
    """Of all that waits for one ringer. `tells`: "count", "camera" or "category"."""
    names = "\n".join(sorted(f"{device}/{read_id}" for device, read_id, _ in reads))
    digest = hashlib.sha256(f"{ringer}\n{names}".encode()).hexdigest()
    tests = sum(category == TEST for _, _, category in reads)
    return Message(
        f"msg_{digest[:32]}",
        at,
        len(reads) - tests,
        tests,
        () if tells == "count" else _cameras(reads, with_categories=tells == "category"),
    )


def _cameras(reads: Sequence[Read], *, with_categories: bool) -> tuple[CameraWaits, ...]:
    counts = Counter(device for device, _, _ in reads)
    found = []
    for device, count in sorted(counts.items())[:MOST_CAMERAS]:
        kinds = Counter(category for other, _, category in reads if other == device and category)
        found.append(
            CameraWaits(device, count, tuple(sorted(kinds.items())) if with_categories else ())
        )
    return tuple(found)


def _waits(number: int, what: str) -> str:
    return f"{number} {what}{' waits' if number == 1 else 's wait'}"


def _camera(one: CameraWaits) -> str:
    kinds = ", ".join(f"{name} {count}" for name, count in one.categories)
    return f"{one.camera} ({kinds or one.leads})"
