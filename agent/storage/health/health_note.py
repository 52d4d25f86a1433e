"""Signs and checks a health message: a C2SP signed note by the key of deliver's log, under that
log's name (docs/ref/health.md, "The message").
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.camera.health.health_message import (
    MAX_MESSAGE_BYTES,
    HealthMessage,
    format_text,
    parse_text,
)
from agent.core.log.checkpoint import NoteSignature, key_id, note, parse_note
from agent.core.reasons import Reason
from agent.core.text.strict_json import malformed
from agent.errors import EnvelopeRefusedError
from agent.storage.log_key import TrustedLogKeys, parts_of

PROCESS = "deliver"
_WHERE = "health message"


def signed(message: HealthMessage, origin: str, key: Ed25519PrivateKey) -> bytes:
    """What is sent. `origin`: of deliver's log."""
    text = format_text(message)
    raw = key.public_key().public_bytes_raw()
    return note(text, [NoteSignature(origin, key_id(origin, raw), key.sign(text))])


def verified(untrusted: bytes, camera: str, keys: TrustedLogKeys) -> HealthMessage:
    """What `camera` (the name in the certificate that sent it) tells of itself.

    Mitigates against: a broker, or another camera's certificate, that would make one well or ill.
    Raises EnvelopeRefusedError.
    """
    if len(untrusted) > MAX_MESSAGE_BYTES:
        raise malformed(f"has more than {MAX_MESSAGE_BYTES} bytes", _WHERE)
    try:
        taken = parse_note(untrusted)
    except ValueError as error:
        raise malformed(f"is no signed note: {error}", _WHERE) from None
    message = parse_text(taken.signed)
    if message.health.camera != camera:
        raise malformed("is about another camera than the one whose certificate sent it", _WHERE)
    if len(taken.signatures) != 1:
        raise malformed("has more than one signature", _WHERE)
    [one] = taken.signatures
    key = keys.for_origin(one.name) if parts_of(one.name) == (camera, PROCESS) else None
    if key is None:
        what = "is signed under a name of which the city knows no key"
        raise EnvelopeRefusedError(Reason.DEVICE_NOT_ENROLLED, what, where=_WHERE)
    try:
        key.verify(one.signature, taken.signed)
    except InvalidSignature:
        what = "is not signed by the key of this camera's log"
        raise EnvelopeRefusedError(Reason.SIGNATURE_INVALID, what, where=_WHERE) from None
    return message
