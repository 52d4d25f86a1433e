"""The city's roster: believed only when its root key signed it."""

import json

import pytest

from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical, public_jwk
from agent.errors import EnvelopeRefusedError
from agent.verifying.roster_check import Roster, format_roster, parse_root, verify_roster
from tests.support.sealed import CAPTURED, DEVICE, Parties, sign_compact

PARTIES = Parties.make(days=1)
ROSTER = Roster(
    "City of Exampleville", CAPTURED, {DEVICE: PARTIES.enrolled()[DEVICE], "cam-2": b"\x05" * 32}
)
ROOT = PARTIES.root_key.public_key().public_bytes_raw()
TYP = "platewarden-roster"
AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def signed(table, typ=TYP, key=PARTIES.root_key):
    return sign_compact(key, typ, json.dumps(table).encode())


def refusal(text):
    with pytest.raises(EnvelopeRefusedError) as refused:
        verify_roster(text, ROOT)
    return refused.value


def test_there_and_back():
    assert verify_roster(sign_compact(PARTIES.root_key, TYP, format_roster(ROSTER)), ROOT) == ROSTER


def test_keys_of_a_camera_beside_its_own():
    full = Roster(
        ROSTER.city,
        CAPTURED,
        ROSTER.devices,
        {"cam-2": AGE},
        {"cam-2": (b"\x06" * 32, b"\x07" * 32)},
    )
    assert verify_roster(sign_compact(PARTIES.root_key, TYP, format_roster(full)), ROOT) == full


@pytest.mark.parametrize(
    "more",
    [
        {"age": "age1"},
        {"age": AGE.upper()},
        {"watch_log": public_jwk("Ed25519", bytes(32))},
        {"tls": "x"},
    ],
)
def test_keys_beside_it_that_cannot_be_meant(more):
    entry = {"device": "a", "key": public_jwk("Ed25519", bytes(32)), **more}
    assert (
        refusal(signed({**json.loads(format_roster(ROSTER)), "devices": [entry]})).reason
        == "malformed"
    )


def test_only_the_root_key_counts():
    table = json.loads(format_roster(ROSTER))
    assert refusal(signed(table, key=PARTIES.device_key)).reason == "signature-invalid"
    assert refusal(signed(table, typ="platewarden-epoch-keys")).reason == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"city": ""},
        {"issued_at": 1},
        {"devices": {}},
        {"devices": [{"device": "a", "key": public_jwk("Ed25519", bytes(32))}] * 2},
        {"devices": [{"device": "a/b", "key": public_jwk("Ed25519", bytes(32))}]},
        {"devices": [{"device": "a", "key": public_jwk("X25519", bytes(32))}]},
        {
            "devices": [
                {"device": "a", "key": {**public_jwk("Ed25519", bytes(32)), "d": b64url(bytes(32))}}
            ]
        },
        {"extra": 1},
    ],
)
def test_rosters_that_cannot_be_meant(change):
    assert refusal(signed({**json.loads(format_roster(ROSTER)), **change})).reason == "malformed"


def test_the_root_key_file():
    assert parse_root(canonical(public_jwk("Ed25519", ROOT)) + b"\n") == ROOT
    for untrusted in (
        b"",
        b"{}",
        canonical({**public_jwk("Ed25519", ROOT), "d": "x"}),
        canonical(public_jwk("X25519", ROOT)),
    ):
        with pytest.raises(EnvelopeRefusedError, match=r"root\.json"):
            parse_root(untrusted)
