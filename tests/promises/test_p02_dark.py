"""P2, sealed in the dark: what leaves the camera's process holds no plate in any encoding, and
opens for the recipient alone.

Broken by hand once: with `encrypt` leaving the plaintext in place of the ciphertext, the test of
the wire bytes fails.
"""

import base64
import json
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.text.encoding import b64url, from_b64url
from agent.errors import EnvelopeRefusedError
from agent.receiver.opener import Opener
from agent.sealing.payload import padded_payload
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.golden.alterations import take_apart
from tests.support.plate_search import encodings
from tests.support.sealed import PLATE, RECIPIENT, Parties, release, sighting

PARTIES = Parties.make()
# Also the case and the agency: they say who is looked for.
SECRETS = (PLATE, "TSTO042", "2026-0118", "Exampleville PD")


def found_in(data: bytes) -> list[str]:
    return [
        name
        for secret in SECRETS
        for name, forms in encodings(secret).items()
        if any(form in data for form in forms)
    ]


def test_no_plate_in_the_wire_bytes_or_in_any_part_of_them():
    for _ in range(20):
        wire = PARTIES.sealer().seal(sighting(), release(), 1).wire
        assert not found_in(wire)
        assert not any(found_in(from_b64url(part)) for part in take_apart(wire.decode()).values())


def test_the_search_would_find_it():
    plaintext = padded_payload(sighting(), release(), 1)
    for planted in (
        plaintext,
        base64.b64encode(plaintext),
        b64url(plaintext).encode(),
        json.dumps(plaintext.decode()).encode(),
        PLATE.encode("utf-16"),
    ):
        assert found_in(planted)


@pytest.mark.parametrize("whose", ["nobody", "another recipient", "the camera"])
def test_nobody_else_opens_it(whose):
    sealed = PARTIES.sealer().seal(sighting(), release(), 1)
    keys = {
        "nobody": X25519PrivateKey.generate(),
        "another recipient": Parties.make().epochs[sealed.tags.epoch],
        "the camera": X25519PrivateKey.from_private_bytes(PARTIES.device_key.private_bytes_raw()),
    }

    class Key:
        def key(self, _epoch):
            return keys[whose]

    with pytest.raises(EnvelopeRefusedError) as refused:
        Opener(RECIPIENT, EnvelopeVerifier(PARTIES.enrolled()), Key()).open(sealed.wire)
    assert refused.value.reason == "decryption-failed"


def test_who_only_verifies_has_loaded_nothing_that_could_open_or_hold_a_plate():
    code = (
        "import sys, agent.verifying.envelope_check, agent.verifying.receipt_check, "
        "agent.verifying.key_list_check, agent.verifying.roster_check, "
        "agent.verifying.device_public_file;print(*sorted(name for name in sys.modules "
        "if name.startswith('agent')))"
    )
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
    )
    assert "agent.verifying.envelope_check" in loaded
    assert not loaded & {
        "agent.core.reading.sighting",
        "agent.core.reading.plate_text",
        "agent.core.hotlist.matching",
        "agent.core.hotlist.index",
    }
    assert not {name for name in loaded if name.startswith(("agent.sealing", "agent.receiver"))}
