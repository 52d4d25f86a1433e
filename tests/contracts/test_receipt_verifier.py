"""The contract of ports.ReceiptVerifier, over the fake and the real one."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.wire.receipt import Receipt, format_receipt
from agent.errors import EnvelopeRefusedError
from agent.verifying.receipt_check import ReceiptVerifier
from tests.fakes.verifying import FakeReceiptVerifier, fake_receipt
from tests.support.sealed import CAPTURED, DEVICE, RECIPIENT, Parties, sign_compact

PARTIES = Parties.make(days=1)
RECEIPT = Receipt("0" * 31 + "1", "cd" * 32, DEVICE, RECIPIENT, "stored", CAPTURED)
TYP = "platewarden-receipt"


def write(kind, receipt):
    return (
        fake_receipt(receipt)
        if kind == "fake"
        else sign_compact(PARTIES.recipient_key, TYP, format_receipt(receipt))
    )


def verifier(kind, recipients=(RECIPIENT,)):
    return (
        FakeReceiptVerifier(recipients)
        if kind == "fake"
        else ReceiptVerifier(
            dict.fromkeys(recipients, PARTIES.recipient_key.public_key().public_bytes_raw())
        )
    )


@pytest.mark.parametrize("kind", ["fake", "real"])
class TestReceiptVerifier:
    @pytest.mark.parametrize("outcome", ["stored", "rejected:decryption-failed"])
    def test_believes_an_untouched_receipt(self, kind, outcome):
        receipt = dataclasses.replace(RECEIPT, outcome=outcome)
        assert verifier(kind).verify(write(kind, receipt)) == receipt

    def test_refuses_a_recipient_that_the_policy_does_not_name(self, kind):
        with pytest.raises(EnvelopeRefusedError) as refused:
            verifier(kind, ["other"]).verify(write(kind, RECEIPT))
        assert refused.value.reason == "recipient-not-in-policy"

    @pytest.mark.parametrize(
        "change",
        [
            {"outcome": "deleted"},
            {"wire_sha256": "x" * 64},
            {"read_id": "../../etc/passwd"},
            {"device": "a/b"},
        ],
    )
    def test_refuses_values_out_of_form(self, kind, change):
        with pytest.raises(EnvelopeRefusedError):
            verifier(kind).verify(write(kind, dataclasses.replace(RECEIPT, **change)))

    @settings(max_examples=25)
    @given(untrusted=st.binary(max_size=300))
    def test_random_bytes_are_refused_and_nothing_else_happens(self, kind, untrusted):
        with pytest.raises(EnvelopeRefusedError):
            verifier(kind).verify(untrusted)

    @settings(max_examples=25)
    @given(position=st.integers(min_value=0), bit=st.integers(0, 7))
    def test_one_flipped_bit_is_refused(self, kind, position, bit):
        altered = bytearray(write(kind, RECEIPT))
        altered[position % len(altered)] ^= 1 << bit
        with pytest.raises(EnvelopeRefusedError):
            verifier(kind).verify(bytes(altered))


class TestOnlyReal:
    def test_a_receipt_signed_by_another_key_is_refused(self):
        forged = sign_compact(PARTIES.device_key, TYP, format_receipt(RECEIPT))
        with pytest.raises(EnvelopeRefusedError) as refused:
            verifier("real").verify(forged)
        assert refused.value.reason == "signature-invalid"

    @pytest.mark.parametrize(
        ("typ", "more"),
        [
            ("platewarden-epoch-keys", {}),
            ("", {}),
            (TYP, {"kid": "x"}),
            (TYP, {"crit": ["b64"], "b64": True}),
        ],
    )
    def test_another_kind_of_document_or_header_is_refused(self, typ, more):
        with pytest.raises(EnvelopeRefusedError) as refused:
            verifier("real").verify(
                sign_compact(PARTIES.recipient_key, typ, format_receipt(RECEIPT), **more)
            )
        assert refused.value.reason == "malformed"
