"""How watch's camera is, as a small file: for `status` and `doctor`, which cannot look while watch
has it.

No picture, no plate.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime

from agent.core.camera.camera_event import Alarm
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, parse_object
from agent.values import dataclass, field

NAME = "camera.json"
MAX_BYTES = 4096
MOST_STALLS = 10**9
MOST_FRAMES = 10**12
_PROFILE = re.compile("day|night")


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """`at`: when something changed last; `alarms`: which stand since when; `profile`: day or night;
    `stalls`: rungs climbed since watch started. `frames`, `dropped`: how many the line saw since
    then, and how many it was too busy for.
    """

    at: datetime
    alarms: Mapping[Alarm, datetime] = field(default_factory=dict)
    profile: str = "day"
    stalls: int = 0
    frames: int = 0
    dropped: int = 0


def format_facts(facts: CameraFacts) -> bytes:
    """As JSON."""
    alarms = {alarm.value: rfc3339(since) for alarm, since in sorted(facts.alarms.items())}
    return json.dumps(
        {
            "at": rfc3339(facts.at),
            "alarms": alarms,
            "profile": facts.profile,
            "stalls": facts.stalls,
            "frames": facts.frames,
            "dropped": facts.dropped,
        }
    ).encode()


def parse_facts(untrusted: bytes) -> CameraFacts:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(untrusted, NAME),
        NAME,
        required=("at", "alarms", "profile", "stalls"),
        optional=("frames", "dropped"),  # a file of an older version has none
    )
    alarms = Fields(fields.value("alarms"), f"{NAME}: `alarms`", required=(), optional=tuple(Alarm))
    return CameraFacts(
        fields.moment("at", first_year=1970),
        {alarm: alarms.moment(alarm, first_year=1970) for alarm in Alarm if alarm in alarms},
        fields.pattern("profile", _PROFILE, "day or night"),
        fields.whole("stalls", 0, MOST_STALLS),
        fields.whole("frames", 0, MOST_FRAMES) if "frames" in fields else 0,
        fields.whole("dropped", 0, MOST_FRAMES) if "dropped" in fields else 0,
    )
