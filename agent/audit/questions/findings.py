"""What a question to a log may be answered with: a bad answer, or a note, and where it stands."""

from collections.abc import Mapping
from enum import StrEnum

from agent.audit.shown_leaves import ShownLeaf
from agent.core.log.leaf import clean_text
from agent.storage.log_key import parts_of
from agent.values import dataclass


class Finding(StrEnum):
    """Codes are stable: they stand in `--json` (docs/ref/audit-log.md#questions)."""

    HOUR_WITHOUT_COUNTS = "hour-without-counts"
    SILENT = "silent"
    STOPPED_BY_FORCE = "stopped-by-force"
    OFF = "off"
    RELEASE_WITHOUT_END = "release-without-end"
    WAITING = "waiting"
    END_WITHOUT_RELEASE = "end-without-release"
    ENDED_TWICE = "ended-twice"
    RELEASED_TWICE = "released-twice"
    NUMBER_MISSING = "number-missing"
    NUMBER_TWICE = "number-twice"
    LOG_BEGUN_ANEW = "log-begun-anew"
    LOG_PUT_BACK = "log-put-back"
    READ_LOST = "read-lost"
    OVERFLOW = "overflow"
    REFUSED_DESTINATION = "refused-destination"
    WIPED = "wiped"
    SENT_UNKNOWN = "sent-unknown-to-watch"
    RECEIPT_UNKNOWN = "receipt-unknown-to-deliver"
    ANSWERS_DIFFER = "answers-differ"
    BEYOND_LOG = "number-beyond-log"
    RECEIVED_TWICE = "number-received-twice"
    NOT_HELD = "stored-and-not-held"
    LIST_UNKNOWN = "list-unknown-to-city"
    CHECKPOINT_MISSING = "checkpoint-missing"
    CHECKPOINT_MISFIT = "checkpoint-misfit"
    HOLD_WITHOUT_END = "hold-without-end"
    HELD_WITHOUT_HOLD = "held-without-hold"
    HELD_LOST = "held-lost"
    HOLD_LASTS = "hold-lasts"
    NOT_ASKED = "not-asked"


NOTES = frozenset(
    {
        Finding.STOPPED_BY_FORCE,
        Finding.OFF,
        Finding.WAITING,
        Finding.REFUSED_DESTINATION,
        Finding.WIPED,
        Finding.HOLD_LASTS,
        Finding.NOT_ASKED,
    }
)
"""What is worth knowing and says nothing bad by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`origin`: the log's name; `leaf`: the leaf at which it shows, None where it shows at none;
    `at`: when that was logged (RFC 3339), or "".
    """

    finding: Finding
    origin: str
    leaf: int | None
    at: str
    what: str

    @property
    def bad(self) -> bool:
        """Must somebody answer for it?"""
        return self.finding not in NOTES

    @property
    def camera(self) -> str:
        """The camera of `platewarden/<camera>/<process>`."""
        return parts_of(self.origin)[0]


def about(finding: Finding, leaf: ShownLeaf, what: str) -> Answer:
    """An answer that shows at a leaf. `what` may hold the leaf's own words."""
    return Answer(finding, leaf.origin, leaf.number, leaf.at, clean_text(what))


def text_of(details: Mapping[str, object], name: str) -> str:
    """A member that should be a text; "" where it is none."""
    value = details.get(name)
    return clean_text(value) if isinstance(value, str) else ""


def number_of(details: Mapping[str, object], name: str) -> int | None:
    """A member that should be a whole number, 0 or more; None where it is none. `1.0` is 1: what
    reads JSON in another language does not tell them apart, and must count the same.
    """
    value = details.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None
