"""The keys that sign bundles: a file (PKCS#8 PEM, encrypted) or a token (PKCS#11), and the public
half that names its holder.

For the city's machines alone: no camera's process loads this module.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import CryptoSigner, HSMSigner, Signer, SSlibKey

from agent.bundles.layout import HOLDER, MAX_HOLDER_CHARACTERS
from agent.core.text.strict_json import parse_object
from agent.disk.atomic_file import write_new
from agent.disk.input_file import read_input
from agent.disk.private_file import read_private
from agent.errors import ConfigError, RefusedError, StorageError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from securesystemslib.signer import Key

MAX_PUBLIC_BYTES = 4_096
PKCS11 = "pkcs11:"
_SCHEMES = {"ed25519": "ed25519", "ecdsa": "ecdsa-sha2-nistp256"}
_URI = re.compile(
    r"pkcs11:(?:token=(?P<token>[^;?]+);)?id=(?P<id>(?:%[0-9A-Fa-f]{2})+)(?:\?module-path=(?P"
    r"<module>/[^&]+))?"
)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A public key and who holds its private half: what goes into metadata."""

    name: str
    key: SSlibKey

    @property
    def id(self) -> str:
        """The key's id in TUF metadata: SHA-256 over the public key, in hex."""
        return str(self.key.keyid)


def holder_of(key: Key) -> str:
    """Who holds a key that stands in metadata, and the start of its id."""
    name = key.unrecognized_fields.get(HOLDER)
    return (
        name
        if isinstance(name, str) and name.isprintable() and 0 < len(name) <= MAX_HOLDER_CHARACTERS
        else f"key {key.keyid[:12]}"
    )


def named(key: SSlibKey, name: str) -> KeyHolder:
    """A key with its holder's name written beside it. Raises UsageError."""
    if not name.isprintable() or not 0 < len(name.strip()) <= MAX_HOLDER_CHARACTERS:
        raise UsageError(
            f"a holder's name is 1 to {MAX_HOLDER_CHARACTERS} printable characters",
            where="--holder",
        )
    key.unrecognized_fields[HOLDER] = name.strip()
    return KeyHolder(name.strip(), key)


def format_public(holder: KeyHolder) -> bytes:
    """The public file: what a holder gives to whoever runs `bundle init` or `bundle rotate`."""
    return (
        json.dumps(
            {"v": 1, "holder": holder.name, "key": _plain(holder.key)},
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
        ).encode()
        + b"\n"
    )


def read_public(path: Path) -> KeyHolder:
    """A public file. Raises ConfigError."""
    untrusted = read_input(
        path, MAX_PUBLIC_BYTES, missing="its holder makes it with `platewarden bundle key`"
    )
    fix = "its holder makes it with `platewarden bundle key`"
    try:
        table = dict(parse_object(untrusted, str(path)))
        name, listed = table.get("holder"), table.get("key")
        if (
            table.keys() != {"v", "holder", "key"}
            or table["v"] != 1
            or not isinstance(name, str)
            or not isinstance(listed, dict)
        ):
            raise ConfigError("is not the public half of a signing key", where=path, fix=fix)
        key = SSlibKey.from_dict("", dict(listed))
        if _SCHEMES.get(key.keytype) != key.scheme:
            raise ConfigError("is neither an Ed25519 nor a P-256 key", where=path, fix=fix)
        # Read again, so that its id is computed here and never taken from the file.
        key = SSlibKey.from_crypto(_loaded(key), scheme=key.scheme)
    except (RefusedError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise ConfigError("is not the public half of a signing key", where=path, fix=fix) from None
    return named(key, name)


def make_key(path: Path, passphrase: str, holder: str) -> KeyHolder:
    """Make an Ed25519 key file, mode 0600, encrypted unless the passphrase is empty; an existing
    file is never overwritten.

    Raises StorageError, UsageError.
    """
    private = Ed25519PrivateKey.generate()
    made = named(SSlibKey.from_crypto(private.public_key()), holder)
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        protection = serialization.BestAvailableEncryption(passphrase.encode())
    write_new(
        path,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        ),
    )
    return made


def load_signer(where: str, secret: Callable[[str], str]) -> Signer:
    """The signer in a key file, or behind a PKCS#11 URI.

    `secret` is asked only where the key wants a passphrase or PIN.

    Raises StorageError (missing, readable by others), ConfigError (no such key, wrong passphrase).
    """
    if where.startswith(PKCS11):
        return _token_signer(where, secret)
    private = load_private(where, secret)
    if isinstance(private, EllipticCurvePrivateKey) and not isinstance(private.curve, SECP256R1):
        raise ConfigError(
            "is neither an Ed25519 nor a P-256 key",
            where=where,
            fix="make one with `platewarden bundle key`",
        )
    return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))


def load_private(
    where: str, secret: Callable[[str], str]
) -> Ed25519PrivateKey | EllipticCurvePrivateKey:
    """The private key in a PEM file. Raises StorageError, ConfigError."""
    path = Path(where)
    try:
        pem = read_private(path)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise StorageError(
                "no such key file",
                where=path,
                fix="name it with its path; `platewarden bundle key` makes one",
            ) from None
        raise
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except TypeError:  # it is encrypted
        private = _decrypted(pem, path, secret)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            "is not a PEM private key", where=path, fix="name the key file, not its public half"
        ) from None
    if not isinstance(private, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise ConfigError(
            "is neither an Ed25519 nor a P-256 key",
            where=path,
            fix="make one with `platewarden bundle key`",
        )
    return private


def _decrypted(pem: bytes, path: Path, secret: Callable[[str], str]) -> Any:
    passphrase = secret(f"passphrase of {path}")
    try:
        return serialization.load_pem_private_key(pem, password=passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(
            "wrong passphrase, or a damaged key file",
            where=path,
            fix="try again; nobody can restore a lost passphrase",
        ) from None


def _token_signer(uri: str, secret: Callable[[str], str]) -> Signer:
    """`pkcs11:token=LABEL;id=%02?module-path=/usr/lib/….so` (RFC 7512); without module-path, the
    environment's PYKCS11LIB.
    """
    parts = _URI.fullmatch(uri)
    module = parts and (parts["module"] or os.environ.get("PYKCS11LIB"))
    if not parts or not module:
        raise UsageError(
            "not a PKCS#11 URI that names a key",
            where=uri,
            fix="write 'pkcs11:token=LABEL;id=%02?module-path=/path/to/module.so'",
        )
    os.environ["PYKCS11LIB"] = module  # how securesystemslib wants to be told
    token, number = parts["token"], int(parts["id"].replace("%", ""), 16)
    asked: dict[str, str] = {}

    def once(_what: str) -> str:
        if "pin" not in asked:
            asked["pin"] = secret(f"PIN of token {token or ''}".strip())
        return asked["pin"]

    try:
        _, public = HSMSigner.import_(number, token, once)
        signer = HSMSigner(number, public, once, token)
        # A wrong PIN is told now, not after the diff was read.
        signer.sign(b"platewarden: does the PIN open this token?")
    except UnsupportedLibraryError:
        raise UsageError(
            "tokens need the library python-pkcs11", where=uri, fix="install platewarden[hsm]"
        ) from None
    # The errors of python-pkcs11 share no base with ours; each means: this token does not sign.
    except Exception as error:  # noqa: BLE001
        told = f"{type(error).__name__} {error}".strip()
        raise ConfigError(
            f"the token does not sign: {told}",
            where=uri,
            fix="is it plugged in, the PIN right, the key of kind P-256?",
        ) from None
    return signer


def _plain(key: SSlibKey) -> dict[str, object]:
    return {name: value for name, value in key.to_dict().items() if name != HOLDER}


def _loaded(key: SSlibKey) -> Any:
    """The public key as cryptography knows it. Raises ValueError."""
    public = key.keyval["public"]
    if key.keytype == "ed25519":
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    loaded = serialization.load_pem_public_key(public.encode())
    if not isinstance(loaded, EllipticCurvePublicKey) or not isinstance(loaded.curve, SECP256R1):
        raise UnsupportedAlgorithm("another kind of key than it says")
    return loaded
