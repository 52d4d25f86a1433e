"""Checks an enrolment: that one key holder made all of it, and that its certificate request is for
the camera that it names.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import NameOID

from agent import boundary
from agent.core.reasons import Reason
from agent.core.wire.enrolment import FILE_NAME, MAX_BYTES, Enrolment, parse_enrolment
from agent.errors import EnvelopeRefusedError


@boundary.document("enrolment")
def verify_enrolment(untrusted_json: bytes, where: str = FILE_NAME) -> Enrolment:
    """The enrolment, if its parts belong together.

    Raises EnvelopeRefusedError.

    Limit: it shows that whoever made it held the seal key, not that it was the camera: compare the
    fingerprint with the installer's.
    """
    if len(untrusted_json) > MAX_BYTES:
        raise EnvelopeRefusedError(Reason.MALFORMED, f"more than {MAX_BYTES} bytes", where=where)
    enrolment, signed, signature = parse_enrolment(untrusted_json, where)
    try:
        Ed25519PublicKey.from_public_bytes(enrolment.public.seal).verify(signature, signed)
    except (InvalidSignature, ValueError):
        raise EnvelopeRefusedError(
            Reason.SIGNATURE_INVALID,
            "not signed by its own seal key: altered, or put together from two",
            where=where,
        ) from None
    _require_csr(enrolment, where)
    return enrolment


def _require_csr(enrolment: Enrolment, where: str) -> None:
    """A CA that signs what it is given must not be given another camera's name, or a second one."""
    try:
        request = x509.load_pem_x509_csr(enrolment.csr.encode("ascii"))
        key = request.public_key()
        sound = (
            request.is_signature_valid
            and isinstance(key, EllipticCurvePublicKey)
            and isinstance(key.curve, SECP256R1)
        )
        names = [(name.oid, name.value) for name in request.subject]
        # No attribute at all: extensions would be one.
        plain = (
            sound
            and names == [(NameOID.COMMON_NAME, enrolment.device)]
            and not list(request.attributes)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion):
        plain = False
    if not plain:
        raise EnvelopeRefusedError(
            Reason.MALFORMED,
            f"`csr` is not a P-256 request for CN={enrolment.device} and nothing else",
            where=where,
        )
