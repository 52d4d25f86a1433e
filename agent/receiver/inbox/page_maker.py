"""Makes the inbox's pages from their templates. No page names a plate in its address or title, and
only those that speak to a passkey have a script: our own, from our own address.
"""

from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from agent.receiver.inbox.page_request import WITH_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.receiver.inbox.people.sign_in import Session

_INBOX = "agent.receiver.inbox"
PACKAGES = (_INBOX, f"{_INBOX}.passkeys", f"{_INBOX}.oidc")
"""Each page lies beside the module that names it: so packages take both or neither."""


class PageMaker:
    """`recipient`: whose inbox it is; told to who is signed in."""

    def __init__(self, recipient: str) -> None:
        self._recipient = recipient
        # A page lies in its package, whatever the working folder is.
        self._templates = Environment(
            loader=ChoiceLoader([PackageLoader(package, ".") for package in PACKAGES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
        )

    def page(
        self,
        template: str,
        session: "Session | None",
        *,
        status: HTTPStatus = HTTPStatus.OK,
        fault: str = "",
        script: bool = False,
        **values: object,
    ) -> Response:
        """`script`: it speaks to a passkey."""
        shared: Mapping[str, object] = {
            "layout": "base.html",
            "session": session,
            "recipient": self._recipient if session else "",
            "fault": fault,
        }
        text = self._templates.get_template(template).render({**shared, **values})
        response = HTMLResponse(text, status)
        if script:
            response.headers["Content-Security-Policy"] = WITH_SCRIPT
        return response

    def css(self) -> Response:
        """The looks of all pages."""
        return file_of(_INBOX, "inbox.css", "text/css")


def file_of(package: str, name: str, media_type: str) -> Response:
    """What lies in a package, as an answer."""
    return Response(
        files(package).joinpath(name).read_text(encoding="utf-8"), media_type=media_type
    )
