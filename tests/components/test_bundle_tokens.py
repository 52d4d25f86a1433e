"""Signing with keys on a token (PKCS#11, SoftHSM2 standing in for a YubiKey): the private key never
leaves it, and a camera cannot tell the difference.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.clerk_city import Desk, camera, found, is_error

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
)
MODULE = next((path for path in MODULES if Path(path).exists()), "")
PIN = "123456"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MODULE, reason="SoftHSM2 is not here: apt-get install softhsm2"),
]


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """A token with one P-256 key, id 2; its URI.

    The module reads its configuration once a process, so it is set for all tests here.
    """
    pkcs11 = pytest.importorskip(
        "pkcs11", reason="python-pkcs11 is not installed: pip install 'platewarden[hsm]'"
    )
    from pkcs11.util.ec import encode_named_curve_parameters

    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n"
        "log.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    command = [
        "softhsm2-util",
        "--init-token",
        "--free",
        "--label",
        "Dora",
        "--pin",
        PIN,
        "--so-pin",
        "654321",
    ]
    subprocess.run(command, check=True, capture_output=True)
    with pkcs11.lib(MODULE).get_token(token_label="Dora").open(rw=True, user_pin=PIN) as session:
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC,
            {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")},
            local=True,
        )
        parameters.generate_keypair(mechanism_param=None, id=b"\x02", label="signing", store=True)
    yield f"pkcs11:token=Dora;id=%02?module-path={MODULE}"
    for name in ("PYKCS11LIB", "SOFTHSM2_CONF"):
        os.environ.pop(name, None)


@pytest.fixture
def desk(tmp_path, capsys):
    desk = Desk(tmp_path, capsys)
    (tmp_path / "pin").write_text(PIN + "\n")
    (tmp_path / "pin").chmod(0o600)
    return desk


def test_a_token_signs_the_policy(token, desk, tmp_path, capsys):
    desk = found(tmp_path, capsys)
    shutil.rmtree(desk.city / "pending")
    for left in (
        desk.city / "root.json",
        desk.city / "roster.jws",
        desk.key("roster"),
        desk.pub("dora"),
    ):
        left.unlink()
    made = desk.run(
        "bundle",
        "key",
        desk.folder / "dora",
        "--holder",
        "Dora Lind",
        "--from",
        token,
        "--passphrase-file",
        desk.folder / "pin",
        on="",
    )
    assert made.code == 0, made.err
    from tests.support.clerk_city import init

    assert desk.run(*init(desk)).code == 0
    pin = ("--passphrase-file", desk.folder / "pin", "--yes", "--on", "2026-11-20T06:00:00Z")
    signed = desk.run("bundle", "sign", "--city", desk.city, "--key", token, *pin, on="")
    assert 'signed by "Dora Lind": 1 of 2' in signed.out, signed.err
    for who in ("ada", "ben", "eli"):
        assert desk.sign(who).code == 0
    assert desk.publish().code == 0
    generation = camera(desk, "2026-11-20T07:00:00Z")
    assert generation.facts.signed_by["policy"] == ("Dora Lind", "Eli Roy")
    assert PIN not in signed.out + signed.err


def test_a_wrong_pin_a_missing_token_and_a_missing_key(token, desk):
    (desk.folder / "wrong").write_text("000000\n")
    (desk.folder / "wrong").chmod(0o600)
    key = ("bundle", "key", desk.folder / "dora", "--holder", "Dora Lind")
    is_error(
        desk.run(*key, "--from", token, "--passphrase-file", desk.folder / "wrong", on=""),
        2,
        "token does not sign",
        "PIN",
    )
    pin = ("--passphrase-file", desk.folder / "pin")
    is_error(
        desk.run(*key, "--from", token.replace("Dora", "Eli"), *pin, on=""),
        2,
        "No PKCS#11 token found",
        "plugged in",
    )
    is_error(
        desk.run(*key, "--from", token.replace("%02", "%07"), *pin, on=""),
        2,
        "could not find ECDSA key",
    )
    is_error(
        desk.run(*key, "--from", token.replace("softhsm2.so", "none.so"), *pin, on=""),
        2,
        "token does not sign",
    )
    assert not desk.pub("dora").exists()
