"""Proofs about a log as text, writing and strict parsing: no cryptography.

An inclusion proof is a C2SP tlog-proof, https://c2sp.org/tlog-proof: the header; `extra <base64>`;
`index <number>`; the audit path, one base64 hash a line from the leaf's sibling up; an empty line;
the checkpoint. A consistency proof has the form in which a witness is sent one,
https://c2sp.org/tlog-witness (add-checkpoint): `old <size>`; the hashes; an empty line; the newer
checkpoint.
"""

import base64
import binascii

from agent.core.log.checkpoint import MAX_NOTE_BYTES, MAX_SIZE_DIGITS
from agent.core.log.leaf import MAX_DETAILS_BYTES, SALT_BYTES
from agent.core.log.merkle import HASH_BYTES
from agent.values import dataclass

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 63
MAX_EXTRA_BYTES = SALT_BYTES + MAX_DETAILS_BYTES
MAX_PROOF_BYTES = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES + 64 * MAX_PATH


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Leaf `index` stands in the tree that `note` (a checkpoint) signs.

    `path`: 32-byte hashes, lowest first. `extra`: the leaf's opening, salt ‖ details, b"" without
    one. It is not signed: whoever checks the proof hashes it, and begins with that.
    """

    index: int
    path: tuple[bytes, ...]
    note: bytes
    extra: bytes = b""


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The tree of `old_size` leaves is the beginning of the one that `note` signs."""

    old_size: int
    path: tuple[bytes, ...]
    note: bytes


def format_proof(proof: InclusionProof | ConsistencyProof) -> bytes:
    """The file's bytes."""
    if isinstance(proof, ConsistencyProof):
        head = [f"old {proof.old_size}"]
    else:
        extra = [f"extra {_encode(proof.extra)}"] if proof.extra else []
        head = [HEADER, *extra, f"index {proof.index}"]
    lines = [*head, *(_encode(one) for one in proof.path), ""]
    return "".join(f"{line}\n" for line in lines).encode() + proof.note


def parse_proof(untrusted: bytes) -> InclusionProof | ConsistencyProof:
    """The inverse; whoever verifies it takes the checkpoint apart. Raises ValueError."""
    if len(untrusted) > MAX_PROOF_BYTES:
        msg = "the proof is too long"
        raise ValueError(msg)
    head, blank, note = untrusted.partition(b"\n\n")
    if not blank:
        msg = "no empty line stands before the checkpoint"
        raise ValueError(msg)
    lines = head.decode("ascii").split("\n")
    if lines[0] != HEADER:
        old = _number(lines[0], "old")
        return ConsistencyProof(old, _path(lines[1:]), note)
    extra = b""
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = _decode(lines.pop(1).removeprefix("extra "))
    if len(lines) < 2:
        msg = "the proof has no index"
        raise ValueError(msg)
    return InclusionProof(_number(lines[1], "index"), _path(lines[2:]), note, extra)


def _number(line: str, word: str) -> int:
    name, _, digits = line.partition(" ")
    if name != word or not digits.isdigit() or len(digits) > MAX_SIZE_DIGITS:
        msg = f"a line must read `{word}` and a number"
        raise ValueError(msg)
    if str(int(digits)) != digits:
        msg = "a number has no leading zeroes"
        raise ValueError(msg)
    return int(digits)


def _path(lines: list[str]) -> tuple[bytes, ...]:
    path = tuple(_decode(line) for line in lines)
    if len(path) > MAX_PATH or any(len(one) != HASH_BYTES for one in path):
        msg = f"a path has at most {MAX_PATH} hashes of {HASH_BYTES} bytes"
        raise ValueError(msg)
    return path


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        msg = "not base64"
        raise ValueError(msg) from None
    if _encode(data) != text:  # one value, one spelling
        msg = "not canonical base64"
        raise ValueError(msg)
    return data
