"""The passkeys of each account: `passkeys/` in the receiver's folder, one private file an account.

Mitigates against: whoever gets the files. They hold public keys, and nothing signs with them.
"""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.core.text.encoding import b64url, from_b64url
from agent.core.text.strict_json import Fields
from agent.disk.atomic_file import private_folder, remove, write_atomic
from agent.disk.private_file import open_private
from agent.errors import UsageError
from agent.receiver.inbox.people.accounts import Account
from agent.receiver.inbox.people.private_table import read_table
from agent.values import dataclass, replace

FOLDER, LOCK = "passkeys", ".lock"
MOST_PASSKEYS = 8
HANDLE_BYTES = 32
MAX_CREDENTIAL = 1_500  # bytes in all; WebAuthn's ids have at most 1,023
MAX_FILE = 65_536


@dataclass(frozen=True, slots=True)
class Passkey:
    """`credential`: id and public key, as WebAuthn's attested credential data has them.
    `counter`: the last that it signed; 0 where it counts nothing. `suspect`: its counter went back
    once, so there may be a second one: it signs nobody in any more.
    """

    credential: bytes
    counter: int
    made_at: str
    suspect: bool = False

    @property
    def id(self) -> str:
        """What people and logs call it: 16 hex digits, that tell nothing of the key."""
        return hashlib.sha256(self.credential).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Ring:
    """All passkeys of one account. `handle`: by what a passkey knows the account; no name."""

    handle: bytes
    keys: tuple[Passkey, ...]

    def find(self, key_id: str) -> Passkey | None:
        return next((key for key in self.keys if key.id == key_id), None)

    def require_room(self, key: Passkey) -> None:
        """For a new one. Raises UsageError."""
        if len(self.keys) >= MOST_PASSKEYS:
            raise UsageError(
                f"an account has {MOST_PASSKEYS} passkeys at most", fix="remove one first"
            )
        if self.find(key.id) is not None:
            raise UsageError("that passkey is here already")


class PasskeyFolder:
    """Server and commands change it, each under one lock. Every method raises StorageError."""

    def __init__(self, receiver: Path) -> None:
        self._folder = receiver / FOLDER

    def of(self, account: Account) -> Ring:
        """A new handle and no key, where the account has none yet. What a former account of this
        name left counts for nothing.
        """
        path = self._path(account.name)
        if not os.path.lexists(path):
            return Ring(secrets.token_bytes(HANDLE_BYTES), ())
        made_at, ring = _parsed(path)
        return ring if made_at == account.made_at else Ring(secrets.token_bytes(HANDLE_BYTES), ())

    def begun(self, account: Account) -> Ring:
        """As `of`, with a handle that stays: a new passkey is made for it."""
        with self._locked():
            ring = self.of(account)
            if not ring.keys:
                self._write(account, ring)
            return ring

    def add(self, account: Account, key: Passkey) -> None:
        """For the handle that `begun` told. Raises UsageError where there are too many."""
        with self._locked():
            ring = self.of(account)
            ring.require_room(key)
            self._write(account, replace(ring, keys=(*ring.keys, key)))

    def used(self, account: Account, key: Passkey) -> None:
        """`key` with its new counter, or suspect. One that was removed meanwhile stays removed."""
        with self._locked():
            ring = self.of(account)
            keys = tuple(key if one.id == key.id else one for one in ring.keys)
            if keys != ring.keys:
                self._write(account, replace(ring, keys=keys))

    def remove(self, account: Account, key_id: str) -> None:
        """Whoever signed in with it is out with the next request. Raises UsageError."""
        with self._locked():
            ring = self.of(account)
            if ring.find(key_id) is None:
                raise UsageError(
                    f"no passkey {key_id[:20]!a}",
                    where=account.name,
                    fix="`receiver account passkeys` shows all",
                )
            keys = tuple(one for one in ring.keys if one.id != key_id)
            self._write(account, replace(ring, keys=keys))

    def remove_all(self, name: str) -> None:
        """Of an account that ends, or begins anew."""
        path = self._path(name)
        with self._locked():
            if os.path.lexists(path):
                remove(path)

    def _write(self, account: Account, ring: Ring) -> None:
        keys = [
            {
                "credential": b64url(key.credential),
                "counter": key.counter,
                "made_at": key.made_at,
                "suspect": key.suspect,
            }
            for key in ring.keys
        ]
        table = {
            "v": 1,
            "account_made_at": account.made_at,
            "handle": b64url(ring.handle),
            "keys": keys,
        }
        write_atomic(self._path(account.name), json.dumps(table).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        private_folder(self._folder)
        descriptor = open_private(self._folder / LOCK, "cannot open the lock")
        with os.fdopen(descriptor):  # closing it releases the lock
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _parsed(path: Path) -> tuple[str, Ring]:
    """Of which account, and its passkeys. Raises StorageError."""
    with read_table(path, ("account_made_at", "handle", "keys"), MAX_FILE) as fields:
        keys = tuple(_key(one, str(path)) for one in fields.sequence("keys", MOST_PASSKEYS))
        return fields.text("account_made_at"), Ring(from_b64url(fields.text("handle")), keys)


def _key(table: object, where: str) -> Passkey:
    """Raises EnvelopeRefusedError, ValueError."""
    fields = Fields(table, where, required=("credential", "counter", "made_at", "suspect"))
    return Passkey(
        from_b64url(fields.text("credential", most=2 * MAX_CREDENTIAL)),
        fields.whole("counter", 0, 2**32 - 1),
        fields.text("made_at"),
        suspect=fields.value("suspect") is not False,
    )
