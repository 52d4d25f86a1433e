"""Serves the inbox: one socket, one thread that does all the work, nothing logged of any request.

Loopback, unless there is a certificate: a password and a plate never cross a network in the clear.
"""

import asyncio
import ipaddress
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from agent.core.policy.camera_roster import MAX_BYTES, parse_roster
from agent.disk.input_file import read_input
from agent.errors import ConfigError, NetworkError, PlatewardenError, RefusedError, UsageError
from agent.receiver.inbox.access_log import access_log
from agent.receiver.inbox.accounts import AccountFolder
from agent.receiver.inbox.inbox_settings import InboxSettings
from agent.receiver.inbox.lead_view import Desk
from agent.receiver.inbox.leads import Leads
from agent.receiver.inbox.page_request import (
    HEADERS,
    Asked,
    Origin,
    TurnedAwayError,
    asked_of,
    require_token,
)
from agent.receiver.inbox.pages import Pages
from agent.receiver.inbox.sign_in import SignIn
from agent.receiver.store.acts.lead_acts import ActKind
from agent.receiver.workplace import Workplace
from agent.values import replace

if TYPE_CHECKING:
    from agent.ports import Clock

MOST_CONNECTIONS = 32
MAX_HEAD_BYTES = 16_384
Answer = Callable[[Asked], Response]


class Inbox:
    """The pages as an ASGI application. `worker`: the one thread in which everything is done."""

    def __init__(self, pages: Pages, origin: Origin, worker: ThreadPoolExecutor) -> None:
        self._pages, self._origin, self._worker = pages, origin, worker
        one = "/lead/{device}/{read_id}"
        self.app = Starlette(
            routes=[
                self._route("/inbox.css", pages.css, "GET", signed_in=False),
                self._route("/sign-in", pages.ask_who, "GET", signed_in=False),
                self._route("/sign-in", pages.sign_in, "POST", signed_in=False),
                self._route("/sign-out", pages.sign_out, "POST"),
                self._route("/", pages.listed, "GET"),
                self._route(one, pages.lead, "GET"),
                self._route(f"{one}/open", pages.open, "POST"),
                self._route(f"{one}/close", pages.close, "POST"),
                self._route(f"{one}/export", pages.export, "POST"),
                *(self._route(f"{one}/{act}", pages.act, "POST", act=act) for act in ActKind),
            ],
            exception_handlers={HTTPException: self._nothing_here},
        )
        self.app.router.redirect_slashes = False

    def _route(
        self, path: str, answer: Answer, method: str, *, signed_in: bool = True, act: str = ""
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                self._origin.require_ours(request)
                asked = await asked_of(request)
            except TurnedAwayError as turned:
                return _dressed(Response(turned.what, turned.status, media_type="text/plain"))
            if act:
                asked = replace(asked, path={**asked.path, "act": act})
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._worker, self._answered, answer, asked, signed_in)
            return _dressed(await work)

        return Route(path, endpoint, methods=[method])

    def _answered(self, answer: Answer, asked: Asked, signed_in: bool) -> Response:  # noqa: FBT001
        """In the worker. One odd request ends with itself, and says no more than its kind."""
        session = None
        try:
            session = self._pages.session_of(asked.token)
            if signed_in:
                if session is None:
                    return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
                asked = replace(asked, session=session)
                require_token(asked, session)
            return answer(asked)
        except TurnedAwayError as turned:
            return self._pages.fault(turned.what, turned.status, session)
        except RefusedError as error:
            return self._pages.fault(f"{error.what}.", HTTPStatus.GONE, session)
        except PlatewardenError as error:
            return self._pages.fault(f"{error.what}.", HTTPStatus.INTERNAL_SERVER_ERROR, session)
        except Exception as error:  # noqa: BLE001  # a traceback could hold a plate
            what = f"This could not be done ({type(error).__name__})."
            return self._pages.fault(what, HTTPStatus.INTERNAL_SERVER_ERROR, session)

    async def _nothing_here(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        return _dressed(Response("There is nothing here.", status, media_type="text/plain"))


def _dressed(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response


def desk_of(place: Workplace) -> Desk:
    """Raises ConfigError: a roster of places that is named must be there."""
    settings = place.settings.inbox
    places: dict[str, str] = {}
    if settings.places is not None:
        path = place.folder / settings.places
        text = read_input(path, MAX_BYTES, missing="copy the city's roster.toml there")
        places = {one.id: one.stands for one in parse_roster(text, str(path)).cameras.values()}
    positions = {one.camera: (one.latitude, one.longitude) for one in settings.position}
    return Desk(ZoneInfo(settings.time_zone), places, positions)


def listening(address: str, port: int, settings: InboxSettings) -> socket.socket:
    """Raises UsageError for an address that others reach, where there is no certificate."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(
            f"{address[:40]!a} is no IP address", where="--listen", fix="give 127.0.0.1:8490"
        ) from None
    if not parsed.is_loopback and settings.certificate is None:
        raise UsageError(
            f"{address}: without TLS the inbox is served to this machine only",
            where="--listen",
            fix="name certificate, key and host under [inbox] in receiver.toml",
        )
    family = socket.AF_INET6 if parsed.version == 6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(16)
    except OSError as error:
        made.close()
        raise NetworkError(
            f"cannot listen: {error.strerror}",
            where=f"{address}:{port}",
            fix="stop whatever listens there, or give another port",
        ) from None
    return made


def origin_of(made: socket.socket, settings: InboxSettings) -> Origin:
    """Under which names pages are answered."""
    address, port = made.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    names = [shown, *(["localhost"] if ipaddress.ip_address(address).is_loopback else [])]
    names += [settings.host] if settings.host else []
    scheme = "https" if settings.certificate else "http"
    plain = {"http": 80, "https": 443}[scheme]
    hosts = {f"{name}:{port}" for name in names} | (set(names) if port == plain else set())
    return Origin(scheme, frozenset(hosts))


def serve(
    place: Workplace, clock: "Clock", made: socket.socket, tell: Callable[[str], None]
) -> None:
    """Until SIGTERM or SIGINT. Says READY with the address. Raises PlatewardenError."""
    settings, origin = place.settings.inbox, origin_of(made, place.settings.inbox)
    config = _config(settings, place.folder)
    with ExitStack() as ends:
        worker = ends.enter_context(ThreadPoolExecutor(1, "inbox"))
        opened = ends.enter_context(ExitStack())

        def built() -> Inbox:
            log = opened.enter_context(access_log(place.folder, place.settings.client_name, clock))
            desk = desk_of(place)
            sign_in = SignIn(AccountFolder(place.folder), settings.idle_minutes * 60.0)
            pages = Pages(
                *(Leads(place, log, desk), sign_in, log, clock, desk, place.recipient),
                secure=origin.scheme == "https",
            )
            return Inbox(pages, origin, worker)

        inbox = worker.submit(built).result()
        config.app = inbox.app
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn stops by these, then raises them again: this lets us end in order
            signal.signal(number, lambda _number, _frame: None)
        address, port = made.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        tell(f"READY {place.recipient}: {origin.scheme}://{settings.host or shown}:{port}/")
        uvicorn.Server(config).run(sockets=[made])
        worker.submit(opened.close).result()  # SQLite's connection belongs to that thread


def _config(settings: InboxSettings, folder: Path) -> uvicorn.Config:
    """Raises ConfigError where the certificate or its key is none."""
    config = uvicorn.Config(
        app=_nowhere,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    if settings.certificate is not None and settings.key is not None:
        certificate, key = folder / settings.certificate, folder / settings.key
        config.ssl_certfile, config.ssl_keyfile = str(certificate), str(key)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError):
            raise ConfigError(
                "is no certificate in PEM that fits its key, or is not there",
                where=str(certificate),
                fix="correct certificate and key under [inbox] in receiver.toml",
            ) from None
    return config


async def _nowhere(_scope: object, _receive: object, _send: Awaitable[None] | object) -> None:
    """Until the pages are built."""
