"""The text of a C2SP tlog-checkpoint and of the signed note around it: writing and strict parsing,
no cryptography.

Form: origin, size and base64 root, a line each; a blank line; signature lines `— <name> <base64(key
id ‖ signature)>`. Sources: https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

from agent.core.log.merkle import HASH_BYTES
from agent.values import dataclass

ED25519 = 0x01
COSIGNATURE_V1 = 0x04  # Ed25519 of a witness, with a time: https://c2sp.org/tlog-cosignature
COSIGNATURE_ML_DSA_44 = 0x06  # the same, secure against quantum computers
KEY_ID_BYTES = 4
# A witness's ML-DSA-44 line has 3.3 kB, and signed-note tells of signatures of nearly 5 kB.
MAX_NOTE_BYTES = 131_072
MAX_SIGNATURES = 64
MAX_SIZE_DIGITS = 18
ORIGIN_PREFIX = "platewarden"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")  # all but the newline
_DASH = "— "  # em dash and a space


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: the log `origin` had `size` leaves under this root.

    `extensions`: further lines of the log's own, which others ignore.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the key's name, its 4-byte id, the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note taken apart. `signed`: the exact bytes that are signed, with their last newline.

    Nothing is verified yet.
    """

    signed: bytes
    signatures: tuple[NoteSignature, ...]


def key_id(name: str, public_key: bytes, algorithm: int = ED25519) -> bytes:
    """The first 4 bytes of SHA-256(name ‖ newline ‖ algorithm ‖ public key)."""
    told = name.encode() + b"\n" + bytes([algorithm]) + public_key
    return hashlib.sha256(told).digest()[:KEY_ID_BYTES]


def verifier_key(name: str, public_key: bytes, algorithm: int = ED25519) -> str:
    """A public key as other tools for signed notes take it: `<name>+<key id>+<base64>`."""
    encoded = base64.b64encode(bytes([algorithm]) + public_key).decode()
    return f"{name}+{key_id(name, public_key, algorithm).hex()}+{encoded}"


def parse_verifier_key(
    untrusted_text: str, algorithm: int = ED25519, key_bytes: int = 32
) -> tuple[str, bytes]:
    """The name and the raw public key. Raises ValueError."""
    name, _, rest = untrusted_text.strip().partition("+")
    claimed_id, _, encoded = rest.partition("+")
    check_name(name)
    key = _decode(encoded)
    if len(key) != 1 + key_bytes or key[0] != algorithm:
        msg = f"not a verifier key of type {algorithm:#04x}"
        raise ValueError(msg)
    if claimed_id != key_id(name, key[1:], algorithm).hex():
        msg = "the key's id does not fit its name and bytes"
        raise ValueError(msg)
    return name, key[1:]


def check_name(name: str) -> None:
    """Raises ValueError unless `name` may name a log or a key: printable ASCII, no space, no plus,
    1 to 200 characters.
    """
    if not 1 <= len(name) <= 200 or any(
        not "!" <= character <= "~" or character == "+" for character in name
    ):
        msg = "a log's name is 1 to 200 printable ASCII characters without space or plus"
        raise ValueError(msg)


def body(checkpoint: Checkpoint) -> bytes:
    """The lines that are signed: three, and the extensions."""
    check_name(checkpoint.origin)
    root = base64.b64encode(checkpoint.root).decode()
    lines = (checkpoint.origin, str(checkpoint.size), root, *checkpoint.extensions)
    return "".join(f"{line}\n" for line in lines).encode()


def note(signed: bytes, signatures: Sequence[NoteSignature]) -> bytes:
    """The whole note: the signed text, a blank line, the signature lines."""
    lines = (
        f"{_DASH}{one.name} {base64.b64encode(one.key_id + one.signature).decode()}\n"
        for one in signatures
    )
    return signed + b"\n" + "".join(lines).encode()


def parse_note(untrusted_note: bytes) -> SignedNote:
    """Take a note apart. Lines of keys and algorithms that nobody here knows are kept: whoever
    verifies ignores them. Raises ValueError on anything but the form above.
    """
    if len(untrusted_note) > MAX_NOTE_BYTES:
        msg = "the note is too long"
        raise ValueError(msg)
    text = untrusted_note.decode("utf-8")  # UnicodeDecodeError is a ValueError
    if _CONTROL.search(text):
        msg = "the note holds control characters"
        raise ValueError(msg)
    signed, blank, lines = text.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        msg = "the note has no signatures"
        raise ValueError(msg)
    return SignedNote((signed + "\n").encode(), _signatures(lines))


def parse_signatures(untrusted_lines: bytes) -> tuple[NoteSignature, ...]:
    """Signature lines alone, as a witness answers with. Raises ValueError."""
    if len(untrusted_lines) > MAX_NOTE_BYTES:
        msg = "the answer is too long"
        raise ValueError(msg)
    text = untrusted_lines.decode("utf-8")
    if not text.endswith("\n") or _CONTROL.search(text):
        msg = "these are no signature lines"
        raise ValueError(msg)
    return _signatures(text)


def parse_body(untrusted_signed: bytes) -> Checkpoint:
    """Read the signed text; extension lines after the third are allowed.

    Raises ValueError.
    """
    lines = untrusted_signed.decode("utf-8").split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        msg = "a checkpoint has at least three lines, none of them empty"
        raise ValueError(msg)
    origin, size, root = lines[:3]
    check_name(origin)
    if (
        not (size.isascii() and size.isdigit())
        or len(size) > MAX_SIZE_DIGITS
        or str(int(size)) != size
    ):
        msg = "the size is not a plain decimal number"
        raise ValueError(msg)
    digest = _decode(root)
    if len(digest) != HASH_BYTES:
        msg = "the root is not 32 bytes"
        raise ValueError(msg)
    return Checkpoint(origin, int(size), digest, tuple(lines[3:-1]))


def _signatures(lines: str) -> tuple[NoteSignature, ...]:
    signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MAX_SIGNATURES:
        msg = "the note has too many signatures"
        raise ValueError(msg)
    return signatures


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or "+" in name or len(name.split()) != 1:
        msg = "a signature line reads `— name base64`"
        raise ValueError(msg)
    data = _decode(encoded)
    if len(data) <= KEY_ID_BYTES:
        msg = "a signature is too short"
        raise ValueError(msg)
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        msg = "not base64"
        raise ValueError(msg) from None
    if base64.b64encode(data).decode() != text:  # one value, one spelling
        msg = "not canonical base64"
        raise ValueError(msg)
    return data


def origin_of(device: str, process: str, domain: str = "") -> str:
    """`<domain>/platewarden/<device>/<process>`: the name of one process's log and of its key.
    `domain`: the city's; without one, as older logs are named, two cities' logs may have one name.
    """
    return f"{domain}/{ORIGIN_PREFIX}/{device}/{process}".removeprefix("/")
