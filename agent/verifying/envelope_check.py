"""Checks a sealed read without opening it: form, outer signature, enrolled device."""

from collections.abc import Mapping

from agent.core.reasons import Reason
from agent.core.wire import sealed_read
from agent.core.wire.sealed_read import Tags
from agent.errors import EnvelopeRefusedError
from agent.verifying import jose


class EnvelopeVerifier:
    """Implements ports.Verifier.

    `enrolled`: raw Ed25519 public keys by device, from the roster (or the camera's own
    public.json).
    """

    def __init__(
        self, enrolled: Mapping[str, bytes], max_bytes: int = sealed_read.MAX_WIRE_BYTES
    ) -> None:
        self._enrolled = dict(enrolled)
        self._max_bytes = max_bytes

    def verify(self, untrusted_wire: bytes) -> Tags:
        """The tags, believed from here on.

        Raises EnvelopeRefusedError(malformed, unsupported-version, device-not-enrolled,
        signature-invalid).
        """
        envelope = sealed_read.split(untrusted_wire, self._max_bytes)
        key = self._enrolled.get(envelope.signer)
        if key is None:
            raise EnvelopeRefusedError(
                Reason.DEVICE_NOT_ENROLLED,
                f"device {envelope.signer} is not in the roster",
                where="sealed read",
                fix="the city enrols cameras in roster.jws",
            )
        jose.verify_detached(envelope, key)
        return envelope.tags
