"""The contract of ports.Sealer, over the fake and the real one."""

import dataclasses
import hashlib
from datetime import timedelta

import pytest

from agent.core.wire import epochs
from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.errors import RefusedError
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.fakes.sealing import FakeSealer
from tests.fakes.verifying import FakeVerifier
from tests.support.sealed import CAPTURED, DEVICE, PLATE, RECIPIENT, Parties, release, sighting

DAYS = 40


@pytest.fixture(params=["fake", "real"])
def pair(request):
    """A sealer with keys for RECIPIENT for 40 days, and a verifier that believes its device."""
    if request.param == "fake":
        last = CAPTURED.date() + timedelta(days=DAYS - 1)
        return FakeSealer(DEVICE, recipients=[RECIPIENT], last_epoch=last), FakeVerifier([DEVICE])
    parties = Parties.make(days=DAYS)
    return parties.sealer(), EnvelopeVerifier(parties.enrolled())


class TestSealer:
    def test_tags_say_what_the_release_said(self, pair):
        sealer, _ = pair
        tags = sealer.seal(sighting(), release(), 3).tags
        wanted = release()
        assert (tags.device, tags.sequence, tags.recipient, tags.purpose, tags.rule) == (
            DEVICE,
            3,
            RECIPIENT,
            wanted.purpose,
            wanted.rule,
        )
        assert (tags.policy_name, tags.policy_version, tags.policy_digest) == (
            wanted.policy_name,
            wanted.policy_version,
            wanted.policy_digest,
        )
        assert (tags.captured_at, tags.category, tags.match) == (
            CAPTURED,
            wanted.match.category,
            wanted.match.level,
        )

    def test_the_wire_verifies_and_carries_the_same_tags(self, pair):
        sealer, verifier = pair
        sealed = sealer.seal(sighting(), release(), 1)
        assert verifier.verify(sealed.wire) == sealed.tags
        assert len(sealed.wire) <= MAX_WIRE_BYTES

    @pytest.mark.parametrize("days", [2, 3, 21])
    def test_the_deadline_is_never_later_than_capture_and_retention(self, pair, days):
        sealer, _ = pair
        tags = sealer.seal(sighting(), release(retention_days=days), 1).tags
        assert (
            CAPTURED + timedelta(days=days - 1) < tags.deadline <= CAPTURED + timedelta(days=days)
        )
        assert tags.deadline == epochs.deadline_of(tags.epoch)

    def test_every_read_has_its_own_id_and_bytes(self, pair):
        sealer, _ = pair
        made = [sealer.seal(sighting(), release(), n) for n in (1, 2, 3)]
        assert (
            len({sealed.tags.read_id for sealed in made})
            == len({hashlib.sha256(sealed.wire).digest() for sealed in made})
            == 3
        )

    def test_past_the_end_of_the_key_list_nothing_is_sealed(self, pair):
        sealer, _ = pair
        with pytest.raises(RefusedError) as refused:
            sealer.seal(sighting(), release(retention_days=DAYS + 2), 1)
        assert refused.value.reason == "no-epoch-key"

    def test_a_recipient_without_keys_gets_nothing(self, pair):
        sealer, _ = pair
        with pytest.raises(RefusedError) as refused:
            sealer.seal(sighting(), release(recipient="somebody-else"), 1)
        assert refused.value.reason == "no-epoch-key"
        assert PLATE not in str(refused.value)

    def test_the_wire_does_not_show_the_plate(self, pair):
        sealer, _ = pair
        assert PLATE.encode() not in sealer.seal(sighting(), release(), 1).wire

    def test_the_sighting_is_not_changed(self, pair):
        sealer, _ = pair
        seen = sighting()
        before = {
            field.name: getattr(seen, field.name)
            for field in dataclasses.fields(seen)
            if field.name != "crop"
        }
        picture = seen.crop.tobytes()
        sealer.seal(seen, release(), 1)
        assert before == {name: getattr(seen, name) for name in before}
        assert seen.crop.tobytes() == picture
