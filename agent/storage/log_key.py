"""Keys of an audit log: makes and loads the signing key, reads public keys in the forms that an
auditor may hold, and digests what only this device may recognise in its log.
"""

import hmac
import json
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from agent.core.log.checkpoint import origin_of, parse_verifier_key
from agent.core.text.encoding import from_b64url
from agent.core.text.identifier import is_domain
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.disk.private_file import credential_or, read_private
from agent.errors import StorageError, UsageError
from agent.values import dataclass

MAX_KEY_FILE_BYTES = 16_384
_DIGEST_LABEL = b"platewarden hotlist_digest 1"


@dataclass(frozen=True, slots=True)
class TrustedLogKeys:
    """Public keys by the origin they sign for. Under the empty origin: a key without a name, for
    whatever log it fits. Under one without a domain, as of a roster: for the log of this name in
    any city's domain, or in `domain`, where it is given. `source`: the file or files, for people.
    `beside`: found beside the log, so that whoever wrote one may have written the other.
    """

    keys: dict[str, Ed25519PublicKey]
    source: Path | str
    beside: bool = False
    domain: str = ""

    def for_origin(self, origin: str) -> Ed25519PublicKey | None:
        """The key that must have signed checkpoints of this origin."""
        bare, ours = without_domain(origin), origin_under(self.domain, origin)
        named = self.keys.get(bare) if ours or bare == origin else None
        return self.keys.get(origin) or named or self.keys.get("")


def own_origin(public: Path, device: str, process: str) -> str:
    """The same of a camera's own log: its public.json says in which domain. A camera without one
    has none. Raises UsageError, StorageError.
    """
    keys = load_trusted_keys(public).keys if public.exists() else {}
    named = origin_of(device, process)
    return next((origin for origin in keys if without_domain(origin) == named), named)


def without_domain(origin: str) -> str:
    """The name as it would be without the city's domain."""
    domain, _, rest = origin.partition("/")
    return rest if is_domain(domain) else origin


def parts_of(origin: str) -> tuple[str, str]:
    """Whose log it is, a camera's or a city's, and of which process."""
    device, _, process = without_domain(origin).partition("/")[2].rpartition("/")
    return device, process


def origin_under(domain: str, origin: str) -> bool:
    """Is the log named by this domain? By any, where none is given."""
    named, _, rest = origin.partition("/")
    return bool(rest) and is_domain(named) and domain in {"", named}


def create_signing_key(path: Path) -> Ed25519PrivateKey:
    """Make a new Ed25519 key as PKCS8 PEM, mode 0600. Refuses to replace a file: the log under the
    old key would become unprovable.
    """
    if os.path.lexists(path):
        raise StorageError(
            "a key is there already",
            where=path,
            fix="use it, or move it away together with its log",
        )
    key = Ed25519PrivateKey.generate()
    write_atomic(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    return key


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """An Ed25519 private key in PEM that only its owner can read. Raises StorageError; key bytes
    never stand in an error.
    """
    path = credential_or(path)
    try:
        key = load_pem_private_key(read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise StorageError(
            "not an unencrypted PEM private key", where=path, fix="run `platewarden provision`"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise StorageError("not an Ed25519 key", where=path, fix="run `platewarden provision`")
    return key


def load_trusted_keys(path: Path) -> TrustedLogKeys:
    """Public keys from a device's public.json, a JWK, a PEM file or a line `name+id+base64` (C2SP
    signed note). Raises UsageError.
    """
    data = read_bounded(path, MAX_KEY_FILE_BYTES)
    try:
        text = data.decode("ascii")
        if text.startswith("-----BEGIN"):
            key = load_pem_public_key(data)
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError  # noqa: TRY301 - one message for every unusable key file
            keys = {"": key}
        elif text.lstrip().startswith("{"):
            keys = _from_json(json.loads(text))
        else:
            name, raw = parse_verifier_key(text)
            keys = {name: Ed25519PublicKey.from_public_bytes(raw)}
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm, RecursionError):
        raise UsageError(
            "holds no public Ed25519 log key",
            where=path,
            fix="give a device's public.json, a JWK, a PEM or a `name+id+key` line",
        ) from None
    return TrustedLogKeys(keys, path)


def _from_json(untrusted: dict[str, object]) -> dict[str, Ed25519PublicKey]:
    if "kty" in untrusted:
        return {"": _from_jwk(untrusted)}
    device = untrusted["device"]
    if not isinstance(device, str):
        raise TypeError
    domain = untrusted.get("domain", "")
    if not isinstance(domain, str) or (domain and not is_domain(domain)):
        raise ValueError
    return {
        origin_of(device, name.removesuffix("_log"), domain): _from_jwk(value)
        for name, value in untrusted.items()
        if name.endswith("_log")
    }


def _from_jwk(untrusted: object) -> Ed25519PublicKey:
    if (
        not isinstance(untrusted, dict)
        or untrusted.get("kty") != "OKP"
        or untrusted.get("crv") != "Ed25519"
        or not isinstance(untrusted.get("x"), str)
    ):
        raise ValueError
    return Ed25519PublicKey.from_public_bytes(from_b64url(untrusted["x"]))


def keyed_digest(log_key: Path, digest: str) -> str:
    """A digest that only this device can make, for what is logged of a text that others might
    guess: HMAC-SHA-256 of `digest`'s text, 64 hex digits, under a key made of the log's. It is the
    same after a restart, and another on another device. Raises StorageError.

    Mitigates against: whoever holds the log, and a guess of the whole hot list, asks the log
    whether the guess is right. A plain digest answers.
    """
    secret = load_signing_key(log_key).private_bytes_raw()
    key = HKDF(SHA256(), length=32, salt=None, info=_DIGEST_LABEL).derive(secret)
    return hmac.digest(key, digest.encode("ascii"), "sha256").hex()
