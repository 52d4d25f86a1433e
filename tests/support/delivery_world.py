"""Deliver with everything around it in memory, for the tests of agent/delivery.py: fakes, a policy,
a clock that stands still.
"""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime

from agent.core.policy.policy import Broker, Policy, Recipient, ReleaseRule
from agent.core.time.instant import ClockTrust
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.receipt import Receipt
from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.tags import Tags
from agent.delivery import Delivery, Route
from tests.fakes.audit import FakeAuditLog
from tests.fakes.clock import FakeClock
from tests.fakes.network import FakeAttempts, FakePublisher
from tests.fakes.sealing import fake_wire
from tests.fakes.storage import FakeOutbox, FakeReceiptBox
from tests.fakes.verifying import FakeReceiptVerifier, FakeVerifier, fake_receipt

DEVICE, POLICE, SHERIFF = "cam-7", "exampleville-pd", "county-sheriff"
NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)


def rule(recipient: str = POLICE, **other) -> ReleaseRule:
    values = {
        "rule": f"stolen-{recipient}",
        "categories": frozenset({"stolen-vehicle"}),
        "match": frozenset({MatchLevel.EXACT}),
        "min_confidence": 0.9,
        "max_per_hour": 20,
        "purpose": "stolen-vehicle-recovery",
        "retention_days": 21,
        "include": frozenset({"plate"}),
    }
    return ReleaseRule(recipient=recipient, **values | other)


def policy(*recipients: str, **other) -> Policy:
    served = recipients or (POLICE, SHERIFF)
    values = {
        "name": "City of Exampleville ALPR policy",
        "version": 7,
        "jurisdiction": "US-CA",
        "effective": date(2026, 11, 1),
        "expires": date(2027, 5, 1),
        "releases": tuple(rule(recipient) for recipient in served),
        "recipients": {
            r: Recipient(r, r, "Ordinance 2026-14", date(2027, 5, 1), bytes(32)) for r in served
        },
        "brokers": (
            Broker(
                "city-hall",
                "mqtt.exampleville.example",
                (("203.0.113.10", 8883),),
                "ca.pem",
                frozenset({bytes(32)}),
                frozenset(served),
            ),
        ),
        "digest": "ab" * 32,
    }
    return Policy(**values | other)


class World:
    """Deliver with everything around it in memory."""

    def __init__(self) -> None:
        self.attempts, self.clock, self.log = FakeAttempts(), FakeClock(NOW), FakeAuditLog()
        self.outbox = FakeOutbox(FakeAuditLog())
        self.box = FakeReceiptBox(self.log)
        self.publisher = FakePublisher((POLICE, SHERIFF))
        self.policy, self.made, self.progress, self.bell = policy(), 0, 0, None
        self.restart()

    def restart(self) -> None:
        """A new process over the same disk."""
        self.delivery = Delivery(
            DEVICE,
            self.outbox,
            FakeVerifier(),
            self.box,
            self.attempts,
            self.log,
            self.clock,
            lambda: 0.0,
            self.bell,
        )

    def seal(self, recipient: str = POLICE, **other) -> SealedRead:
        """Watch puts a read into the outbox."""
        self.made += 1
        values = {
            "read_id": hashlib.sha256(str(self.made).encode()).hexdigest()[:32],
            "device": DEVICE,
            "sequence": self.outbox.next_sequence(recipient),
            "captured_at": NOW,
            "clock": ClockTrust.OS,
            "policy_name": "p",
            "policy_version": 7,
            "policy_digest": "ab" * 32,
            "rule": f"stolen-{recipient}",
            "category": "stolen-vehicle",
            "match": MatchLevel.EXACT,
            "recipient": recipient,
            "purpose": "stolen-vehicle-recovery",
            "epoch": date(2027, 2, 4),
            "deadline": datetime(2027, 2, 5, tzinfo=UTC),
        }
        tags = Tags(**values | other)
        sealed = SealedRead(tags, fake_wire(tags))
        self.outbox.put(sealed)
        return sealed

    def receipt(self, sealed: SealedRead, **other) -> bytes:
        """The recipient answers."""
        tags = sealed.tags
        receipt = Receipt(
            tags.read_id,
            hashlib.sha256(sealed.wire).hexdigest(),
            tags.device,
            tags.recipient,
            "stored",
            NOW,
        )
        return fake_receipt(replace(receipt, **other))

    def run(self, stopping=lambda: False):
        def progress() -> None:
            self.progress += 1

        return self.delivery.pass_once(
            Route(self.policy, FakeReceiptVerifier((POLICE, SHERIFF)), self.publisher),
            progress,
            stopping,
        )

    def published(self) -> list[str]:
        return [p.read_id for p in self.publisher.published]

    def refusals(self) -> list[str]:
        return [details["reason"] for details in self.log.details("refusal")]
