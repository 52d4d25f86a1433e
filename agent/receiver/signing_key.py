"""The recipient's Ed25519 signing key: signs its receipts, outcomes and epoch key lists, and opens
nothing.
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical
from agent.core.wire.epochs import EpochKeys
from agent.core.wire.key_list import TYP as KEY_LIST_TYP
from agent.core.wire.key_list import format_key_list
from agent.core.wire.receipt import (
    OUTCOME_TYP,
    LeadOutcome,
    Receipt,
    format_outcome,
    format_receipt,
)
from agent.core.wire.receipt import TYP as RECEIPT_TYP
from agent.core.wire.sealed_read import SIGNATURE_ALGORITHM
from agent.disk.atomic_file import write_new
from agent.disk.private_file import read_private
from agent.errors import StorageError

FILE_NAME = "signing.key"


class RecipientSigner:
    """Signs in the recipient's name.

    Compact JWS with exactly {"alg","typ"} (docs/ref/sealed-read.md).
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()

    @classmethod
    def create(cls, folder: Path) -> "RecipientSigner":
        """Make signing.key; an existing one is never overwritten. Raises StorageError."""
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_new(folder / FILE_NAME, pem)
        return cls(key)

    @classmethod
    def load(cls, folder: Path) -> "RecipientSigner":
        """Read signing.key.

        Raises StorageError when it is missing, damaged or readable by others.
        """
        path = folder / FILE_NAME
        try:
            key = serialization.load_pem_private_key(read_private(path), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise StorageError(
                "is not an unencrypted PEM private key",
                where=path,
                fix="restore it from your safe copy",
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise StorageError(
                "is not an Ed25519 key", where=path, fix="restore it from your safe copy"
            )
        return cls(key)

    def receipt(self, content: Receipt) -> bytes:
        """A signed receipt."""
        return self._sign(RECEIPT_TYP, format_receipt(content))

    def outcome(self, content: LeadOutcome) -> bytes:
        """A signed outcome of a lead."""
        return self._sign(OUTCOME_TYP, format_outcome(content))

    def key_list(self, keys: EpochKeys) -> bytes:
        """A signed list of epoch keys."""
        return self._sign(KEY_LIST_TYP, format_key_list(keys))

    def _sign(self, typ: str, payload: bytes) -> bytes:
        header = canonical({"alg": SIGNATURE_ALGORITHM, "typ": typ})
        signed = f"{b64url(header)}.{b64url(payload)}".encode("ascii")
        return signed + b"." + b64url(self._key.sign(signed)).encode("ascii")
