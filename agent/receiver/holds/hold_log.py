"""Every hold, its end and each opening as leaves of the receiver's hold log: never a plate. What
stands in the store and not in the log is told before anything else, each thing once.

Only one process at a time changes holds: whoever has the log.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.core.log.leaf import LeafKind
from agent.core.text.rfc3339 import rfc3339
from agent.disk.atomic_file import private_folder
from agent.disk.private_file import open_private
from agent.errors import StorageError
from agent.receiver.logs.own_log import LogPlace, own_log

if TYPE_CHECKING:
    from agent.core.time.instant import Instant
    from agent.receiver.store.holds.held_reads import HeldRead, KeptHold
    from agent.storage.audit_log import AuditLog
    from agent.verifying.hold_check import SignedHold

PROCESS, LOCK = "hold", ".turn"
WAIT_S = 30.0  # for another process's turn: sealing a thousand reads anew takes a few seconds
_PAUSE_S = 0.05
_TOLD = """
CREATE TABLE IF NOT EXISTS told (
    hold TEXT, act TEXT, device TEXT, read_id TEXT, PRIMARY KEY (hold, act, device, read_id)
) STRICT, WITHOUT ROWID
"""


class HoldLog:
    """An open hold log. What cannot be written here is not done: every method raises
    StorageError.
    """

    def __init__(self, log: "AuditLog") -> None:
        self._log = log
        log.add_tables(_TOLD)

    def begun(self, kept: "KeptHold", signed: "SignedHold") -> None:
        """Once: a hold was applied."""
        hold = signed.hold
        details: dict[str, object] = {
            "reference": hold.reference,
            "camera": hold.device,
            "since": rfc3339(hold.since),
            "until": rfc3339(hold.until),
            "expires": rfc3339(hold.expires_at),
            "signers": list(signed.signers),
            "holder": hold.holder,
        }
        if hold.read_id is not None:
            details["read"] = hold.read_id
        self._once(kept.id, "begin", ("", ""), details)

    def held(self, read: "HeldRead") -> None:
        """Once: a read was sealed anew, or cannot be."""
        act = "unkept" if read.refused else "keep"
        details: dict[str, object] = {"sha256": read.wire_sha256}
        if read.refused:
            details["reason"] = read.refused
        self._once(read.hold, act, read.name, details)

    def ended(self, hold: str) -> None:
        """Once: what was held is destroyed, so many reads that this receiver had sealed anew."""
        [(reads,)] = self._log.query(
            "SELECT count(*) FROM told WHERE hold = ? AND act = 'keep'", (hold,)
        )
        self._once(hold, "end", ("", ""), {"reads": reads})

    def opened(self, read: "HeldRead", by: str) -> None:
        """Somebody is about to see a held read."""
        self._log.append(LeafKind.HOLD, {**_about(read.hold, "open", read.name), "by": by})

    def _once(
        self, hold: str, act: str, name: tuple[str, str], details: Mapping[str, object]
    ) -> None:
        row = (hold, act, *name)
        if self._log.query(
            "SELECT 1 FROM told WHERE hold = ? AND act = ? AND device = ? AND read_id = ?", row
        ):
            return

        def remember(connection: sqlite3.Connection, _leaf: int) -> None:
            connection.execute("INSERT INTO told VALUES (?, ?, ?, ?)", row)

        leaf = {**_about(hold, act, name), **details}
        self._log.append(LeafKind.HOLD, leaf, also=remember)


@contextmanager
def hold_log(place: LogPlace, now: "Callable[[], Instant]") -> Iterator[HoldLog]:
    """The log in `hold-log/` of the receiver's folder, begun where there is none, once nobody else
    has it.

    Raises StorageError, LogRefusedError.
    """
    private_folder(place.folder)
    with _turn(place), own_log(place, now) as log:
        yield HoldLog(log)


@contextmanager
def _turn(place: LogPlace) -> Iterator[None]:
    descriptor = open_private(place.folder / LOCK, "cannot open the lock")
    with os.fdopen(descriptor):  # closing it releases the lock
        end_s = time.monotonic() + WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end_s:
                    raise StorageError(
                        f"another process has had the holds for {WAIT_S:.0f} s",
                        where=place.folder,
                        fix="wait until it is done, then try again",
                    ) from None
                time.sleep(_PAUSE_S)
        yield


def _about(hold: str, act: str, name: tuple[str, str]) -> dict[str, object]:
    device, read_id = name
    about: dict[str, object] = {"act": act, "hold": hold}
    return about | {"camera": device, "read": read_id} if read_id else about
