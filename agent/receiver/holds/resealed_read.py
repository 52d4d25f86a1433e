"""One held read: the camera's own bytes with the one key that opens them, sealed to the holder and,
around that, to the receiver's key of the hold. Whoever opens it checks the camera's signature anew.
"""

import hashlib
import io

import pyrage

from agent import boundary
from agent.core.reasons import Reason
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import (
    KEY_BYTES,
    Fields,
    canonical,
    decode_base64url,
    malformed,
    parse_object,
    public_jwk,
)
from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.core.wire.versions import VERSIONS, Versions
from agent.errors import EnvelopeRefusedError
from agent.receiver.opener import OpenedRead, opened_by
from agent.receiver.store.holds.held_reads import HeldRead
from agent.values import dataclass
from agent.verifying.envelope_check import EnvelopeVerifier

VERSION = 1
MAX_SEALED_BYTES = 2 * MAX_WIRE_BYTES
_WHERE = "held read"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is sealed. `content_key`: 32 bytes, opens this read alone; `signer`: the camera's key as
    the roster had it when the read was kept: cameras come and go while a hold lasts.
    """

    wire: bytes
    content_key: bytes
    signer: bytes

    def __repr__(self) -> str:
        return f"<a held read of {len(self.wire)} bytes>"


def sealed_twice(kept: Kept, holder: str, own_half: str) -> bytes:
    """`holder`, `own_half`: `age1…`. Raises EnvelopeRefusedError for what is no such key."""
    plain = canonical(
        {
            "v": VERSION,
            "wire": kept.wire.decode("ascii"),
            "key": b64url(kept.content_key),
            "signer": public_jwk("Ed25519", kept.signer),
        }
    )
    return _sealed(_sealed(plain, holder), own_half)


def opened(
    untrusted_sealed: bytes,
    held: HeldRead,
    own: pyrage.x25519.Identity,
    holder: pyrage.x25519.Identity,
    versions: Versions = VERSIONS,
) -> OpenedRead:
    """The read as its camera signed it. Raises EnvelopeRefusedError."""
    where = f"read {held.read_id}"
    if len(untrusted_sealed) > MAX_SEALED_BYTES:
        raise malformed(f"is longer than {MAX_SEALED_BYTES} bytes", where)
    inner = _unsealed(_unsealed(untrusted_sealed, own, where), holder, where)
    return read_of(parse_kept(inner), held, versions)


@boundary.document("held read")
def parse_kept(untrusted_json: bytes) -> Kept:
    """What was inside, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(untrusted_json, _WHERE), _WHERE, required=("v", "wire", "key", "signer")
    )
    fields.exactly("v", VERSION)
    wire = fields.value("wire")
    content_key = decode_base64url(fields.text("key", most=64), _WHERE)
    if not isinstance(wire, str) or not wire.isascii() or len(wire) > MAX_WIRE_BYTES:
        raise fields.bad("wire", f"ASCII text of at most {MAX_WIRE_BYTES} bytes")
    if len(content_key) != KEY_BYTES:
        raise fields.bad("key", f"{KEY_BYTES} bytes")
    return Kept(wire.encode("ascii"), content_key, fields.public_key("signer", "Ed25519"))


def read_of(kept: Kept, held: HeldRead, versions: Versions = VERSIONS) -> OpenedRead:
    """Opened, and proven to be the very read that the log says was kept.

    Raises EnvelopeRefusedError.
    """
    tags = EnvelopeVerifier({held.device: kept.signer}, versions=versions).verify(kept.wire)
    if (
        hashlib.sha256(kept.wire).hexdigest() != held.wire_sha256
        or (tags.device, tags.read_id) != held.name
    ):
        raise malformed("holds another read than its row says", f"read {held.read_id}")
    return opened_by(kept.content_key, tags, kept.wire)


def _sealed(data: bytes, recipient: str) -> bytes:
    try:
        return bytes(pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(recipient)]))
    except (ValueError, pyrage.RecipientError, pyrage.EncryptError):
        raise malformed("`holder` must be a usable recipient of age", "hold") from None


def _unsealed(sealed: bytes, identity: pyrage.x25519.Identity, where: str) -> bytes:
    out = io.BytesIO()
    try:
        pyrage.decrypt_io(io.BytesIO(sealed), out, [identity])
    except (pyrage.DecryptError, OSError):  # OSError: a chunk cut off or altered, by `decrypt_io`
        raise EnvelopeRefusedError(
            Reason.DECRYPTION_FAILED,
            "does not open with this hold's keys: damaged, or sealed to others",
            where=where,
        ) from None
    return out.getvalue()
