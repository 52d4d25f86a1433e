"""The recipient's epoch keys, one X25519 key a UTC day, destroyed at its deadline (P6).

Backups must leave this folder out.

Mitigates against: a copy of a sealed read (a broker's disk, a backup) that outlives its retention.
Limit: overwriting reaches the file's present blocks; a journal, a snapshot or flash wear-levelling
may hold older ones. Put this folder on an encrypted or memory-backed volume.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.text.encoding import b64url
from agent.core.text.strict_json import (
    Fields,
    canonical,
    decode_base64url,
    parse_object,
    public_jwk,
)
from agent.core.wire.epochs import EpochKeys, deadline_of
from agent.disk.atomic_file import PART_SUFFIX, private_folder, storage_error, write_atomic
from agent.disk.destruction import destroy
from agent.disk.private_file import read_private
from agent.errors import EnvelopeRefusedError, StorageError

_SUFFIX = ".key"


class EpochKeyStore:
    """The folder epochs/: `<YYYY-MM-DD>.key`, a private JWK, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def epochs(self) -> Sequence[date]:
        """The days that have a key, in order. Raises StorageError."""
        try:
            names = [
                path.stem
                for path in self._folder.iterdir()
                if path.suffix == _SUFFIX and not path.name.startswith(".")
            ]
        except OSError as error:
            raise storage_error(error, self._folder, "cannot list the epoch keys") from None
        try:
            return sorted(date.fromisoformat(name) for name in names)
        except ValueError:
            raise StorageError(
                "holds a .key file whose name is no day", where=self._folder, fix="move it away"
            ) from None

    def extend(self, today: date, days: int) -> Sequence[date]:
        """Make the keys that are missing at the end, so that they reach `days` days from `today`;
        returns the new days.

        Raises StorageError.

        A day inside that lacks its key stays without: cameras hold its old public key, a new one
        could not open their reads.
        """
        private_folder(self._folder)
        present = self.epochs()
        first = max(today, present[-1] + timedelta(days=1)) if present else today
        new = [first + timedelta(days=n) for n in range((today - first).days + days)]
        for epoch in new:
            key = X25519PrivateKey.generate()
            jwk = {
                **public_jwk("X25519", key.public_key().public_bytes_raw()),
                "d": b64url(key.private_bytes_raw()),
            }
            write_atomic(self._path(epoch), canonical(jwk))
        return new

    def key(self, epoch: date) -> X25519PrivateKey | None:
        """The key of one day; None when it is destroyed or was never made here.

        Raises StorageError when it is damaged.
        """
        path = self._path(epoch)
        try:
            untrusted = read_private(path)
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        try:
            fields = Fields(
                parse_object(untrusted, str(path)), str(path), required=("kty", "crv", "x", "d")
            )
            key = X25519PrivateKey.from_private_bytes(
                decode_base64url(fields.text("d", most=43), str(path))
            )
        except (EnvelopeRefusedError, ValueError):
            raise StorageError(
                "is not an X25519 private JWK",
                where=path,
                fix="its reads cannot be opened; restore the file if you can",
            ) from None
        return key

    def public_keys(self, recipient: str, now: datetime) -> EpochKeys:
        """What the key list says: every key that is still to be destroyed.

        `now`: when it is issued.
        """
        keys: dict[date, bytes] = {}
        for epoch in self.epochs():
            key = self.key(epoch) if deadline_of(epoch) > now else None
            if key is not None:
                keys[epoch] = key.public_key().public_bytes_raw()
        return EpochKeys(recipient, now, keys)

    def destroy_due(self, now: datetime) -> Sequence[date]:
        """Destroy every key whose deadline has come; returns their days.

        Raises StorageError (then the rest is tried again next time).
        """
        # A crash while a key was written left its private half here.
        for leftover in self._folder.glob(f".*{PART_SUFFIX}"):
            destroy(leftover)
        due = self.due(now)
        for epoch in due:
            destroy(self._path(epoch))
        return due

    def due(self, now: datetime) -> Sequence[date]:
        """The days whose key's deadline has come. Raises StorageError."""
        return [epoch for epoch in self.epochs() if deadline_of(epoch) <= now]

    def _path(self, epoch: date) -> Path:
        return self._folder / f"{epoch.isoformat()}{_SUFFIX}"
