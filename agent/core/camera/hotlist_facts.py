"""What watch tells of the hot list in force, as a small file: for `status` and `doctor`, which
cannot open the list.

No plate.
"""

import json
from datetime import UTC, datetime

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, parse_object
from agent.values import dataclass

NAME = "hotlist.json"
MAX_BYTES = 4096
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When the empty list was made that a camera holds while it has none that it may use."""
NONE = (
    "none that this camera may use: "
    "none was published, it lapsed, or it did not open (watch's log says which)"
)


@dataclass(frozen=True, slots=True)
class HotlistFacts:
    """`as_of`: when the list was made, None where there is none.

    `digest`: which list, as the log's leaves name it (storage.log_key). Not its SHA-256, by
    which whoever reads this file could try a guess.
    """

    as_of: datetime | None
    stale_after: datetime
    digest: str


def format_facts(as_of: datetime, stale_after: datetime, digest: str) -> bytes:
    """As JSON."""
    made = None if as_of == NEVER else rfc3339(as_of)
    return json.dumps(
        {"as_of": made, "stale_after": rfc3339(stale_after), "digest": digest}
    ).encode()


def parse_facts(untrusted: bytes) -> HotlistFacts:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(untrusted, NAME), NAME, required=("as_of", "stale_after", "digest")
    )
    return HotlistFacts(
        None if fields.value("as_of") is None else fields.moment("as_of", first_year=1970),
        fields.moment("stale_after", first_year=1970),
        fields.text("digest"),
    )
