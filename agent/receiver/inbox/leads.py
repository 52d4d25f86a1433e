"""The leads of the store as one signed-in person meets them: listed, opened, worked on, taken away.
Each act is in the access log before anything is shown.
"""

import re
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.core.wire.tags import Tags
from agent.errors import (
    EnvelopeRefusedError,
    RefusedError,
    StorageError,
    StoreAwayError,
    UsageError,
)
from agent.receiver.inbox.access_log import AccessLog
from agent.receiver.inbox.entry_check import entry_stands
from agent.receiver.inbox.lead_export import ExportForm, Taking, exported
from agent.receiver.inbox.lead_view import Desk, LeadLine, OpenedLead, line_of, opened_lead
from agent.receiver.inbox.people.accounts import AccountFolder
from agent.receiver.inbox.people.sign_in import Grant, Session
from agent.receiver.opened_reads import opened_reads
from agent.receiver.opener import OpenedRead, holds_plate
from agent.receiver.store.acts.lead_acts import OUTCOMES, Act, ActKind, state_of
from agent.receiver.workplace import Workplace
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from agent.core.time.instant import Instant
    from agent.receiver.store.read_store import Name, ReadStore, StoredRead

TRIAGE = "to see what waits"
PAGE = 50  # leads on one page
_INCIDENT = re.compile(r"[A-Za-z0-9 ./_-]{0,40}")


@dataclass(frozen=True, slots=True)
class ListedLeads:
    """One page of them, newest first. `unreadable`: reads that no longer verify, or are gone."""

    lines: Sequence[LeadLine]
    total: int
    page: int
    unreadable: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))


@dataclass(frozen=True, slots=True)
class ShownLead:
    """`opened`, `grant`, `entry`: None before it is opened in this session. `purposes`: for which
    it may be.
    """

    line: LeadLine
    acts: Sequence[Act]
    purposes: Sequence[str]
    left_s: float
    opened: OpenedLead | None = None
    grant: Grant | None = None
    entry: str = ""


class Leads:
    """For everybody who is signed in. Every method raises StorageError, RefusedError, and
    PlatewardenError for a clock that is surely wrong.
    """

    def __init__(self, place: Workplace, log: AccessLog, desk: Desk) -> None:
        self._place, self._log, self._desk = place, log, desk
        self._verifier = place.verifier()

    def listed(self, session: Session, now: "Instant", page: int) -> ListedLeads:
        """Without anything that was sealed."""
        with closing(self._place.store()) as store:
            rows = [row for row in store.reads() if not _is_due(row, now)]
            rows.reverse()
            page = min(max(page, 1), max(1, -(-len(rows) // PAGE)))
            chosen = rows[(page - 1) * PAGE : page * PAGE]
            acts = store.acts.of([row.name for row in chosen])
            found = [
                line_of(tags, state_of(acts.get(row.name, ())), self._desk)
                for row in chosen
                if (tags := self._tags(store, row)) is not None
            ]
        self._log.looked("list", session, TRIAGE, {"leads": str(len(found)), "page": str(page)})
        return ListedLeads(found, len(rows), page, len(chosen) - len(found))

    def shown(self, session: Session, name: "Name", now: "Instant") -> ShownLead:
        """With what was sealed, if this session has opened it: told again each time."""
        lead = self._closed(name, now)
        grant = session.grants.get(name)
        if grant is None:
            self._log.looked("look", session, TRIAGE, _query(name))
            return lead
        opened = self._opened(name, now)
        entry = entry_stands(self._place.settings.inbox.entry_check, opened)
        self._log.looked(
            "open", session, grant.purpose, _query(name), incident=grant.incident, entry=entry
        )
        return replace(lead, opened=opened_lead(opened), grant=grant, entry=entry)

    def grant(
        self, session: Session, name: "Name", purpose: str, incident: str, now: "Instant"
    ) -> None:
        """From now on this session sees it, for this purpose. Raises UsageError."""
        lead = self._closed(name, now)
        if purpose not in lead.purposes:
            raise UsageError("choose a purpose", fix="a lead is opened for what its policy names")
        if _INCIDENT.fullmatch(incident) is None:
            raise UsageError(
                "the incident's number is letters, digits, spaces and ./_-, 40 at most"
            )
        if holds_plate(incident, self._opened(name, now)):
            raise UsageError("the incident holds the plate", fix="give a number of yours, no plate")
        session.grants[name] = Grant(purpose, incident)

    def close(self, session: Session, name: "Name") -> None:
        """The session sees it no more."""
        session.grants.pop(name, None)

    def act(
        self, session: Session, name: "Name", kind: ActKind, value: str, now: "Instant"
    ) -> None:
        """Acknowledge, assign, outcome. Raises UsageError."""
        if kind is ActKind.ASSIGN and value not in self.people():
            raise UsageError("choose an account", fix="`receiver account list` shows them")
        if kind is ActKind.OUTCOME and value not in OUTCOMES:
            raise UsageError("choose an outcome")
        self._closed(name, now)
        grant = session.grants.get(name)
        purpose = grant.purpose if grant else TRIAGE
        self._log.looked(kind.value, session, purpose, _query(name), value=value)
        with closing(self._place.store()) as store:
            store.acts.add(name, Act(now.utc, session.username, kind, value))

    def taken_away(self, session: Session, name: "Name", form: ExportForm, now: "Instant") -> bytes:
        """A file. Raises UsageError unless the session has opened it."""
        lead, grant = self._closed(name, now), session.grants.get(name)
        if grant is None:
            raise UsageError("open the lead first", fix="an export needs its purpose too")
        opened = opened_lead(self._opened(name, now))
        self._log.looked(
            "export", session, grant.purpose, _query(name), incident=grant.incident, form=form.value
        )
        taking = Taking(session, grant, now.utc)
        return exported(form, lead.line, opened, taking, self._desk.positions.get(name[0]))

    def people(self) -> Sequence[str]:
        """To whom a lead may be given."""
        return AccountFolder(self._place.folder).names()

    def _closed(self, name: "Name", now: "Instant") -> ShownLead:
        with closing(self._place.store()) as store:
            row = self._row(store, name, now)
            tags = self._verifier.verify(store.wire(row))
            acts = store.acts.of([name]).get(name, ())
        line = line_of(tags, state_of(acts), self._desk)
        purposes = tuple(dict.fromkeys((tags.purpose, *self._place.settings.inbox.purposes)))
        return ShownLead(line, acts, purposes, (tags.deadline - now.utc).total_seconds())

    def _row(self, store: "ReadStore", name: "Name", now: "Instant") -> "StoredRead":
        for row in store.reads(name[1]):
            if row.name == name and not _is_due(row, now):
                return row
        raise EnvelopeRefusedError(
            Reason.DEADLINE_PASSED, "no such lead is here, or its deadline has passed"
        )

    def _opened(self, name: "Name", now: "Instant") -> OpenedRead:
        refused: RefusedError | None = None
        for one in opened_reads(self._place, name[1], now, for_picture=False):
            if isinstance(one, RefusedError):
                refused = one  # this one, or another camera's of the same id
            elif (one.tags.device, one.tags.read_id) == name:
                return one
        raise refused or EnvelopeRefusedError(Reason.DEADLINE_PASSED, "the lead is gone")

    def _tags(self, store: "ReadStore", row: "StoredRead") -> Tags | None:
        try:
            return self._verifier.verify(store.wire(row))
        except StoreAwayError:
            raise
        except (RefusedError, StorageError):
            return None


def _is_due(row: "StoredRead", now: "Instant") -> bool:
    """By either time, as `receiver open` has it."""
    return now.reached(row.deadline) or now.utc >= row.deadline


def _query(name: "Name") -> dict[str, str]:
    return {"camera": name[0], "read": name[1]}
