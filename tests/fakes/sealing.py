"""A fake Sealer: readable wire bytes (the tags and a checksum, never the plate), no cryptography,
exact and fast.
"""

import hashlib
from collections.abc import Collection
from datetime import date

from agent.core.policy.policy import Release
from agent.core.reading.sighting import Sighting
from agent.core.reasons import Reason
from agent.core.text.strict_json import canonical
from agent.core.wire import epochs
from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.tags import Tags
from agent.core.wire.versions import VERSIONS, Versions
from agent.errors import RefusedError


def fake_wire(tags: Tags, versions: Versions = VERSIONS) -> bytes:
    """`<tags as JSON>`, a line feed, their SHA-256: FakeVerifier refuses any other byte."""
    body = canonical(versions.format_tags(tags))
    return body + b"\n" + hashlib.sha256(body).hexdigest().encode()


class FakeSealer:
    """Implements ports.Sealer.

    `recipients`: whom it has keys for (None: everybody). `last_epoch`: where the key lists end.
    `sealed`: what it made.
    """

    def __init__(
        self,
        device: str = "cam-test-1",
        recipients: Collection[str] | None = None,
        last_epoch: date = date(2099, 12, 31),
    ) -> None:
        self.device, self.recipients, self.last_epoch = device, recipients, last_epoch
        self.sealed: list[SealedRead] = []

    def seal(self, sighting: Sighting, release: Release, sequence: int) -> SealedRead:
        """Tags as the real one makes them, with a countable read id."""
        epoch = epochs.epoch_for(sighting.captured.utc, release.retention_days)
        if epoch > self.last_epoch or (
            self.recipients is not None and release.recipient not in self.recipients
        ):
            raise RefusedError(
                Reason.NO_EPOCH_KEY,
                f"no key for epoch {epoch}",
                where=f"keys/{release.recipient}.jws",
            )
        tags = Tags(
            read_id=hashlib.sha256(
                f"{self.device} {release.recipient} {len(self.sealed)}".encode()
            ).hexdigest()[:32],
            device=self.device,
            sequence=sequence,
            captured_at=sighting.captured.utc,
            clock=sighting.captured.trust,
            policy_name=release.policy_name,
            policy_version=release.policy_version,
            policy_digest=release.policy_digest,
            rule=release.rule,
            category=release.match.category,
            match=release.match.level,
            recipient=release.recipient,
            purpose=release.purpose,
            epoch=epoch,
            deadline=epochs.deadline_of(epoch),
        )
        sealed = SealedRead(tags, fake_wire(tags))
        self.sealed.append(sealed)
        return sealed
