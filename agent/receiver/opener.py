"""Opens a sealed read with the recipient's epoch key and checks what was inside.

The only place outside the camera that sees a plate.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from agent import boundary
from agent.core.policy.policy import TEST
from agent.core.reading.plate_text import PlateText
from agent.core.reasons import Reason
from agent.core.text.encoding import from_checked_b64url
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import (
    KEY_BYTES,
    Fields,
    malformed,
    parse_object,
    parse_public_jwk,
)
from agent.core.wire import image_header, sealed_read
from agent.core.wire.tags import Tags
from agent.core.wire.test_plate import is_test_plate
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass, field

if TYPE_CHECKING:
    from agent.core.wire.versions import EnvelopeMinimum
    from agent.ports import Verifier

MAX_CHARACTERS, MAX_ALTERNATIVES = 12, 8
MOST_LIKELY = 0.9999  # a lead is never a fact (P10), whoever made the camera
MAX_CROP_PIXELS = 1 << 20  # ours are at most 640 wide; a viewer needs a few megabytes for these
_ROUNDING = 0.001  # nine numbers, each rounded to four digits
_WHERE = "content"
_PLATE_MEMBERS = (
    "plate",
    "confidence",
    "char_confidence",
    "alternatives",
    "state",
    "region",
    "frames",
)


class KeySource(Protocol):
    """Where the epoch keys are; None for a day that has none."""

    def key(self, epoch: date) -> X25519PrivateKey | None: ...


@dataclass(frozen=True, slots=True)
class SeenPlate:
    """What the camera read (as sighting, one vehicle). Confidences and probabilities 0–1."""

    text: PlateText
    confidence: float
    char_confidence: tuple[float, ...]
    alternatives: tuple[tuple[PlateText, float], ...]
    state: str | None
    region: str
    frames: int


@dataclass(frozen=True, slots=True)
class OpenedRead:
    """An opened read: a lead, never a fact (P10).

    What the rule did not include is None. `posterior`: the camera's estimate, 0–1, that the entry's
    vehicle was seen; None of a test plate. `crop`: JPEG, kept out of repr.
    """

    tags: Tags
    entry_agency: str
    entry_case: str
    entry_source_date: date
    posterior: float | None
    plate: SeenPlate | None
    captured_at: datetime | None
    camera: str | None
    crop: bytes | None = field(default=None, repr=False)


class Opener:
    """Verifies, then opens. `keys`: the recipient's epoch keys."""

    def __init__(self, recipient: str, verifier: "Verifier", keys: KeySource) -> None:
        self._recipient, self._verifier, self._keys = recipient, verifier, keys
        self._at_hand: dict[date, X25519PrivateKey] | None = None

    @contextmanager
    def keys_at_hand(self) -> Iterator[None]:
        """Inside, an epoch's key is read once for all reads that came together. Afterwards none is
        held: a key that somebody destroys must be gone (P6).
        """
        self._at_hand = {}
        try:
            yield
        finally:
            self._at_hand = None

    def verify(self, untrusted_wire: bytes) -> Tags:
        """The tags of a read by an enrolled camera, whoever it is for.

        Raises EnvelopeRefusedError.
        """
        return self._verifier.verify(untrusted_wire)

    def verify_any_version(self, untrusted_wire: bytes) -> "Tags | EnvelopeMinimum":
        """The same; of a version that is not known here, what every version keeps.

        Raises EnvelopeRefusedError.
        """
        return self._verifier.verify_any_version(untrusted_wire)

    def open(self, untrusted_wire: bytes) -> OpenedRead:
        """Raises EnvelopeRefusedError: altered, of an unknown camera, for somebody else, its key
        destroyed, or not what the format allows inside.
        """
        return self.open_verified(self.verify(untrusted_wire), untrusted_wire)

    @boundary.document("sealed read")
    def open_verified(self, tags: Tags, wire: bytes) -> OpenedRead:
        """`open`, for bytes over which `verify` has just given these tags.

        Raises EnvelopeRefusedError.
        """
        return parse_content(tags, self._decrypt(tags, wire))

    @boundary.document("sealed read")
    def content_key(self, tags: Tags, wire: bytes) -> bytes:
        """The 32 bytes that open this one read and no other, for whoever is to hold it; of bytes
        over which `verify` has just given these tags.

        Raises EnvelopeRefusedError.
        """
        return self._with_key(tags, wire, _unwrapped)

    def _decrypt(self, tags: Tags, wire: bytes) -> bytes:
        return self._with_key(tags, wire, _decrypt_jwe)

    def _with_key(
        self, tags: Tags, wire: bytes, use: Callable[[bytes, X25519PrivateKey], bytes]
    ) -> bytes:
        if tags.recipient != self._recipient:
            raise EnvelopeRefusedError(
                Reason.NOT_FOR_THIS_RECIPIENT,
                f"is for {tags.recipient}, not {self._recipient}",
                where=f"read {tags.read_id}",
            )
        key = self._key(tags.epoch)
        if key is None:
            what = (
                f"there is no key of epoch {tags.epoch.isoformat()}: "
                "destroyed at its deadline, or never made here"
            )
            raise EnvelopeRefusedError(
                Reason.KEY_DESTROYED,
                what,
                where=f"read {tags.read_id}",
                fix="nobody can open it any more; that is the retention",
            )
        try:
            return use(wire.partition(b"\n")[0], key)
        except (InvalidTag, InvalidUnwrap, ValueError):
            what = (
                "does not open with this recipient's key: "
                "altered after sealing, or sealed to another key list"
            )
            raise EnvelopeRefusedError(
                Reason.DECRYPTION_FAILED, what, where=f"read {tags.read_id}"
            ) from None

    def _key(self, epoch: date) -> X25519PrivateKey | None:
        if self._at_hand is not None and epoch in self._at_hand:
            return self._at_hand[epoch]
        key = self._keys.key(epoch)
        if self._at_hand is not None and key is not None:
            self._at_hand[epoch] = key
        return key


def holds_plate(text: str, opened: OpenedRead) -> bool:
    """Does a text that somebody typed, and that is logged, hold the plate (P9)?"""
    if opened.plate is None:
        return False
    bare = "".join(filter(str.isalnum, text.upper()))
    texts = (opened.plate.text, *(other for other, _ in opened.plate.alternatives))
    return any(one.value and one.value in bare for one in texts)


@boundary.document("sealed read")
def opened_by(content_key: bytes, tags: Tags, wire: bytes) -> OpenedRead:
    """A read by the one key that `Opener.content_key` gave, its epoch's being gone; of bytes over
    which a verifier has just given these tags.

    Raises EnvelopeRefusedError.
    """
    try:
        plaintext = _decrypted(wire.partition(b"\n")[0], content_key)
    except (InvalidTag, ValueError):
        raise EnvelopeRefusedError(
            Reason.DECRYPTION_FAILED,
            "does not open with the key that was kept for it",
            where=f"read {tags.read_id}",
        ) from None
    return parse_content(tags, plaintext)


def _decrypt_jwe(compact: bytes, key: X25519PrivateKey) -> bytes:
    """The plaintext of the one kind of JWE that `tags_of` lets through. Raises as `_unwrapped` and
    `_decrypted` do.
    """
    return _decrypted(compact, _unwrapped(compact, key))


def _unwrapped(compact: bytes, key: X25519PrivateKey) -> bytes:
    """The content key: ECDH-ES+A256KW over X25519 (RFC 7518 4.6, RFC 8037 3.2), no `apu`, `apv` or
    `zip`.

    Raises InvalidUnwrap, ValueError (a shared secret of zeros too).
    """
    header, wrapped, *_ = compact.split(b".")
    epk = parse_object(from_checked_b64url(header), "encryption header")["epk"]
    ephemeral = X25519PublicKey.from_public_bytes(parse_public_jwk(epk, "X25519", "`epk`"))
    derived = ConcatKDFHash(SHA256(), KEY_BYTES, sealed_read.KDF_OTHER_INFO).derive(
        key.exchange(ephemeral)
    )
    return aes_key_unwrap(derived, from_checked_b64url(wrapped))


def _decrypted(compact: bytes, content_key: bytes) -> bytes:
    """The plaintext: A256GCM over the header and the ciphertext. Raises InvalidTag, ValueError."""
    header, _, *segments = compact.split(b".")
    nonce, ciphertext, tag = map(from_checked_b64url, segments)
    return AESGCM(content_key).decrypt(nonce, ciphertext + tag, header)


def parse_content(tags: Tags, plaintext: bytes) -> OpenedRead:
    """The content of a read, strict and closed like everything else: a camera gone wrong must not
    reach a terminal or a viewer.
    """
    known = (*_PLATE_MEMBERS, "captured_at", "camera", "crop")
    end = plaintext.rfind(b"}") + 1
    text, padding = plaintext[:end], plaintext[end:]
    if not text.startswith(b"{") or padding != b" " * len(padding):
        raise malformed("is not one JSON object, followed by spaces", _WHERE)
    fields = Fields(
        parse_object(text, _WHERE),
        _WHERE,
        required=("v", "match"),
        optional=known,
    )
    # Whatever stands in both must be the same: only the tags are logged and counted.
    fields.exactly("v", tags.version)
    if "captured_at" in fields:
        fields.exactly("captured_at", rfc3339(tags.captured_at))
    if "camera" in fields:
        fields.exactly("camera", tags.device)
    match = Fields(
        fields.value("match"),
        f"{_WHERE}: `match`",
        required=("level", "agency", "case", "source_date", "posterior"),
    )
    match.exactly("level", tags.match.value)
    plate = _plate(fields) if "plate" in fields else None
    # A test plate and a vehicle's: neither may pass for the other.
    if plate is not None and is_test_plate(plate.text.value) != (tags.category == TEST):
        raise fields.bad("plate", "a test plate if, and only if, the category is `test`")
    return OpenedRead(
        tags=tags,
        entry_agency=match.text("agency"),
        entry_case=match.text("case"),
        entry_source_date=match.day("source_date", first_year=1970),
        posterior=_posterior(match),
        plate=plate,
        captured_at=tags.captured_at if "captured_at" in fields else None,
        camera=tags.device if "camera" in fields else None,
        crop=_crop(fields) if "crop" in fields else None,
    )


def _posterior(match: Fields) -> float | None:
    if match.value("posterior") is None:
        return None
    posterior = match.fraction("posterior")
    if posterior > MOST_LIKELY:
        raise match.bad("posterior", f"at most {MOST_LIKELY}")
    return posterior


def _plate(fields: Fields) -> SeenPlate:
    if not all(name in fields for name in _PLATE_MEMBERS):
        raise fields.bad("plate", "together with " + ", ".join(_PLATE_MEMBERS[1:]))
    alternatives = [
        Fields(entry, f"{_WHERE}: `alternatives`", required=("plate", "probability"))
        for entry in fields.sequence("alternatives", MAX_ALTERNATIVES)
    ]
    text, confidence = _text(fields), fields.fraction("confidence")
    char_confidence = fields.fractions("char_confidence", MAX_CHARACTERS)
    if len(char_confidence) != len(text.value):
        raise fields.bad("char_confidence", "one for each character of `plate`")
    others = tuple((_text(entry), entry.fraction("probability")) for entry in alternatives)
    if len({text, *(other for other, _ in others)}) != 1 + len(others):
        raise fields.bad("alternatives", "other texts than `plate`, each once")
    if confidence + sum(probability for _, probability in others) > 1 + _ROUNDING:
        raise fields.bad("alternatives", "together with `confidence` at most 1")
    return SeenPlate(
        text=text,
        confidence=confidence,
        char_confidence=char_confidence,
        alternatives=others,
        state=None if fields.value("state") is None else fields.identifier("state"),
        region=fields.identifier("region"),
        frames=fields.whole("frames", 1, 1_000_000),
    )


def _text(fields: Fields) -> PlateText:
    try:
        return PlateText(fields.text("plate", most=MAX_CHARACTERS, least=0))
    except ValueError:
        raise fields.bad("plate", "A-Z and 0-9") from None


def _crop(fields: Fields) -> bytes:
    value = fields.value("crop")
    try:
        data = binascii.a2b_base64(value) if isinstance(value, str) else b""
    except ValueError:
        data = b""
    # lenient decoding, but one spelling: whatever it passed over is not in what it would write
    if base64.b64encode(data).decode() != value or image_header.kind_of(data[:12]) != "JPEG":
        raise fields.bad("crop", "a JPEG in base64")
    # Mitigates against: a decompression bomb, whose decoder is in somebody's viewer.
    header = image_header.parse(data)
    if header is None or not header.complete or header.width * header.height > MAX_CROP_PIXELS:
        raise fields.bad("crop", f"a whole JPEG of at most {MAX_CROP_PIXELS} pixels")
    return data
