"""The inbox's pages of leads: what is asked of them, and what is shown. None needs a script, none
names a plate in its address or title.
"""

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from agent.core.wire.tags import READ_ID
from agent.errors import UsageError
from agent.receiver.inbox.inbox_settings import IDENTIFIER
from agent.receiver.inbox.lead_export import MEDIA_TYPES, ExportForm
from agent.receiver.inbox.lead_words import PAGE_BANNER, TEST_BANNER
from agent.receiver.inbox.page_maker import PageMaker
from agent.receiver.inbox.page_request import Asked, TurnedAwayError, sentence, session_in
from agent.receiver.store.acts.lead_acts import OUTCOMES, ActKind

if TYPE_CHECKING:
    from agent.ports import Clock
    from agent.receiver.inbox.lead_view import Desk
    from agent.receiver.inbox.leads import Leads
    from agent.receiver.inbox.people.sign_in import Session

Name = tuple[str, str]


class Pages:
    """`idle_s`: a session without a request ends after so long. Every method returns a page, or
    raises PlatewardenError or TurnedAwayError; all run in one thread.
    """

    def __init__(
        self,
        leads: "Leads",
        idle_s: float,
        clock: "Clock",
        desk: "Desk",
        maker: PageMaker,
    ) -> None:
        self._leads, self._idle_s, self._clock = leads, idle_s, clock
        self._desk, self._maker = desk, maker

    def css(self, _asked: Asked) -> Response:
        """The looks of all pages."""
        return self._maker.css()

    def listed(self, asked: Asked) -> Response:
        """All leads, a page of them."""
        number = asked.query.get("page", "1")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
        found = self._leads.listed(session_in(asked), self._clock.now(), page)
        return self._maker.page("list.html", asked.session, leads=found, outcomes=OUTCOMES)

    def lead(self, asked: Asked, fault: str = "") -> Response:
        """One lead, as far as this session has opened it."""
        session, name = session_in(asked), _name(asked)
        shown = self._leads.shown(session, name, self._clock.now())
        crop = shown.opened.crop if shown.opened else None
        response = self._maker.page(
            "lead.html",
            session,
            fault=fault,
            status=HTTPStatus.BAD_REQUEST if fault else HTTPStatus.OK,
            lead=shown,
            crop=base64.b64encode(crop).decode() if crop else "",
            banner=PAGE_BANNER,
            test_banner=TEST_BANNER,
            outcomes=OUTCOMES,
            people=self._leads.people(),
            local=self._desk.local,
        )
        # A page that lies open leaves by itself: at the deadline, or with the session.
        away_s = max(1, int(min(shown.left_s, self._idle_s)))
        response.headers["Refresh"] = f"{away_s}; url=/"
        return response

    def open(self, asked: Asked) -> Response:
        """For a purpose."""
        session, name = session_in(asked), _name(asked)
        try:
            self._leads.grant(
                session, name, asked.one("purpose"), asked.one("incident"), self._clock.now()
            )
        except UsageError as error:
            return self.lead(asked, sentence(error))
        return _back(asked)

    def close(self, asked: Asked) -> Response:
        """Out of sight."""
        self._leads.close(session_in(asked), _name(asked))
        return _back(asked)

    def act(self, asked: Asked) -> Response:
        """Acknowledge, assign, outcome."""
        kind = ActKind(asked.path["act"])
        value = "" if kind is ActKind.ACKNOWLEDGE else asked.one("value")
        try:
            self._leads.act(session_in(asked), _name(asked), kind, value, self._clock.now())
        except UsageError as error:
            return self.lead(asked, sentence(error))
        return _back(asked)

    def export(self, asked: Asked) -> Response:
        """A file to keep; its name tells the read, never the plate."""
        session, name = session_in(asked), _name(asked)
        try:
            form = ExportForm(asked.one("form"))
            data = self._leads.taken_away(session, name, form, self._clock.now())
        except (UsageError, ValueError) as error:
            words = sentence(error) if isinstance(error, UsageError) else "Choose a form."
            return self.lead(asked, words)
        saved = f'attachment; filename="lead-{name[1]}.{form.value}"'
        return Response(data, media_type=MEDIA_TYPES[form], headers={"Content-Disposition": saved})

    def fault(self, what: str, status: HTTPStatus, session: "Session | None") -> Response:
        """A page that says why nothing was done."""
        return self._maker.page("fault.html", session, fault=what, status=status)


def _name(asked: Asked) -> Name:
    """Raises TurnedAwayError: what stands in the path is checked before it is looked for."""
    device, read_id = asked.path.get("device", ""), asked.path.get("read_id", "")
    if not (IDENTIFIER.fullmatch(device) and READ_ID.fullmatch(read_id)):
        raise TurnedAwayError(HTTPStatus.NOT_FOUND, "There is no such lead.")
    return device, read_id


def _back(asked: Asked) -> Response:
    device, read_id = _name(asked)
    return RedirectResponse(f"/lead/{device}/{read_id}", HTTPStatus.SEE_OTHER)
