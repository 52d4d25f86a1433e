"""The inbox's pages: what is asked of the leads, and what is shown. No page needs a script, none
names a plate in its address or title.
"""

import base64
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from agent.core.wire.tags import READ_ID
from agent.errors import UsageError
from agent.receiver.inbox.inbox_settings import IDENTIFIER
from agent.receiver.inbox.lead_export import MEDIA_TYPES, ExportForm
from agent.receiver.inbox.lead_words import PAGE_BANNER, TEST_BANNER
from agent.receiver.inbox.page_request import Asked, TurnedAwayError, end_session, set_session
from agent.receiver.store.acts.lead_acts import OUTCOMES, ActKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.ports import Clock
    from agent.receiver.inbox.access_log import AccessLog
    from agent.receiver.inbox.lead_view import Desk
    from agent.receiver.inbox.leads import Leads
    from agent.receiver.inbox.sign_in import Session, SignIn

Name = tuple[str, str]


class Pages:
    """`secure`: served by TLS. Every method returns a page, or raises PlatewardenError or
    TurnedAwayError; all run in one thread.
    """

    def __init__(
        self,
        leads: "Leads",
        sign_in: "SignIn",
        log: "AccessLog",
        clock: "Clock",
        desk: "Desk",
        recipient: str,
        *,
        secure: bool,
    ) -> None:
        self._leads, self._sign_in, self._log = leads, sign_in, log
        self._clock, self._desk, self._recipient, self.secure = clock, desk, recipient, secure
        # A page lies in this package, whatever the working folder is.
        self._templates = Environment(
            loader=PackageLoader("agent.receiver.inbox", "."),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
        )

    def css(self, _asked: Asked) -> Response:
        """The looks of all pages."""
        text = files("agent.receiver.inbox").joinpath("inbox.css").read_text(encoding="utf-8")
        return Response(text, media_type="text/css")

    def session_of(self, token: str) -> "Session | None":
        """Who holds the token."""
        return self._sign_in.session(token, self._clock.monotonic_s()) if token else None

    def ask_who(self, _asked: Asked, fault: str = "") -> Response:
        """The form to sign in."""
        status = HTTPStatus.UNAUTHORIZED if fault else HTTPStatus.OK
        return self._page("sign_in.html", None, fault=fault, status=status)

    def sign_in(self, asked: Asked) -> Response:
        """Name, password, code."""
        name, now_s = asked.one("name"), self._clock.monotonic_s()
        day_s = self._clock.now().utc.timestamp()
        entered = self._sign_in.enter(
            name, asked.form.get("password", ""), asked.one("code"), now_s, day_s
        )
        if isinstance(entered, float):
            self._log.came("sign-in-refused")
            wait = f" Try again in {entered / 60:.0f} minutes." if entered >= 60 else ""
            wait = f" Try again in {entered:.0f} seconds." if 0 < entered < 60 else wait
            return self.ask_who(
                asked, f"Account, password or code is wrong, or the code was used.{wait}"
            )
        token, session = entered
        self._log.came("sign-in", session.username)
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        set_session(response, token, secure=self.secure)
        return response

    def sign_out(self, asked: Asked) -> Response:
        """The session ends here and in the browser."""
        session = _session(asked)
        self._sign_in.leave(asked.token)
        self._log.came("sign-out", session.username)
        response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
        end_session(response, secure=self.secure)
        return response

    def listed(self, asked: Asked) -> Response:
        """All leads, a page of them."""
        number = asked.query.get("page", "1")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
        found = self._leads.listed(_session(asked), self._clock.now(), page)
        return self._page("list.html", asked.session, leads=found, outcomes=OUTCOMES)

    def lead(self, asked: Asked, fault: str = "") -> Response:
        """One lead, as far as this session has opened it."""
        session, name = _session(asked), _name(asked)
        shown = self._leads.shown(session, name, self._clock.now())
        crop = shown.opened.crop if shown.opened else None
        response = self._page(
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
        away_s = max(1, int(min(shown.left_s, self._sign_in.idle_s)))
        response.headers["Refresh"] = f"{away_s}; url=/"
        return response

    def open(self, asked: Asked) -> Response:
        """For a purpose."""
        session, name = _session(asked), _name(asked)
        try:
            self._leads.grant(
                session, name, asked.one("purpose"), asked.one("incident"), self._clock.now()
            )
        except UsageError as error:
            return self.lead(asked, _sentence(error))
        return _back(asked)

    def close(self, asked: Asked) -> Response:
        """Out of sight."""
        self._leads.close(_session(asked), _name(asked))
        return _back(asked)

    def act(self, asked: Asked) -> Response:
        """Acknowledge, assign, outcome."""
        kind = ActKind(asked.path["act"])
        value = "" if kind is ActKind.ACKNOWLEDGE else asked.one("value")
        try:
            self._leads.act(_session(asked), _name(asked), kind, value, self._clock.now())
        except UsageError as error:
            return self.lead(asked, _sentence(error))
        return _back(asked)

    def export(self, asked: Asked) -> Response:
        """A file to keep; its name tells the read, never the plate."""
        session, name = _session(asked), _name(asked)
        try:
            form = ExportForm(asked.one("form"))
            data = self._leads.taken_away(session, name, form, self._clock.now())
        except (UsageError, ValueError) as error:
            words = _sentence(error) if isinstance(error, UsageError) else "Choose a form."
            return self.lead(asked, words)
        saved = f'attachment; filename="lead-{name[1]}.{form.value}"'
        return Response(data, media_type=MEDIA_TYPES[form], headers={"Content-Disposition": saved})

    def fault(self, what: str, status: HTTPStatus, session: "Session | None") -> Response:
        """A page that says why nothing was done."""
        return self._page("fault.html", session, fault=what, status=status)

    def _page(
        self,
        template: str,
        session: "Session | None",
        *,
        status: HTTPStatus = HTTPStatus.OK,
        fault: str = "",
        **values: object,
    ) -> Response:
        shared: Mapping[str, object] = {
            "layout": "base.html",
            "session": session,
            "recipient": self._recipient if session else "",
            "fault": fault,
        }
        text = self._templates.get_template(template).render({**shared, **values})
        return HTMLResponse(text, status)


def _session(asked: Asked) -> "Session":
    assert asked.session is not None  # noqa: S101  # the routes that call this need one
    return asked.session


def _name(asked: Asked) -> Name:
    """Raises TurnedAwayError: what stands in the path is checked before it is looked for."""
    device, read_id = asked.path.get("device", ""), asked.path.get("read_id", "")
    if not (IDENTIFIER.fullmatch(device) and READ_ID.fullmatch(read_id)):
        raise TurnedAwayError(HTTPStatus.NOT_FOUND, "There is no such lead.")
    return device, read_id


def _back(asked: Asked) -> Response:
    device, read_id = _name(asked)
    return RedirectResponse(f"/lead/{device}/{read_id}", HTTPStatus.SEE_OTHER)


def _sentence(error: UsageError) -> str:
    words = f"{error.what}{f': {error.fix}' if error.fix else ''}."
    return words[0].upper() + words[1:]
