"""P3, tags cannot be stripped: each tag rides readable, and a read in which any of them was changed
is refused by whoever handles it.

Broken by hand once: with `verify_detached` doing nothing, `test_changed_on_the_way` fails; with a
decryption that authenticates nothing (always the same content), `test_changed_and_signed_again`
fails.
"""

import json

import pytest

from agent.core.text.encoding import b64url, from_b64url
from agent.core.text.strict_json import canonical
from agent.core.time.instant import Instant
from agent.core.wire.tags import TAG_NAMES, format_tags
from agent.errors import EnvelopeRefusedError
from agent.receiver.intake import Intake
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.golden.alterations import PARTS, put_together, take_apart
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, DEVICE

OTHER = {
    "v": 2,
    "read": "ef" * 16,
    "device": "cam-other",
    "seq": 99,
    "captured_at": "2027-01-15T11:00:00.000Z",
    "clock": "trusted",
    "policy": {"name": "Another policy", "version": 8, "digest": "ef" * 32},
    "rule": "another-rule",
    "category": "another-category",
    "match": "text",
    "recipient": "another-recipient",
    "purpose": "another-purpose",
    "epoch": "2027-02-10",
    "deadline": "2027-02-11T00:00:00.000Z",
    "unverified": False,
}


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    return Enrolled(tmp_path_factory.mktemp("recipient") / "recipient", now=Instant(CAPTURED))


def changed(enrolled, name, *, sign):
    """A sealed read with one tag changed: consistently (key id, epoch and deadline together), and
    signed again if `sign`.
    """
    parts = take_apart(enrolled.seal().wire.decode())
    header = json.loads(from_b64url(parts["header"]))
    assert name in header["alpr"], "the tag rides readable"
    names = ("epoch", "deadline") if name in {"epoch", "deadline"} else (name,)
    for each in names:
        assert header["alpr"][each] != OTHER[each]
        header["alpr"][each] = OTHER[each]
    header["kid"] = f"{header['alpr']['recipient']}/{header['alpr']['epoch']}"
    parts["header"] = b64url(canonical(header))
    if name == "device":
        parts["protected"] = b64url(
            canonical({**json.loads(from_b64url(parts["protected"])), "kid": OTHER["device"]})
        )
    if sign:
        first_line = ".".join(parts[part] for part in PARTS[:5])
        parts["signature"] = b64url(
            enrolled.device_key.sign(f"{parts['protected']}.{first_line}".encode())
        )
    return put_together(parts).encode()


def test_every_tag_is_tried(enrolled):
    assert set(OTHER) == set(TAG_NAMES) == set(format_tags(enrolled.seal().tags))


@pytest.mark.parametrize("name", TAG_NAMES)
def test_changed_on_the_way(enrolled, name):
    """By a broker, a thief of the card, a recipient who hands it on: without the camera's key."""
    verifier = EnvelopeVerifier(
        {
            DEVICE: enrolled.device_key.public_key().public_bytes_raw(),
            "cam-other": bytes(31) + b"\x01",
        }
    )
    with pytest.raises(EnvelopeRefusedError):
        verifier.verify(changed(enrolled, name, sign=False))


@pytest.mark.parametrize("name", TAG_NAMES)
def test_changed_and_signed_again(enrolled, name):
    """By somebody who has even the camera's signing key: the encryption authenticates the tags,
    too.

    The receiver keeps nothing of it.
    """
    enrolled.enrol(
        dict.fromkeys((DEVICE, "cam-other"), enrolled.device_key.public_key().public_bytes_raw())
    )
    store = enrolled.place.store()
    intake = Intake(
        enrolled.place.recipient, enrolled.place.opener(), store, enrolled.place.signer()
    )
    taken = intake.take(changed(enrolled, name, sign=True), Instant(CAPTURED))
    assert taken.outcome.split(":")[0] in {"rejected", "dropped"}
    assert not store.reads()
    store.close()


def test_an_unchanged_one_is_kept(enrolled):
    store = enrolled.place.store()
    intake = Intake(
        enrolled.place.recipient, enrolled.place.opener(), store, enrolled.place.signer()
    )
    assert intake.take(enrolled.seal().wire, Instant(CAPTURED)).outcome == "stored"
    store.delete_due(CAPTURED.replace(year=2099))
    store.close()
