"""The tags of a sealed read, version 1: what rides readable beside what only the recipient opens
(docs/ref/sealed-read.md).
"""

import re
from datetime import date, datetime

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields
from agent.core.time.instant import ClockTrust
from agent.core.wire import epochs
from agent.core.wire.match_level import MatchLevel
from agent.values import dataclass

VERSION = 1
MAX_SEQUENCE = 2**53 - 1  # what every JSON reader holds exactly
READ_ID = re.compile(r"[0-9a-f]{32}")
SHA256_HEX = re.compile(r"[0-9a-f]{64}")
TAG_NAMES = (
    *("v", "read", "device", "seq", "captured_at", "clock", "policy", "rule", "category", "match"),
    *("recipient", "purpose", "epoch", "deadline", "unverified"),
)


@dataclass(frozen=True, slots=True)
class Tags:
    """What rides readable but authenticated in the JWE protected header, member `alpr`.

    `read_id`: 32 lower-case hex digits, random. `sequence`: 1, 2, 3 … per device and recipient.
    `epoch`: the UTC day at whose end the recipient destroys the key; `deadline`: that instant.
    `version`: in which form they are written (core.wire.versions).
    """

    read_id: str
    device: str
    sequence: int
    captured_at: datetime
    clock: ClockTrust
    policy_name: str
    policy_version: int
    policy_digest: str
    rule: str
    category: str
    match: MatchLevel
    recipient: str
    purpose: str
    epoch: date
    deadline: datetime
    version: int = VERSION


def format_tags(tags: Tags) -> dict[str, object]:
    """The value of the header member `alpr`."""
    return {
        "v": VERSION,
        "read": tags.read_id,
        "device": tags.device,
        "seq": tags.sequence,
        "captured_at": rfc3339(tags.captured_at),
        "clock": tags.clock.value,
        "policy": {
            "name": tags.policy_name,
            "version": tags.policy_version,
            "digest": tags.policy_digest,
        },
        "rule": tags.rule,
        "category": tags.category,
        "match": tags.match.value,
        "recipient": tags.recipient,
        "purpose": tags.purpose,
        "epoch": tags.epoch.isoformat(),
        "deadline": rfc3339(tags.deadline),
        "unverified": True,
    }


def parse_tags(untrusted_value: object) -> Tags:
    """The inverse, strict: exactly these members, in range, consistent. Raises
    EnvelopeRefusedError(malformed).
    """
    fields = Fields(untrusted_value, "tags", required=TAG_NAMES)
    fields.exactly("v", VERSION)
    fields.exactly("unverified", expected=True)  # P10: nobody may turn a lead into a fact
    policy = Fields(
        fields.value("policy"), "tags: `policy`", required=("name", "version", "digest")
    )
    tags = Tags(
        read_id=fields.pattern("read", READ_ID, "32 lower-case hex digits"),
        device=fields.identifier("device"),
        sequence=fields.whole("seq", 1, MAX_SEQUENCE),
        captured_at=fields.moment("captured_at"),
        clock=ClockTrust(fields.pattern("clock", re.compile("trusted|os"), "trusted or os")),
        policy_name=policy.text("name"),
        policy_version=policy.whole("version", 0, MAX_SEQUENCE),
        policy_digest=policy.pattern("digest", SHA256_HEX, "64 lower-case hex digits"),
        rule=fields.identifier("rule"),
        category=fields.identifier("category"),
        match=MatchLevel(
            fields.pattern(
                "match", re.compile("exact|text|confusable"), "exact, text or confusable"
            )
        ),
        recipient=fields.identifier("recipient"),
        purpose=fields.identifier("purpose"),
        epoch=fields.day("epoch"),
        deadline=fields.moment("deadline"),
    )
    if tags.deadline != epochs.deadline_of(tags.epoch):
        raise fields.bad("deadline", "the end of the epoch's UTC day")
    if tags.captured_at >= tags.deadline:
        raise fields.bad("captured_at", "before the deadline")
    return tags
