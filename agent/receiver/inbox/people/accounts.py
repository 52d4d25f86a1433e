"""Who may sign in to the inbox, and what they may do there: one private file an account, a password
as Argon2id with a TOTP secret (RFC 6238), or neither where passkeys or a provider speak for it.

Mitigates against: whoever gets the files. A password is not in them; the TOTP secret is.
"""

import base64
import json
import os
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from agent.core.text.rfc3339 import rfc3339
from agent.disk.atomic_file import (
    private_folder,
    remove,
    storage_error,
    write_atomic,
    write_new,
)
from agent.errors import StorageError, UsageError
from agent.receiver.inbox.people.account_role import Role
from agent.receiver.inbox.people.private_table import read_table
from agent.values import dataclass, replace

FOLDER, SUFFIX = "accounts", ".json"
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?")
# RFC 9106's second recommended option, 64 MiB; lanes as it says
ITERATIONS, LANES, MEMORY_KIB, SALT_BYTES, DIGEST_BYTES = 3, 4, 65_536, 16, 32
SECRET_BYTES, STEP_S, DIGITS = 20, 30, 6  # RFC 4226 recommends 160 bits
MAX_ORGANIZATION = 80
MAX_ISSUER, MAX_SUBJECT = 200, 255
_OPTIONAL = ("password", "totp", "role", "issuer", "subject")
_FIX = "remove it, and add the account again"
MAX_PASSWORD = 256


@dataclass(frozen=True, slots=True)
class Account:
    """`organization`: told in every access record. `phc`: the password, as PHC strings have it;
    empty for an account without one. `made_at`: RFC 3339; two of one name differ in it. `issuer`,
    `subject`: which provider speaks for the person, and by what it knows them; empty: none does.
    """

    name: str
    organization: str
    phc: str
    totp_secret: bytes
    role: Role = Role.ANALYST
    made_at: str = ""
    issuer: str = ""
    subject: str = ""

    def is_password(self, untrusted_password: str) -> bool:
        """Is it the one? Takes 64 MiB and a tenth of a second."""
        if not self.phc:
            return False
        try:
            Argon2id.verify_phc_encoded(untrusted_password[:MAX_PASSWORD].encode(), self.phc)
        except InvalidKey:
            return False
        return True

    def step_of(self, untrusted_code: str, now_s: float) -> int | None:
        """The half minute, by number, of which this is the code; one early or late will do."""
        made = TOTP(self.totp_secret, DIGITS, SHA1(), STEP_S)  # noqa: S303  # HMAC-SHA-1, RFC 6238
        now = int(now_s) // STEP_S
        for step in (now, now - 1, now + 1):
            expected = made.generate(step * STEP_S)
            if secrets.compare_digest(expected, untrusted_code.encode()):
                return step
        return None

    def provisioning_uri(self) -> str:
        """What an authenticator app scans. It is the secret."""
        made = TOTP(self.totp_secret, DIGITS, SHA1(), STEP_S)  # noqa: S303  # as above
        return made.get_provisioning_uri(self.name, "Platewarden inbox")


class AccountFolder:
    """`accounts/` in the receiver's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def names(self) -> Sequence[str]:
        """In order. Raises StorageError."""
        try:
            found = [path.stem for path in self._folder.iterdir() if path.suffix == SUFFIX]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(error, self._folder, "cannot list the accounts") from None
        return sorted(name for name in found if NAME.fullmatch(name))

    def find(self, name: str) -> Account | None:
        """The account; None where there is none. Raises StorageError."""
        path = self._path(name)
        if NAME.fullmatch(name) is None or not os.path.lexists(path):
            return None
        with read_table(path, ("organization", "made_at"), optional=_OPTIONAL, fix=_FIX) as fields:
            return Account(
                name,
                fields.text("organization"),
                fields.text("password") if "password" in fields else "",
                base64.b32decode(fields.text("totp", most=64)) if "totp" in fields else b"",
                Role(fields.text("role")) if "role" in fields else Role.ANALYST,
                fields.text("made_at"),
                fields.text("issuer", most=MAX_ISSUER) if "issuer" in fields else "",
                fields.text("subject", most=MAX_SUBJECT) if "subject" in fields else "",
            )

    def existing(self, name: str) -> Account:
        """As `find`, of an account that somebody named. Raises UsageError, StorageError."""
        account = self.find(name)
        if account is None:
            raise _no_such(name)
        return account

    def add(
        self,
        name: str,
        organization: str,
        password: str | None,
        now: datetime,
        role: Role = Role.ANALYST,
    ) -> Account:
        """`password`: None for an account that others speak for. Raises UsageError, StorageError.
        An account that is there is never replaced.
        """
        if NAME.fullmatch(name) is None:
            raise UsageError(
                f"{name[:40]!a} is no account's name",
                where="NAME",
                fix="use a-z, 0-9, - and dots, at most 32 characters",
            )
        if not organization.isprintable() or not 0 < len(organization) <= MAX_ORGANIZATION:
            raise UsageError(
                f"1 to {MAX_ORGANIZATION} printable characters",
                where="--organization",
                fix="give the name that access records should show",
            )
        if os.path.lexists(self._path(name)):
            raise StorageError(
                "is there already",
                where=f"account {name}",
                fix="`receiver account remove` it first; its access records stay",
            )
        phc, secret = "", b""
        if password is not None:
            phc, secret = _phc(password), secrets.token_bytes(SECRET_BYTES)
        account = Account(name, organization, phc, secret, role, rfc3339(now))
        private_folder(self._folder)
        write_new(self._path(name), _written(account))
        return account

    def of_subject(self, issuer: str, subject: str) -> Account | None:
        """For whom a provider speaks, by what it knows them. Raises StorageError."""
        return self.first(lambda one: (one.issuer, one.subject) == (issuer, subject))

    def first(self, is_wanted: Callable[[Account], bool]) -> Account | None:
        """The first one that is wanted. What cannot be read keeps nobody else out: it raises
        StorageError where no other is found.
        """
        unread: StorageError | None = None
        for name in self.names():
            try:
                account = self.find(name)
                if account is not None and is_wanted(account):
                    return account
            except StorageError as error:
                unread = error
        if unread is not None:
            raise unread
        return None

    def link(self, name: str, issuer: str, subject: str) -> Account:
        """From now on this provider speaks for the account, in place of a former one; both empty:
        none does. Raises UsageError, StorageError.
        """
        account = self.existing(name)
        sound = subject.isascii() and subject.isprintable() and len(subject) <= MAX_SUBJECT
        if not sound or len(issuer) > MAX_ISSUER or bool(issuer) != bool(subject):
            raise UsageError(
                f"a subject is 1 to {MAX_SUBJECT} printable ASCII characters",
                where="--subject",
                fix="take the one that the refused page shows its person",
            )
        other = self.of_subject(issuer, subject) if subject else None
        if other is not None and other.name != name:
            raise UsageError(
                f"that subject is {other.name} already", fix="end the other link first: `--end`"
            )
        linked = replace(account, issuer=issuer, subject=subject)
        write_atomic(self._path(name), _written(linked))
        return linked

    def remove(self, name: str) -> None:
        """Whoever is signed in under it is out with the next request. Raises UsageError."""
        if name not in self.names():
            raise _no_such(name)
        remove(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


def _no_such(name: str) -> UsageError:
    return UsageError("no such account", where=name[:40], fix="`receiver account list` shows all")


def _written(account: Account) -> bytes:
    table = {
        "v": 1,
        "organization": account.organization,
        "role": account.role.value,
        "made_at": account.made_at,
    }
    if account.phc:
        secret = base64.b32encode(account.totp_secret).decode()
        table |= {"password": account.phc, "totp": secret}
    if account.subject:
        table |= {"issuer": account.issuer, "subject": account.subject}
    return json.dumps(table).encode()


def _phc(password: str) -> str:
    made = Argon2id(
        salt=secrets.token_bytes(SALT_BYTES),
        length=DIGEST_BYTES,
        iterations=ITERATIONS,
        lanes=LANES,
        memory_cost=MEMORY_KIB,
    )
    return made.derive_phc_encoded(password.encode())


def nobody() -> Account:
    """For names that nobody has: as long to refuse as a wrong password."""
    return Account("", "", _phc(secrets.token_urlsafe()), secrets.token_bytes(SECRET_BYTES))
