"""The contract of ports.Verifier, over the fake and the real one: an envelope is believed whole or
refused.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.errors import EnvelopeRefusedError
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.fakes.sealing import FakeSealer
from tests.fakes.verifying import FakeVerifier
from tests.support.sealed import DEVICE, Parties, release, sighting

PARTIES = Parties.make()
SEALED = {
    "fake": FakeSealer(DEVICE).seal(sighting(), release(), 1),
    "real": PARTIES.sealer().seal(sighting(), release(), 1),
}


def verifier(kind, enrolled=(DEVICE,)):
    return (
        FakeVerifier(enrolled)
        if kind == "fake"
        else EnvelopeVerifier({name: PARTIES.enrolled()[DEVICE] for name in enrolled})
    )


@pytest.mark.parametrize("kind", ["fake", "real"])
class TestVerifier:
    def test_believes_an_untouched_read(self, kind):
        assert verifier(kind).verify(SEALED[kind].wire) == SEALED[kind].tags

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
