"""Who looked at what, and for what: an append-only log of the same kind as the cameras', with the
fields that California's Civil Code 1798.90.52(a) names. Never a plate (P9).

The four fields: date and time (the leaf's `at`); the data elements used to query (`query`: camera
and read id, since nobody can ask by plate here); username and organization; purpose.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.log.leaf import LeafKind
from agent.core.text.strict_json import public_jwk
from agent.disk.atomic_file import private_folder, write_atomic
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import create_signing_key, load_signing_key, load_trusted_keys

if TYPE_CHECKING:
    from agent.ports import Clock
    from agent.receiver.inbox.sign_in import Session

FOLDER, KEY, PUBLIC, DATABASE, PROCESS = (
    *("access-log", "access-log.key", "public.json", "log.sqlite"),
    "access",
)
NOBODY = "not signed in"


class AccessLog:
    """An open access log. What cannot be written here is not shown: every method raises
    StorageError.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def looked(
        self,
        act: str,
        session: "Session",
        purpose: str,
        query: Mapping[str, str],
        **more: str,
    ) -> None:
        """Somebody saw, or took away, ALPR information; or did something with a lead."""
        self._log.append(
            LeafKind.ACCESS,
            {
                "act": act,
                "username": session.username,
                "organization": session.organization,
                "purpose": purpose,
                "query": dict(query),
                **more,
            },
        )

    def came(self, act: str, username: str = NOBODY) -> None:
        """Somebody signed in or out, or was refused. A name that no account has is not told: it may
        be a password.
        """
        self._log.append(LeafKind.ACCESS, {"act": act, "username": username})

    @property
    def size(self) -> int:
        """How many records there are."""
        return self._log.size


@contextmanager
def access_log(receiver: Path, name: str, clock: "Clock") -> Iterator[AccessLog]:
    """The log in `access-log/` of the receiver's folder, begun where there is none. `name`: the
    receiver's. One writer, in one thread.

    Raises StorageError, LogRefusedError.
    """
    folder = receiver / FOLDER
    private_folder(folder)
    key_path, public = folder / KEY, folder / PUBLIC
    begun = key_path.exists() or (folder / DATABASE).exists()
    key = load_signing_key(key_path) if begun else create_signing_key(key_path)
    if not public.exists():
        raw = key.public_key().public_bytes_raw()
        table = {"v": 1, "device": name, f"{PROCESS}_log": public_jwk("Ed25519", raw)}
        write_atomic(public, json.dumps(table, indent=1).encode() + b"\n", 0o644)
    (origin,) = load_trusted_keys(public).keys
    with AuditLog(folder / DATABASE, origin, key, clock.now) as log:
        yield AccessLog(log)
