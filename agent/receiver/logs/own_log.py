"""A log of the receiver's own, of the same kind as the cameras' (docs/ref/audit-log.md). Each has a
folder, a key and an origin.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.text.strict_json import public_jwk
from agent.disk.atomic_file import private_folder, write_atomic
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import create_signing_key, load_signing_key, load_trusted_keys
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.time.instant import Instant

PUBLIC, DATABASE = "public.json", "log.sqlite"


@dataclass(frozen=True, slots=True)
class LogPlace:
    """`receiver`: its folder; `process`: the last part of the log's name, and the first of its
    key's file; `name`: the receiver's.
    """

    receiver: Path
    process: str
    name: str

    @property
    def folder(self) -> Path:
        """Where the log lies."""
        return self.receiver / f"{self.process}-log"


@contextmanager
def own_log(place: LogPlace, now: "Callable[[], Instant]") -> Iterator[AuditLog]:
    """The log, begun where there is none. One writer, in one thread.

    Raises StorageError, LogRefusedError.
    """
    folder = place.folder
    private_folder(folder)
    key_path, public = folder / f"{place.process}-log.key", folder / PUBLIC
    begun = key_path.exists() or (folder / DATABASE).exists()
    key = load_signing_key(key_path) if begun else create_signing_key(key_path)
    if not public.exists():
        jwk = public_jwk("Ed25519", key.public_key().public_bytes_raw())
        table = {"v": 1, "device": place.name, f"{place.process}_log": jwk}
        write_atomic(public, json.dumps(table, indent=1).encode() + b"\n", 0o644)
    (origin,) = load_trusted_keys(public).keys
    with AuditLog(folder / DATABASE, origin, key, now) as log:
        yield log
