"""A witness's folder: its key, and of each log the last checkpoint that it cosigned, a file each.

The cosigned checkpoint is the witness's memory and what it hands out, in one file: nothing is
handed out that is not remembered, whenever the power goes.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.audit.checkpoint_files import opened
from agent.audit.witnesses.cosigner import witness_key_of
from agent.audit.witnesses.grown_log import Last
from agent.core.log.checkpoint import MAX_NOTE_BYTES, check_name
from agent.core.log.cosignature import WitnessKey, parse_witness_key
from agent.disk.atomic_file import private_folder, read_bounded, storage_error, write_atomic
from agent.errors import StorageError, UsageError
from agent.storage.log_key import create_signing_key, load_signing_key
from agent.storage.log_notes import cosignatures
from agent.values import dataclass

KEY, VKEY = "witness.key", "witness.vkey"
CHECKPOINT, EVIDENCE = ".checkpoint", ".refused"
_ANYBODY = 0o644
_NAMED, _HASHED = 60, 16  # characters of a file's name


@dataclass(frozen=True, slots=True)
class WitnessFolder:
    """An open one, whose lock is held."""

    folder: Path
    public: WitnessKey
    key: Ed25519PrivateKey

    @property
    def verb(self) -> str:
        """For errors."""
        return "this witness cosigned"

    def last(self, origin: str) -> Last | None:
        """None when this log was never seen. Raises StorageError when the file is not what this
        witness wrote: it signs nothing on a memory that somebody touched.
        """
        file = self._file(origin, CHECKPOINT)
        if not os.path.lexists(file):
            return None
        found = opened(read_bounded(file, MAX_NOTE_BYTES))
        mine = cosignatures(found[0].signatures, found[0], [self.public]) if found else ()
        times = [one.at_s for one in mine if one.at_s is not None]
        if found is None or found[1].origin != origin or not times:
            raise StorageError(
                "is not what this witness cosigned",
                where=file,
                fix="put the folder back from a backup of the same day; a witness without its "
                "memory begins anew, with a new key and name",
            )
        return Last(file, found[1], max(times))

    def keep(self, origin: str, note: bytes) -> Path:
        """On disk when this returns. Raises StorageError; the old one stands then."""
        file = self._file(origin, CHECKPOINT)
        write_atomic(file, note, _ANYBODY)
        return file

    def keep_evidence(self, origin: str, note: bytes) -> Path:
        """A checkpoint that contradicts the one that was cosigned. Raises StorageError."""
        return keep_evidence(self.folder, origin, note)

    def _file(self, origin: str, end: str) -> Path:
        return self.folder / f"{file_name(origin)}{end}"


def file_name(origin: str) -> str:
    """Readable, and another for each origin."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", origin)[:_NAMED].strip(".")
    return f"{name}-{sha256(origin.encode()).hexdigest()[:_HASHED]}"


def keep_evidence(folder: Path, origin: str, note: bytes) -> Path:
    """A checkpoint that contradicts what was seen, both signed by the log's key. Raises
    StorageError.
    """
    file = folder / f"{file_name(origin)}-{sha256(note).hexdigest()[:_HASHED]}{EVIDENCE}"
    if not file.exists():
        write_atomic(file, note, _ANYBODY)
    return file


def new_witness(folder: Path, name: str) -> WitnessKey:
    """Make the folder and its key. Raises UsageError for a name that no note can hold, StorageError
    where a key is already.
    """
    try:
        check_name(name)
    except ValueError:
        raise UsageError(
            "a witness's name has 1 to 200 printable ASCII characters, without space or plus",
            where=name,
            fix="take a domain of yours and a word: example.org/witness-1",
        ) from None
    private_folder(folder, 0o755)
    public = witness_key_of(name, create_signing_key(folder / KEY))
    write_atomic(folder / VKEY, f"{public}\n".encode(), _ANYBODY)
    return public


@contextmanager
def open_witness(folder: Path) -> Iterator[WitnessFolder]:
    """Two at once could cosign two histories, so one waits for nobody: it raises StorageError."""
    if not (folder / VKEY).is_file():
        raise UsageError(
            "is no witness's folder", where=folder, fix="make one with --new NAME, once"
        )
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise storage_error(error, folder, "cannot open the witness's folder") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                "this witness is at work already", where=folder, fix="wait until it is done"
            ) from None
        yield WitnessFolder(folder, *_keys(folder))
    finally:
        os.close(descriptor)


def _keys(folder: Path) -> tuple[WitnessKey, Ed25519PrivateKey]:
    key = load_signing_key(folder / KEY)
    try:
        public = parse_witness_key(read_bounded(folder / VKEY, MAX_NOTE_BYTES).decode("ascii"))
    except ValueError:
        public = None
    if public is None or public != witness_key_of(public.name, key):
        raise StorageError(
            f"does not hold the public half of {KEY}",
            where=folder / VKEY,
            fix="put both back from a backup",
        )
    return public, key
