"""Seals one sighting for one release: encrypts to the recipient's epoch key, signs the exact bytes
with the device key (docs/ref/sealed-read.md).
"""

import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from agent.core.policy.policy import Release
from agent.core.reading.sighting import Sighting
from agent.core.reasons import Reason
from agent.core.text.strict_json import public_jwk
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
        self._signing_key = OKPKey.import_key(signing_key)
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
        except (JoseError, ValueError, TypeError) as error:
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
    """
    registry = jwe.JWERegistry(
        header_registry={sealed_read.TAGS_HEADER: HeaderParameter("tags", _any_value)},
        algorithms=[sealed_read.ALGORITHM, sealed_read.ENCRYPTION],
    )
    key = OKPKey.import_key(dict(public_jwk("X25519", raw_key)))
    return jwe.encrypt_compact(
        sealed_read.jwe_header(tags, versions), plaintext, key, registry=registry
    ).encode("ascii")


def sign(device: str, key: OKPKey, payload: bytes) -> tuple[str, str]:
    """The detached JWS (RFC 7797) over exactly `payload`: protected header and signature, both
    base64url.
    """
    signed = jws.serialize_json(
        {"protected": sealed_read.jws_header(device)},
        payload,
        key,
        algorithms=[sealed_read.SIGNATURE_ALGORITHM],
    )
    return str(signed["protected"]), str(signed["signature"])


def _any_value(_value: object) -> None:
    """The sealer has checked the tags."""
