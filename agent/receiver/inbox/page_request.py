"""From a browser's request to one that may be answered: bounded, from our own page, with a session
and its token; and the headers that every answer carries.

Mitigates against: DNS rebinding and other sites' forms (host, origin, token), a cache or a frame
that keeps a lead (headers), a request without an end.
"""

import secrets
from collections.abc import Collection, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from agent.errors import UsageError
from agent.receiver.inbox.people.sign_in import Session
from agent.values import dataclass, field

_COOKIE = "inbox"
_DOOR = "inbox-door"
MAX_BODY_BYTES = 8_192
_FORM = "application/x-www-form-urlencoded"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # not "no-referrer": with it a browser says `Origin: null` of our own forms (Fetch standard)
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    "X-Robots-Tag": "noindex",
}
WITH_SCRIPT = f"{HEADERS['Content-Security-Policy']}; script-src 'self'"
"""The content policy of the few pages that speak to a passkey: our own script, and no other."""


class TurnedAwayError(Exception):
    """A request that is answered with a status and one sentence: no error of ours, nothing failed
    here.
    """

    def __init__(self, status: HTTPStatus, what: str) -> None:
        super().__init__(what)
        self.status, self.what = status, what


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that may be answered. `form`: of a POST. `path`: the parts of its path that vary.
    `token`: as the browser holds it; `session`: None on the pages that need none. `door`: the
    cookie of a signing-in that is under way. `host`: under which the page was asked for.
    `fetched`: what a provider was asked for it beforehand.
    """

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    token: str
    session: Session | None = None
    door: str = ""
    host: str = ""
    fetched: object = None

    def one(self, name: str) -> str:
        """A field of the form; empty where it is missing."""
        return self.form.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class Origin:
    """Under which names the inbox is served. `scheme`: http or https."""

    scheme: str
    hosts: Collection[str] = field(default_factory=frozenset)

    def require_ours(self, request: Request) -> None:
        """Raises TurnedAwayError."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        site = request.headers.get("sec-fetch-site", "same-origin")
        if host not in self.hosts or (origin is not None and origin != f"{self.scheme}://{host}"):
            raise TurnedAwayError(
                HTTPStatus.FORBIDDEN, "This inbox is served under its own address only."
            )
        if request.method == "POST" and site != "same-origin":
            raise TurnedAwayError(HTTPStatus.FORBIDDEN, "Forms come from the inbox's own pages.")


async def asked_of(request: Request) -> Asked:
    """Reads the request, bounded. Raises TurnedAwayError."""
    form: dict[str, str] = {}
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
            raise TurnedAwayError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send a form.")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise TurnedAwayError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too much.")
        try:
            form = dict(
                parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=16, errors="strict")
            )
        except ValueError:
            raise TurnedAwayError(HTTPStatus.BAD_REQUEST, "That is no form.") from None
    secure = request.url.scheme == "https"
    return Asked(
        request.method,
        {name: str(value) for name, value in request.path_params.items()},
        dict(request.query_params),
        form,
        request.cookies.get(_called(_COOKIE, secure=secure), ""),
        door=request.cookies.get(_called(_DOOR, secure=secure), ""),
        host=request.headers.get("host", ""),
    )


def session_in(asked: Asked) -> Session:
    """Of a page that only who is signed in is answered."""
    assert asked.session is not None  # noqa: S101  # the routes that call this need one
    return asked.session


def sentence(error: UsageError) -> str:
    """What was wrong with a form, for a page."""
    words = f"{error.what}{f': {error.fix}' if error.fix else ''}."
    return words[0].upper() + words[1:]


def require_token(asked: Asked, session: Session) -> None:
    """Of every POST by somebody who is signed in. Raises TurnedAwayError."""
    if asked.method == "POST" and not secrets.compare_digest(
        asked.one("csrf").encode(), session.csrf.encode()
    ):
        raise TurnedAwayError(HTTPStatus.FORBIDDEN, "This form is not from your session.")


def _called(cookie: str, *, secure: bool) -> str:
    """By TLS no other server of the domain can set it, and so sign a browser in as somebody else
    (RFC 6265bis, 4.1.3.2). Without TLS browsers take no such name.
    """
    return f"__Host-{cookie}" if secure else cookie


def set_session(response: Response, token: str, *, secure: bool) -> None:
    """A cookie of this browser window's life, for our own pages' requests alone."""
    name = _called(_COOKIE, secure=secure)
    response.set_cookie(name, token, httponly=True, samesite="strict", secure=secure, path="/")


def set_door(response: Response, cookie: str, *, secure: bool) -> None:
    """For a signing-in under way. Lax: a provider's answer comes from another site."""
    name = _called(_DOOR, secure=secure)
    response.set_cookie(name, cookie, httponly=True, samesite="lax", secure=secure, path="/")


def end_session(response: Response, *, secure: bool) -> None:
    """The cookie goes, and with it whatever the browser may have kept of this place."""
    name = _called(_COOKIE, secure=secure)
    response.delete_cookie(name, httponly=True, samesite="strict", secure=secure, path="/")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
