"""Checks a sealed read without opening it: form, outer signature, enrolled device."""

from collections.abc import Mapping

from agent import boundary
from agent.core.reasons import Reason
from agent.core.wire import sealed_read
from agent.core.wire.sealed_read import Envelope
from agent.core.wire.tags import Tags
from agent.core.wire.versions import VERSIONS, EnvelopeMinimum, Versions
from agent.errors import EnvelopeRefusedError
from agent.verifying import jose


class EnvelopeVerifier:
    """Implements ports.Verifier.

    `enrolled`: raw Ed25519 public keys by device, from the roster (or the camera's own
    public.json).
    """

    def __init__(
        self,
        enrolled: Mapping[str, bytes],
        max_bytes: int = sealed_read.MAX_WIRE_BYTES,
        versions: Versions = VERSIONS,
    ) -> None:
        self._enrolled = dict(enrolled)
        self._max_bytes, self._versions = max_bytes, versions

    def verify(self, untrusted_wire: bytes) -> Tags:
        """The tags, believed from here on.

        Raises EnvelopeRefusedError(malformed, unsupported-version, device-not-enrolled,
        signature-invalid).
        """
        read = self.verify_any_version(untrusted_wire)
        if isinstance(read, EnvelopeMinimum):
            raise EnvelopeRefusedError(
                Reason.UNSUPPORTED_VERSION,
                f"is sealed in version {read.version}, which is not known here",
                where=f"read {read.read_id}",
                fix="update Platewarden on the side that refuses (docs/ref/versions.md)",
            )
        return read

    @boundary.document("sealed read")
    def verify_any_version(self, untrusted_wire: bytes) -> Tags | EnvelopeMinimum:
        """The same; of a version that this build does not know, what every version keeps.

        Raises EnvelopeRefusedError(malformed, device-not-enrolled, signature-invalid).
        """
        envelope = sealed_read.split(untrusted_wire, self._max_bytes)
        if envelope.version in self._versions.known:
            tags = sealed_read.tags_of(envelope, self._versions)
            self._require_signature(envelope)
            return tags
        # the signature first: a stranger's bytes get no further than `split`
        self._require_signature(envelope)
        return sealed_read.minimum_of(envelope)

    def _require_signature(self, envelope: Envelope) -> None:
        key = self._enrolled.get(envelope.signer)
        if key is None:
            raise EnvelopeRefusedError(
                Reason.DEVICE_NOT_ENROLLED,
                f"device {envelope.signer} is not in the roster",
                where="sealed read",
                fix="the city enrols cameras in roster.jws",
            )
        jose.verify_detached(envelope, key)
