"""Invitations: a code that lets one person make the first passkey of one account, once.

The code is told on the administrator's terminal and handed over by hand. Its digest is kept.
"""

import base64
import hashlib
import json
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.disk.atomic_file import private_folder, remove, write_atomic
from agent.receiver.inbox.people.accounts import Account
from agent.receiver.inbox.people.private_table import read_table

FOLDER = "invitations"
CODE_BYTES = 15  # 120 bits in 24 letters: nobody guesses it, so nobody has to wait
LASTS = timedelta(hours=24)


class InvitationFolder:
    """`invitations/` in the receiver's folder, one private file an account. Every method raises
    StorageError.
    """

    def __init__(self, receiver: Path) -> None:
        self._folder = receiver / FOLDER

    def invite(self, account: Account, now: datetime) -> str:
        """The code; a former one counts no more."""
        code = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()
        table = {
            "v": 1,
            "account_made_at": account.made_at,
            "digest": _digest(code),
            "until": rfc3339(now + LASTS),
        }
        private_folder(self._folder)
        write_atomic(self._path(account.name), json.dumps(table).encode())
        return "-".join(code[at : at + 4] for at in range(0, len(code), 4))

    def is_invited(self, account: Account, untrusted_code: str, now: datetime) -> bool:
        """Is it the code of this account, and still good?"""
        path = self._path(account.name)
        if not os.path.lexists(path):
            return False
        with read_table(path, ("account_made_at", "digest", "until")) as fields:
            digest, until = fields.text("digest"), parse_rfc3339(fields.text("until"))
            mine = fields.text("account_made_at") == account.made_at
        typed = untrusted_code.upper().replace("-", "").replace(" ", "")
        return secrets.compare_digest(_digest(typed), digest) and mine and now < until

    def end(self, name: str) -> None:
        """It was taken, or the account ends."""
        path = self._path(name)
        if os.path.lexists(path):
            remove(path)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
