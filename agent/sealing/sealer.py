"""Seals one sighting for one release: encrypts to the recipient's epoch key, signs the exact bytes
with the device key (docs/ref/sealed-read.md).
"""

import json
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from agent.core.policy.policy import Release
from agent.core.reading.sighting import Sighting
from agent.core.reasons import Reason
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import KEY_BYTES, public_jwk
from agent.core.wire import epochs, sealed_read
from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.tags import Tags
from agent.core.wire.versions import VERSIONS, Versions, highest_common
from agent.errors import PlatewardenError, RefusedError
from agent.sealing.payload import padded_payload


class Sealer:
    """Implements ports.Sealer.

    `key_lists`: verified lists by recipient. Holds the device's signing key; can open nothing that
    it sealed. Seals in the highest version that both sides know.
    """

    def __init__(
        self,
        device_id: str,
        signing_key: Ed25519PrivateKey,
        key_lists: Mapping[str, epochs.EpochKeys],
        versions: Versions = VERSIONS,
    ) -> None:
        self._device = device_id
        self._signing_key = signing_key
        self._key_lists, self._versions = dict(key_lists), versions

    def seal(self, sighting: Sighting, release: Release, sequence: int) -> SealedRead:
        """One envelope for one recipient, one rule, one deadline.

        Raises RefusedError(no-epoch-key, no-common-version).
        """
        keys = self._key_lists.get(release.recipient)
        if keys is None:
            raise RefusedError(
                Reason.NO_EPOCH_KEY,
                "no key list from this recipient",
                where=f"keys/{release.recipient}.jws",
                fix="fetch it from the recipient",
            )
        version = common_version(keys, self._versions)
        epoch, raw_key = epochs.key_for(keys, sighting.captured.utc, release.retention_days)
        tags = Tags(
            read_id=secrets.token_hex(16),
            device=self._device,
            sequence=sequence,
            captured_at=sighting.captured.utc,
            clock=sighting.captured.trust,
            policy_name=release.policy_name,
            policy_version=release.policy_version,
            policy_digest=release.policy_digest,
            rule=release.rule,
            category=release.match.category,
            match=release.match.level,
            recipient=release.recipient,
            purpose=release.purpose,
            epoch=epoch,
            deadline=epochs.deadline_of(epoch),
            version=version,
        )
        # what a receiver would refuse never enters the outbox
        self._versions.parse_tags(self._versions.format_tags(tags))
        return SealedRead(tags, self._wire(tags, raw_key, sighting, release))

    def _wire(self, tags: Tags, raw_key: bytes, sighting: Sighting, release: Release) -> bytes:
        try:
            content = padded_payload(sighting, release, tags.version)
            sealed = encrypt(tags, raw_key, content, self._versions)
            return sealed_read.join(sealed, *sign(self._device, self._signing_key, sealed))
        except (ValueError, TypeError) as error:
            # Only the kind of error: a foreign message could quote what was being sealed.
            raise PlatewardenError(
                f"sealing failed ({type(error).__name__})",
                where=f"epoch key {sealed_read.key_id(tags.recipient, tags.epoch)}",
            ) from None


def common_version(keys: epochs.EpochKeys, versions: Versions = VERSIONS) -> int:
    """The one to seal in.

    In another, the recipient could not open the read, and nobody would know why. Raises
    RefusedError(no-common-version).
    """
    version = highest_common(versions.known, keys.versions)
    if version is None:
        ours, theirs = (", ".join(map(str, each)) for each in (versions.known, keys.versions))
        raise RefusedError(
            Reason.NO_COMMON_VERSION,
            f"the recipient takes version {theirs}, this camera seals {ours}",
            where=f"keys/{keys.recipient}.jws",
            fix="update the older side (docs/ref/versions.md)",
        )
    return version


def encrypt(tags: Tags, raw_key: bytes, plaintext: bytes, versions: Versions = VERSIONS) -> bytes:
    """The compact JWE with the tags in its protected header; a fresh content key, nonce and
    ephemeral key each time.

    ECDH-ES+A256KW over X25519 (RFC 7518 4.6, RFC 8037 3.2), A256GCM (RFC 7518 5.3). Raises
    ValueError for a key with which everybody would share one secret (RFC 7748 6.1).
    """
    ephemeral = X25519PrivateKey.generate()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(raw_key))
    wrapping_key = ConcatKDFHash(SHA256(), KEY_BYTES, sealed_read.KDF_OTHER_INFO).derive(shared)
    epk = public_jwk("X25519", ephemeral.public_key().public_bytes_raw())
    header = _segment({**sealed_read.jwe_header(tags, versions), "epk": epk})
    content_key = AESGCM.generate_key(8 * KEY_BYTES)
    nonce = secrets.token_bytes(sealed_read.IV_BYTES)
    sealed = AESGCM(content_key).encrypt(nonce, plaintext, header.encode("ascii"))
    ciphertext, tag = sealed[: -sealed_read.AUTH_TAG_BYTES], sealed[-sealed_read.AUTH_TAG_BYTES :]
    segments = (aes_key_wrap(wrapping_key, content_key), nonce, ciphertext, tag)
    return ".".join((header, *map(b64url, segments))).encode("ascii")


def sign(device: str, key: Ed25519PrivateKey, payload: bytes) -> tuple[str, str]:
    """The detached JWS (RFC 7797) over exactly `payload`: protected header and signature, both
    base64url.
    """
    header = _segment(sealed_read.jws_header(device))
    return header, b64url(key.sign(f"{header}.".encode("ascii") + payload))


def _segment(header: Mapping[str, object]) -> str:
    return b64url(json.dumps(header, separators=(",", ":")).encode())
