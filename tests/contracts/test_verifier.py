"""The contract of ports.Verifier, over the fake and the real one: an envelope is believed whole or
refused.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.wire.sealed_read import MAX_WIRE_BYTES, SealedRead
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import EnvelopeRefusedError
from agent.sealing.sealer import Sealer
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.fakes.sealing import FakeSealer, fake_wire
from tests.fakes.verifying import FakeVerifier
from tests.support.sealed import DEVICE, RECIPIENT, Parties, release, sighting
from tests.support.second_version import NEW, OLD

PARTIES = Parties.make()
SEALED = {
    "fake": FakeSealer(DEVICE).seal(sighting(), release(), 1),
    "real": PARTIES.sealer().seal(sighting(), release(), 1),
}


NEWER = {
    "fake": SealedRead(
        replace(SEALED["fake"].tags, version=2),
        fake_wire(replace(SEALED["fake"].tags, version=2), NEW),
    ),
    "real": Sealer(
        DEVICE,
        PARTIES.device_key,
        {RECIPIENT: replace(PARTIES.epoch_keys(), versions=NEW.known)},
        NEW,
    ).seal(sighting(), release(), 1),
}


def verifier(kind, enrolled=(DEVICE,), versions=OLD):
    return (
        FakeVerifier(enrolled, versions)
        if kind == "fake"
        else EnvelopeVerifier(
            {name: PARTIES.enrolled()[DEVICE] for name in enrolled}, versions=versions
        )
    )


@pytest.mark.parametrize("kind", ["fake", "real"])
class TestVerifier:
    def test_believes_an_untouched_read(self, kind):
        assert verifier(kind).verify(SEALED[kind].wire) == SEALED[kind].tags

    def test_a_version_that_it_knows_is_read_whole(self, kind):
        both = verifier(kind, versions=NEW)
        for read in (SEALED[kind], NEWER[kind]):
            assert both.verify(read.wire) == both.verify_any_version(read.wire) == read.tags

    def test_of_a_version_that_it_does_not_know_it_reads_what_every_version_keeps(self, kind):
        with pytest.raises(EnvelopeRefusedError) as refused:
            verifier(kind).verify(NEWER[kind].wire)
        assert refused.value.reason == "unsupported-version"
        tags = NEWER[kind].tags
        assert verifier(kind).verify_any_version(NEWER[kind].wire) == EnvelopeMinimum(
            2, tags.read_id, DEVICE, RECIPIENT
        )

    def test_a_version_that_it_does_not_know_opens_no_door(self, kind):
        with pytest.raises(EnvelopeRefusedError) as refused:
            verifier(kind, ["other"]).verify_any_version(NEWER[kind].wire)
        assert refused.value.reason == "device-not-enrolled"
        for changed in (NEWER[kind].wire[:-1], NEWER[kind].wire + b"A"):
            with pytest.raises(EnvelopeRefusedError):
                verifier(kind).verify_any_version(changed)

    def test_refuses_a_device_that_is_not_enrolled(self, kind):
        with pytest.raises(EnvelopeRefusedError) as refused:
            verifier(kind, ["other"]).verify(SEALED[kind].wire)
        assert refused.value.reason == "device-not-enrolled"

    @pytest.mark.parametrize(
        "alter",
        [
            lambda w: b"",
            lambda w: w[:-1],
            lambda w: w[1:],
            lambda w: w + b"\n",
            lambda w: w + b"A",
            lambda w: w * 2,
            lambda w: w.replace(b"\n", b"\r\n"),
        ],
        ids=[
            "empty",
            "cut at the end",
            "cut at the start",
            "line feed added",
            "letter added",
            "doubled",
            "carriage return",
        ],
    )
    def test_refuses_what_is_not_byte_for_byte_the_read(self, kind, alter):
        with pytest.raises(EnvelopeRefusedError):
            verifier(kind).verify(alter(SEALED[kind].wire))

    def test_refuses_the_absurdly_long_at_once(self, kind):
        with pytest.raises(EnvelopeRefusedError):
            verifier(kind).verify(b"A" * (MAX_WIRE_BYTES + 1))

    @settings(max_examples=25)
    @given(untrusted=st.binary(max_size=300))
    def test_random_bytes_are_refused_and_nothing_else_happens(self, kind, untrusted):
        with pytest.raises(EnvelopeRefusedError):
            verifier(kind).verify(untrusted)
