"""Checkpoints in files: the copy beside a log, and those that an auditor kept. A file that proves
nothing is told as that, never as a forgery of the log.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.log.checkpoint import (
    MAX_NOTE_BYTES,
    Checkpoint,
    SignedNote,
    key_id,
    parse_body,
    parse_note,
)
from agent.disk.atomic_file import read_bounded
from agent.storage.log_notes import verified_checkpoint
from agent.values import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class LogKey:
    """Who must have signed: the log's name, and its key."""

    origin: str
    key: Ed25519PublicKey

    @property
    def id(self) -> bytes:
        """The 4 bytes that stand before each of its signatures."""
        return key_id(self.origin, self.key.public_bytes_raw())

    def signs(self, note: SignedNote) -> bool:
        """Does a line of the note claim to be of this key? Says nothing of the signature."""
        return any(one.name == self.origin and one.key_id == self.id for one in note.signatures)


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """`untrusted_note`: its bytes, with line ends put right (`mended`)."""

    path: Path
    untrusted_note: bytes
    mended: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A file held against the log's key. `checkpoint`: what it proves; else `why` not, in words.

    `forged`: it claims to be signed by this key, and is not. `stranger`: it is of another log.
    """

    file: CheckpointFile
    checkpoint: Checkpoint | None
    why: str = ""
    forged: bool = False
    stranger: bool = False


def read_checkpoint_file(path: Path) -> CheckpointFile:
    """Line ends that a mail program or an editor changed are put right: what is verified then is
    what was signed, or nothing. Raises StorageError.
    """
    data = read_bounded(path, 2 * MAX_NOTE_BYTES)
    mended = data.removeprefix(_BOM).replace(b"\r\n", b"\n")
    return CheckpointFile(path, mended, mended != data)


def opened(untrusted_note: bytes) -> tuple[SignedNote, Checkpoint] | None:
    """What a note says, unverified; None when it is no checkpoint."""
    try:
        note = parse_note(untrusted_note)
        return note, parse_body(note.signed)
    except ValueError:
        return None


def judge(file: CheckpointFile, log: LogKey) -> Judged:
    """What the file proves of the log."""
    found = opened(file.untrusted_note)
    if found is None:
        return Judged(file, None, "cannot be read as a checkpoint: fetch it again, byte by byte")
    note, said = found
    if said.origin != log.origin:
        return Judged(
            file, None, f"is of another log, {said.origin}, not of {log.origin}", stranger=True
        )
    if not log.signs(note):
        ids = ", ".join(sorted({one.key_id.hex() for one in note.signatures}))
        return Judged(
            file, None, f"is signed by another key than the log's: id {ids}, not {log.id.hex()}"
        )
    checkpoint = verified_checkpoint(file.untrusted_note, log.origin, log.key)
    if checkpoint is None:
        return Judged(file, None, "was altered: its signature is not good", forged=True)
    return Judged(file, checkpoint)
