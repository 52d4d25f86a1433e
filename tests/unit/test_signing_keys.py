"""Public halves of signing keys: what a holder hands over is read back, everything odd is refused
before it could enter a root.
"""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import CryptoSigner, SSlibKey

from agent.bundles.layout import HOLDER, MAX_HOLDER_CHARACTERS
from agent.bundles.repository.signing_keys import (
    format_public,
    holder_of,
    load_signer,
    make_key,
    named,
    read_public,
)
from agent.errors import ConfigError, UsageError


def written(tmp_path, text):
    (tmp_path / "holder.pub").write_bytes(text)
    return tmp_path / "holder.pub"


def no_secret(_what):
    raise AssertionError("nothing is encrypted here")


def table():
    return json.loads(format_public(named(CryptoSigner.generate_ed25519().public_key, "Ada Ortiz")))


def test_there_and_back(tmp_path):
    made = make_key(tmp_path / "ada.pem", "", "  Ada Ortiz, council ")
    read = read_public(written(tmp_path, format_public(made)))
    assert (read.name, read.id) == ("Ada Ortiz, council", made.id)
    assert read.key.to_dict()[HOLDER] == "Ada Ortiz, council"
    assert holder_of(read.key) == "Ada Ortiz, council"
    signer = load_signer(str(tmp_path / "ada.pem"), no_secret)
    read.key.verify_signature(signer.sign(b"bundle"), b"bundle")


def test_a_p256_key_file_signs_as_well(tmp_path):
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ben.pem").write_bytes(pem)
    (tmp_path / "ben.pem").chmod(0o600)
    signer = load_signer(str(tmp_path / "ben.pem"), no_secret)
    read = read_public(written(tmp_path, format_public(named(signer.public_key, "Ben Cho"))))
    assert read.id == SSlibKey.from_crypto(private.public_key()).keyid
    read.key.verify_signature(signer.sign(b"bundle"), b"bundle")


def test_key_files_of_other_kinds(tmp_path):
    private = ec.generate_private_key(ec.SECP384R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "cleo.pem").write_bytes(pem)
    (tmp_path / "cleo.pem").chmod(0o600)
    with pytest.raises(ConfigError, match="neither an Ed25519 nor a P-256"):
        load_signer(str(tmp_path / "cleo.pem"), no_secret)


def p384(value):
    pem = (
        ec.generate_private_key(ec.SECP384R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return value | {
        "key": {
            "keytype": "ecdsa",
            "scheme": "ecdsa-sha2-nistp256",
            "keyval": {"public": pem.decode()},
        }
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value | {"v": 2},
        lambda value: value | {"more": 1},
        lambda value: {"holder": value["holder"], "key": value["key"]},
        lambda value: value | {"key": []},
        lambda value: value | {"key": {}},
        lambda value: value | {"holder": 7},
        lambda value: value | {"key": value["key"] | {"keyval": {"public": "00"}}},
        lambda value: value | {"key": value["key"] | {"keyval": {"public": "zz" * 32}}},
        lambda value: value | {"key": value["key"] | {"keyval": {}}},
        lambda value: (
            value | {"key": value["key"] | {"keytype": "rsa", "scheme": "rsassa-pss-sha256"}}
        ),
        lambda value: (
            value | {"key": value["key"] | {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256"}}
        ),
        p384,
        lambda _value: [],
    ],
)
def test_public_files_that_cannot_be_meant(tmp_path, change):
    with pytest.raises(ConfigError, match=r"holder\.pub"):
        read_public(written(tmp_path, json.dumps(change(table())).encode()))


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * (MAX_HOLDER_CHARACTERS + 1)])
def test_names_that_cannot_stand_in_a_log(tmp_path, name):
    with pytest.raises(UsageError):
        read_public(written(tmp_path, json.dumps(table() | {"holder": name}).encode()))
    with pytest.raises(UsageError):
        make_key(tmp_path / "new.pem", "", name)
    assert not (tmp_path / "new.pem").exists()


def test_a_key_id_is_computed_never_read(tmp_path):
    value = table()
    value["key"]["keyid"] = "00" * 32
    read = read_public(written(tmp_path, json.dumps(value).encode()))
    assert read.id != "00" * 32
    assert "keyid" not in read.key.to_dict()
