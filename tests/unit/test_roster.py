"""The city's roster: believed only when its root key signed it."""

import json
from itertools import permutations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical, public_jwk
from agent.errors import EnvelopeRefusedError
from agent.verifying.roster_check import (
    Roster,
    RosterRoot,
    format_root,
    format_roster,
    parse_root,
    verify_roster,
)
from tests.support.sealed import CAPTURED, DEVICE, Parties, sign_compact

PARTIES = Parties.make(days=1)
ROSTER = Roster(
    "City of Exampleville", CAPTURED, {DEVICE: PARTIES.enrolled()[DEVICE], "cam-2": b"\x05" * 32}
)
OWN = PARTIES.root_key.public_key().public_bytes_raw()
ROOT = RosterRoot((OWN,))
HOLDERS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 5)]
THREE = tuple(key.public_key().public_bytes_raw() for key in HOLDERS[:3])
TWO_OF_THREE = RosterRoot(THREE, 2)
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
    assert parse_root(canonical(public_jwk("Ed25519", OWN)) + b"\n") == ROOT
    for untrusted in (
        b"",
        b"{}",
        canonical({**public_jwk("Ed25519", OWN), "d": "x"}),
        canonical(public_jwk("X25519", OWN)),
    ):
        with pytest.raises(EnvelopeRefusedError, match=r"root\.json"):
            parse_root(untrusted)


def general(*keys, payload=None, typ=TYP, signatures=lambda made: made):
    """A roster signed by these, in the general JSON form."""
    payload = payload or format_roster(ROSTER)
    made = [sign_compact(key, typ, payload).decode().split(".") for key in keys]
    listed = [{"protected": one[0], "signature": one[2]} for one in made]
    return canonical({"payload": b64url(payload), "signatures": signatures(listed)}) + b"\n"


def of_root(text, root=TWO_OF_THREE):
    """The reason, or the roster."""
    try:
        return verify_roster(text, root)
    except EnvelopeRefusedError as refused:
        return refused.reason


@pytest.mark.parametrize("keys", list(permutations(HOLDERS[:3], 2)))
def test_any_two_of_three_sign_in_any_order(keys):
    assert of_root(general(*keys)) == ROSTER


def test_one_key_never_counts_twice():
    """Given twice, beside a stranger's, in the compact form, and in a header spelled otherwise."""
    one, two, _, stranger = HOLDERS
    assert of_root(general(one, one)) == "signature-invalid"
    assert of_root(general(one, stranger)) == "signature-invalid"
    assert of_root(general(one, one, stranger, two)) == ROSTER
    assert of_root(sign_compact(one, TYP, format_roster(ROSTER))) == "signature-invalid"

    def spelled(made):
        over = b64url(json.dumps({"typ": TYP, "alg": "Ed25519"}, indent=1).encode())
        signed = one.sign(f"{over}.{b64url(format_roster(ROSTER))}".encode())
        return [*made, {"protected": over, "signature": b64url(signed)}]

    assert of_root(general(one, signatures=spelled)) == "signature-invalid"
    assert of_root(general(two, signatures=spelled)) == ROSTER, "the other spelling is a signature"


def test_a_root_that_names_one_key_twice_is_no_root():
    listed = [public_jwk("Ed25519", key) for key in THREE]
    stray = {**listed[0], "x": listed[0]["x"][:-1] + chr(ord(listed[0]["x"][-1]) + 1)}
    for keys in ([listed[0], listed[0], listed[1]], [listed[0], stray, listed[1]]):
        with pytest.raises(EnvelopeRefusedError):
            parse_root(canonical({"keys": keys, "threshold": 2}))


def test_signatures_over_two_rosters_are_not_added_up():
    other = format_roster(Roster(ROSTER.city, CAPTURED, {}))
    text = json.loads(general(HOLDERS[0], payload=other))["signatures"]
    assert of_root(general(HOLDERS[1], signatures=lambda made: made + text)) == "signature-invalid"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: {**whole, "header": {}},
        lambda whole: {**whole, "signatures": whole["signatures"] * 6},
        lambda whole: {**whole, "signatures": {}},
        lambda whole: {**whole, "payload": 1},
        lambda whole: {
            **whole,
            "signatures": [{**one, "header": {"alg": "none"}} for one in whole["signatures"]],
        },
    ],
)
def test_general_forms_that_cannot_be_meant(spoil):
    assert of_root(canonical(spoil(json.loads(general(*HOLDERS[:2]))))) == "malformed"
    assert of_root(general(*HOLDERS[:2], typ="platewarden-epoch-keys")) == "malformed"


def test_an_old_root_of_one_key_takes_either_form():
    compact = sign_compact(PARTIES.root_key, TYP, format_roster(ROSTER))
    assert of_root(compact, ROOT) == ROSTER
    assert of_root(general(PARTIES.root_key), ROOT) == ROSTER
    assert of_root(general(HOLDERS[0]), ROOT) == "signature-invalid"


def test_the_file_of_a_root_of_several_keys():
    assert parse_root(format_root(TWO_OF_THREE)) == TWO_OF_THREE
    assert parse_root(format_root(ROOT)) == ROOT
    listed = [public_jwk("Ed25519", key) for key in THREE]
    for table in (
        {"keys": listed, "threshold": 1},
        {"keys": listed, "threshold": 4},
        {"keys": listed, "threshold": True},
        {"keys": [], "threshold": 2},
        {"keys": listed * 4, "threshold": 2},
        {"keys": listed, "threshold": 2, "v": 1},
        {"keys": listed},
    ):
        with pytest.raises(EnvelopeRefusedError, match=r"root\.json"):
            parse_root(canonical(table))
