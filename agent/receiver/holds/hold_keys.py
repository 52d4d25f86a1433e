"""The receiver's own key of each hold, an age identity, destroyed when the hold ends. What is held
opens only with this key and the holder's: each copy of it, wherever it lies, ends with the hold.

The folder lies within epochs/, which backups leave out.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pyrage

from agent.core.wire.holds.hold import HOLDER, ID_DIGITS
from agent.disk.atomic_file import PART_SUFFIX, private_folder, storage_error, write_atomic
from agent.disk.destruction import destroy
from agent.disk.private_file import read_private
from agent.errors import StorageError, UsageError

FOLDER, SUFFIX = "holds", ".age"
_NAME = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")


class HoldKeys:
    """`epochs`: the folder of the epoch keys. Every method raises StorageError."""

    def __init__(self, epochs: Path) -> None:
        self._folder = epochs / FOLDER

    def ids(self) -> Sequence[str]:
        """The holds that have a key here."""
        try:
            names = [path.stem for path in self._folder.iterdir() if path.suffix == SUFFIX]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise storage_error(error, self._folder, "cannot list the holds' keys") from None
        return sorted(name for name in names if _NAME.fullmatch(name))

    def make(self, hold: str) -> str:
        """A new key; its public half, `age1…`. What a crash left under its name is destroyed."""
        private_folder(self._folder)
        self.destroy(hold)
        return _make(self._path(hold))

    def identity(self, hold: str) -> pyrage.x25519.Identity | None:
        """None: it is destroyed, or was made by another receiver."""
        try:
            return _identity(self._path(hold))
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def destroy(self, hold: str) -> None:
        """Overwrite and remove it, and what a crash left of it; one that is gone is no error."""
        for leftover in self._folder.glob(f".{hold}{SUFFIX}.*{PART_SUFFIX}"):
            destroy(leftover)
        destroy(self._path(hold))

    def _path(self, hold: str) -> Path:
        return self._folder / f"{hold}{SUFFIX}"


def make_holder_key(path: Path) -> str:
    """A holder's key in a new file, mode 0600; its public half, `age1…`, which the hold names.

    Raises UsageError where the file is there.
    """
    if path.exists():
        raise UsageError("is there already, and is not overwritten", where=path)
    return _make(path)


def holder_identity(path: Path, holder: str) -> pyrage.x25519.Identity:
    """A holder's key. Raises StorageError, UsageError: another's than the hold names."""
    identity = _identity(path)
    if str(identity.to_public()) != holder:
        raise UsageError(
            "is not the key of this hold's holder",
            where=path,
            fix=f"give the private key of {holder}",
        )
    return identity


def is_holder(text: str) -> bool:
    """Is it the public half of such a key?"""
    if not HOLDER.fullmatch(text):
        return False
    try:
        pyrage.x25519.Recipient.from_str(text)
    except (ValueError, pyrage.RecipientError):
        return False
    return True


def _make(path: Path) -> str:
    """A new key in a file, mode 0600; its public half."""
    made = pyrage.x25519.Identity.generate()
    write_atomic(path, f"{made}\n".encode("ascii"))
    return str(made.to_public())


def _identity(path: Path) -> pyrage.x25519.Identity:
    try:
        return pyrage.x25519.Identity.from_str(read_private(path).decode("ascii").strip())
    except (ValueError, pyrage.IdentityError):
        raise StorageError(
            "is not an age identity", where=path, fix="restore it from your safe copy"
        ) from None
