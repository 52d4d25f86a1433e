"""Who looked at what, and for what: an append-only log of the same kind as the cameras', with the
fields that California's Civil Code 1798.90.52(a) names. Never a plate (P9).

The four fields: date and time (the leaf's `at`); the data elements used to query (`query`: camera
and read id, since nobody can ask by plate here); username and organization; purpose.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.log.leaf import LeafKind
from agent.receiver.logs.own_log import LogPlace, own_log

if TYPE_CHECKING:
    from agent.ports import Clock
    from agent.receiver.inbox.people.sign_in import Session
    from agent.storage.audit_log import AuditLog

PROCESS = "access"
NOBODY = "not signed in"


class AccessLog:
    """An open access log. What cannot be written here is not shown: every method raises
    StorageError.
    """

    def __init__(self, log: "AuditLog") -> None:
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

    def came(self, act: str, username: str = NOBODY, **more: str) -> None:
        """Somebody signed in or out, was refused, or changed with what they sign in. A name that no
        account has is not told: it may be a password.
        """
        self._log.append(LeafKind.ACCESS, {"act": act, "username": username, **more})

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
    with own_log(LogPlace(receiver, PROCESS, name), clock.now) as log:
        yield AccessLog(log)
