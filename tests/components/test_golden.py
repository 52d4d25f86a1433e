"""The committed vectors open today as on the day they were made, and every listed alteration is
refused: the format cannot drift.
"""

import hashlib
import json
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.text.encoding import from_b64url
from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.key_list import format_key_list
from agent.core.wire.receipt import format_receipt
from agent.core.wire.sealed_read import join, jwe_header, split, tags_of
from agent.errors import EnvelopeRefusedError
from agent.receiver.opener import Opener
from agent.sealing.sealer import sign
from agent.verifying.envelope_check import EnvelopeVerifier
from agent.verifying.key_list_check import verify_key_list
from agent.verifying.receipt_check import ReceiptVerifier
from agent.verifying.roster_check import RosterRoot, format_roster, verify_roster
from tests.golden.alterations import Alteration, altered
from tests.golden.make import seed

FILE = Path(__file__).parents[1] / "golden" / "read-1.json"
FILE_SHA256 = "b86b6048e4ccf59d453ee44e7abc6f1965bab8200272a34c9d7803ddcc75d424"
VECTOR = json.loads(FILE.read_text(encoding="ascii"))
WIRE = VECTOR["wire"].encode()
ROOT_KEY, SIGNING = (
    from_b64url(VECTOR[name]["x"]) for name in ("root_key", "recipient_signing_key")
)


class OneKey:
    def key(self, epoch: date):
        return (
            X25519PrivateKey.from_private_bytes(from_b64url(VECTOR["epoch_private_key"]["d"]))
            if epoch.isoformat() == VECTOR["epoch"]
            else None
        )


def opener():
    return Opener(
        VECTOR["recipient"],
        EnvelopeVerifier(verify_roster(VECTOR["roster"].encode(), RosterRoot((ROOT_KEY,))).devices),
        OneKey(),
    )


def test_the_vector_opens():
    opened = opener().open(WIRE)
    tags = opened.tags
    assert (
        tags.device,
        tags.recipient,
        tags.sequence,
        tags.epoch.isoformat(),
        rfc3339(tags.deadline),
    ) == tuple(VECTOR[name] for name in ("device", "recipient", "seq", "epoch", "deadline"))
    assert (opened.plate.text.value, opened.plate.confidence) == (
        VECTOR["plate"],
        VECTOR["confidence"],
    )
    assert (opened.entry_case, opened.posterior) == (VECTOR["case"], VECTOR["posterior"])
    assert opened.crop.startswith(b"\xff\xd8\xff")


def test_the_signed_documents_verify():
    keys = verify_key_list(VECTOR["key_list"].encode(), VECTOR["recipient"], SIGNING)
    assert keys.keys[date.fromisoformat(VECTOR["epoch"])] == from_b64url(
        VECTOR["epoch_private_key"]["x"]
    )
    receipt = ReceiptVerifier({VECTOR["recipient"]: SIGNING}).verify(VECTOR["receipt"].encode())
    assert receipt.stored
    assert receipt.wire_sha256 == VECTOR["wire_sha256"] == hashlib.sha256(WIRE).hexdigest()


def test_signing_the_same_bytes_gives_the_same_second_line():
    envelope = split(WIRE)
    key = Ed25519PrivateKey.from_private_bytes(seed("device"))
    assert sign(VECTOR["device"], key, envelope.jwe) == (envelope.jws_protected, envelope.signature)


def test_what_is_written_today_has_the_bytes_of_the_vectors():
    """Whatever a newer version brings: version 1 is written as on the day of its vectors."""
    envelope = split(WIRE)
    header = {**jwe_header(tags_of(envelope)), "epk": envelope.header["epk"]}
    assert json.dumps(header, separators=(",", ":")).encode() == from_b64url(
        VECTOR["wire"].split(".")[0]
    )
    assert join(envelope.jwe, envelope.jws_protected, envelope.signature) == WIRE
    listed = verify_key_list(VECTOR["key_list"].encode(), VECTOR["recipient"], SIGNING)
    receipt = ReceiptVerifier({VECTOR["recipient"]: SIGNING}).verify(VECTOR["receipt"].encode())
    roster = verify_roster(VECTOR["roster"].encode(), RosterRoot((ROOT_KEY,)))
    for name, written in (
        ("key_list", format_key_list(listed)),
        ("receipt", format_receipt(receipt)),
        ("roster", format_roster(roster)),
    ):
        assert written == from_b64url(VECTOR[name].split(".")[1]), name


def test_the_vectors_themselves_have_not_changed():
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == FILE_SHA256


@pytest.mark.parametrize("listed", VECTOR["refused"], ids=lambda listed: listed["name"])
def test_an_alteration_is_refused(listed):
    with pytest.raises(EnvelopeRefusedError) as refused:
        opener().open(altered(VECTOR["wire"], Alteration(**listed)).encode())
    assert refused.value.reason == listed["reason"]
    assert VECTOR["plate"] not in str(refused.value)


def test_there_are_enough_alterations():
    assert len(VECTOR["refused"]) >= 50
