"""Verifying: whatever comes in, the answer is tags or one kind of refusal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.wire.receipt import Receipt, format_receipt
from agent.core.wire.sealed_read import split
from agent.errors import EnvelopeRefusedError
from agent.verifying import jose
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.golden.alterations import alterations, altered
from tests.support.sealed import (
    CAPTURED,
    DEVICE,
    EVERYTHING,
    RECIPIENT,
    Parties,
    release,
    sighting,
    sign_compact,
)

PARTIES = Parties.make()
SEALED = PARTIES.sealer().seal(sighting(), release(include=EVERYTHING - {"crop"}), 42)
VERIFIER = EnvelopeVerifier(PARTIES.enrolled())


def refuses(wire):
    with pytest.raises(EnvelopeRefusedError) as refused:
        VERIFIER.verify(wire)
    return refused.value


@settings(max_examples=25)
@given(st.integers(0, len(SEALED.wire) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_refused(position, bit):
    wire = bytearray(SEALED.wire)
    wire[position] ^= 1 << bit
    refuses(bytes(wire))


@pytest.mark.slow
def test_a_flipped_bit_at_every_position_is_refused():
    """Every byte, each with another bit: some four thousand envelopes."""
    for position in range(len(SEALED.wire)):
        wire = bytearray(SEALED.wire)
        wire[position] ^= 1 << (position % 8)
        refuses(bytes(wire))


def test_cut_short_it_is_refused():
    for length in range(0, len(SEALED.wire), 7):
        assert refuses(SEALED.wire[:length]).reason == "malformed"


@settings(max_examples=25)
@given(st.integers(0, len(SEALED.wire) - 1), st.binary(min_size=1, max_size=5))
def test_anything_inserted_is_refused(position, inserted):
    refuses(SEALED.wire[:position] + inserted + SEALED.wire[position:])


@pytest.mark.parametrize(
    "case", list(alterations(SEALED.wire.decode(), PARTIES.device_key)), ids=lambda case: case.name
)
def test_alterations(case):
    wire = altered(SEALED.wire.decode(), case).encode()
    if case.reason == "decryption-failed":
        # The camera's own key signed it: only the encryption can tell, as
        # test_receiver_opening.py tries
        assert VERIFIER.verify(wire)
    else:
        assert refuses(wire).reason == case.reason


def test_one_camera_cannot_speak_for_another():
    two = EnvelopeVerifier(
        {
            DEVICE: Parties.make(days=1).device_key.public_key().public_bytes_raw(),
            "cam-2": PARTIES.enrolled()[DEVICE],
        }
    )
    with pytest.raises(EnvelopeRefusedError) as refused:
        two.verify(SEALED.wire)
    assert refused.value.reason == "signature-invalid"


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_an_impossible_key_is_a_refusal_not_a_traceback(key):
    with pytest.raises(EnvelopeRefusedError):
        jose.verify_detached(split(SEALED.wire), key)


class TestCompact:
    RECEIPT = format_receipt(Receipt("ab" * 16, "cd" * 32, DEVICE, RECIPIENT, "stored", CAPTURED))
    KEY = PARTIES.recipient_key.public_key().public_bytes_raw()
    SIGNED = sign_compact(PARTIES.recipient_key, "t", RECEIPT)

    def verify(self, text, typ="t"):
        return jose.verify_compact(text, typ, self.KEY, where="document")

    def test_sound(self):
        assert self.verify(self.SIGNED) == self.RECEIPT
        assert self.verify(self.SIGNED + b"\n") == self.RECEIPT  # as a file has it

    def test_a_flipped_bit_at_every_position(self):
        for position in range(len(self.SIGNED)):
            text = bytearray(self.SIGNED)
            text[position] ^= 1 << (position % 8)
            with pytest.raises(EnvelopeRefusedError):
                self.verify(bytes(text))

    @settings(max_examples=25)
    @given(st.binary(max_size=300) | st.text("Ab0-_.=", max_size=80).map(str.encode))
    def test_anything_else(self, text):
        with pytest.raises(EnvelopeRefusedError):
            self.verify(text)

    def test_another_type(self):
        with pytest.raises(EnvelopeRefusedError, match="typ"):
            self.verify(self.SIGNED, "u")

    def test_too_long(self):
        with pytest.raises(EnvelopeRefusedError, match="longer"):
            jose.verify_compact(self.SIGNED, "t", self.KEY, where="document", max_bytes=10)
