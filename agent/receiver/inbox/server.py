"""Serves the inbox: one socket, one thread that does all the work, nothing logged of any request.

Loopback, unless there is a certificate: a password and a plate never cross a network in the clear.
"""

import asyncio
import ipaddress
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from enum import Enum, auto
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
from agent.receiver.inbox.access_log import AccessLog, access_log
from agent.receiver.inbox.entrance import Entrance
from agent.receiver.inbox.inbox_settings import InboxSettings
from agent.receiver.inbox.lead_view import Desk
from agent.receiver.inbox.leads import Leads
from agent.receiver.inbox.oidc.oidc_pages import ANSWER, LOCAL, OidcPages
from agent.receiver.inbox.oidc.provider import Provider
from agent.receiver.inbox.page_maker import PageMaker
from agent.receiver.inbox.page_request import (
    HEADERS,
    Asked,
    Origin,
    TurnedAwayError,
    asked_of,
    require_token,
)
from agent.receiver.inbox.pages import Pages
from agent.receiver.inbox.passkeys.invitations import InvitationFolder
from agent.receiver.inbox.passkeys.passkey_check import PasskeyDesk, place_of
from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
from agent.receiver.inbox.passkeys.passkey_pages import PasskeyPages
from agent.receiver.inbox.people.accounts import AccountFolder
from agent.receiver.inbox.people.door import Door
from agent.receiver.inbox.people.sign_in import Session, SignIn
from agent.receiver.store.acts.lead_acts import ActKind
from agent.receiver.workplace import Workplace
from agent.values import replace

if TYPE_CHECKING:
    from agent.ports import Clock

MOST_CONNECTIONS = 32
MOST_CALLS = 4  # to a provider at once
MOST_WAITING = 12  # for a provider; the other connections stay for who needs none
MAX_HEAD_BYTES = 16_384
Answer = Callable[[Asked], Response]
Worker = ThreadPoolExecutor


class Who(Enum):
    """Whom a page is answered."""

    ANYBODY = auto()
    SIGNED_IN = auto()
    ANALYST = auto()


class Inbox:
    """The pages as an ASGI application. `desk`: of leads; `ways_in`: of signing in and passkeys.
    `workers`: the one thread in which everything is done, and those that wait for a provider.
    """

    def __init__(
        self,
        desk: Pages,
        ways_in: PasskeyPages,
        provider: OidcPages | None,
        origin: Origin,
        workers: tuple[Worker, Worker],
    ) -> None:
        self._pages, self._ways_in, self._provider = desk, ways_in, provider
        self._origin, (self._worker, self._callers) = origin, workers
        self._waiting = 0
        self.app = Starlette(
            routes=[*self._entrance(), *self._by_provider(), *self._passkeys(), *self._leads()],
            exception_handlers={HTTPException: self._nothing_here},
        )
        self.app.router.redirect_slashes = False

    def _entrance(self) -> Iterator[Route]:
        pages, entrance = self._pages, self._ways_in.entrance
        yield self._route("/inbox.css", pages.css, "GET", who=Who.ANYBODY)
        yield self._route("/passkey.js", self._ways_in.script, "GET", who=Who.ANYBODY)
        yield self._route("/sign-in", entrance.ask_who, "GET", who=Who.ANYBODY)
        yield self._route("/sign-in", entrance.by_password, "POST", who=Who.ANYBODY)
        yield self._route("/sign-in/passkey", entrance.by_passkey, "POST", who=Who.ANYBODY)
        yield self._route("/sign-out", entrance.sign_out, "POST")

    def _by_provider(self) -> Iterator[Route]:
        pages = self._provider
        if pages is not None:
            anybody = Who.ANYBODY
            yield self._route("/sign-in/provider", pages.begin, "GET", who=anybody, first=pages.ask)
            yield self._route(ANSWER, pages.finish, "GET", who=anybody, first=pages.hear)

    def _passkeys(self) -> Iterator[Route]:
        pages = self._ways_in
        yield self._route("/passkeys", pages.shown, "GET")
        yield self._route("/passkeys/add", pages.add, "POST")
        yield self._route("/passkeys/remove", pages.remove, "POST")
        yield self._route("/invitation", pages.ask_code, "GET", who=Who.ANYBODY)
        yield self._route("/invitation", pages.invited, "POST", who=Who.ANYBODY)
        yield self._route("/invitation/passkey", pages.accept, "POST", who=Who.ANYBODY)

    def _leads(self) -> Iterator[Route]:
        pages, one = self._pages, "/lead/{device}/{read_id}"
        yield self._route("/", pages.listed, "GET")
        yield self._route(one, pages.lead, "GET")
        yield self._route(f"{one}/open", pages.open, "POST")
        yield self._route(f"{one}/close", pages.close, "POST")
        yield self._route(f"{one}/export", pages.export, "POST", who=Who.ANALYST)
        for act in ActKind:
            who = Who.SIGNED_IN if act is ActKind.ACKNOWLEDGE else Who.ANALYST
            yield self._route(f"{one}/{act}", pages.act, "POST", who=who, act=act)

    def _route(
        self,
        path: str,
        answer: Answer,
        method: str,
        *,
        who: Who = Who.SIGNED_IN,
        act: str = "",
        first: Callable[[Asked], Asked] | None = None,
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                self._origin.require_ours(request)
                asked = await asked_of(request)
                if first is not None:
                    asked = await self._with_provider(first, asked)
            except TurnedAwayError as turned:
                return _dressed(Response(turned.what, turned.status, media_type="text/plain"))
            if act:
                asked = replace(asked, path={**asked.path, "act": act})
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._worker, self._answered, answer, asked, who)
            return _dressed(await work)

        return Route(path, endpoint, methods=[method])

    async def _with_provider(self, first: Callable[[Asked], Asked], asked: Asked) -> Asked:
        """In a thread that may wait. Raises TurnedAwayError, also for whatever goes wrong there."""
        if self._waiting >= MOST_WAITING:
            raise TurnedAwayError(HTTPStatus.SERVICE_UNAVAILABLE, f"The provider is slow. {LOCAL}")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._callers, first, asked)
        except Exception as error:  # noqa: BLE001  # as in _answered
            what = f"The provider could not be asked ({type(error).__name__}). {LOCAL}"
            raise TurnedAwayError(HTTPStatus.BAD_GATEWAY, what) from None
        finally:
            self._waiting -= 1

    def _answered(self, answer: Answer, asked: Asked, who: Who) -> Response:
        """In the worker. One odd request ends with itself, and says no more than its kind."""
        session = None
        try:
            session = self._session_of(asked.token)
            if who is not Who.ANYBODY:
                if session is None:
                    return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
                asked = replace(asked, session=session)
                require_token(asked, session)
                require_role(session, who)
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

    def _session_of(self, token: str) -> Session | None:
        entrance = self._ways_in.entrance
        return entrance.sign_in.session(token, entrance.clock.monotonic_s()) if token else None

    async def _nothing_here(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        return _dressed(Response("There is nothing here.", status, media_type="text/plain"))


def require_role(session: Session, who: Who) -> None:
    """Raises TurnedAwayError."""
    if who is Who.ANALYST and not session.may_all:
        raise TurnedAwayError(HTTPStatus.FORBIDDEN, "Your account may only look.")


def _dressed(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
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


def passkey_pages(
    place: Workplace, origin: Origin, log: AccessLog, clock: "Clock", maker: PageMaker
) -> PasskeyPages:
    """All by which somebody comes in."""
    settings, folder = place.settings.inbox, place.folder
    accounts, passkeys = AccountFolder(folder), PasskeyFolder(folder)
    bound = place_of(origin, settings.host)
    provider = settings.oidc.name if settings.oidc else ""
    entrance = Entrance(
        SignIn(accounts, settings.idle_minutes * 60.0, passkeys),
        log,
        clock,
        maker,
        Door(),
        PasskeyDesk(bound, accounts, passkeys) if bound else None,
        secure=origin.scheme == "https",
        provider=provider,
    )
    return PasskeyPages(entrance, accounts, passkeys, InvitationFolder(folder))


def oidc_pages(place: Workplace, ways_in: PasskeyPages) -> OidcPages | None:
    """Raises ConfigError, StorageError: what the settings name must be there. The provider itself
    is asked when somebody comes.
    """
    settings, entrance = place.settings.inbox.oidc, ways_in.entrance
    if settings is None:
        return None
    provider = Provider(settings, place.folder, entrance.clock.monotonic_s)
    return OidcPages(entrance, ways_in.accounts, provider)


def serve(
    place: Workplace, clock: "Clock", made: socket.socket, tell: Callable[[str], None]
) -> None:
    """Until SIGTERM or SIGINT. Says READY with the address. Raises PlatewardenError."""
    settings, origin = place.settings.inbox, origin_of(made, place.settings.inbox)
    config = _config(settings, place.folder)
    with ExitStack() as ends:
        worker = ends.enter_context(ThreadPoolExecutor(1, "inbox"))
        callers = ends.enter_context(ThreadPoolExecutor(MOST_CALLS, "inbox-provider"))
        opened = ExitStack()
        # SQLite's connection belongs to that thread, also when the start fails
        ends.callback(lambda: worker.submit(opened.close).result())

        def built() -> Inbox:
            log = opened.enter_context(access_log(place.folder, place.settings.client_name, clock))
            desk, maker = desk_of(place), PageMaker(place.recipient)
            idle_s = settings.idle_minutes * 60.0
            pages = Pages(Leads(place, log, desk), idle_s, clock, desk, maker)
            ways_in = passkey_pages(place, origin, log, clock, maker)
            provider = oidc_pages(place, ways_in)
            return Inbox(pages, ways_in, provider, origin, (worker, callers))

        inbox = worker.submit(built).result()
        config.app = inbox.app
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn stops by these, then raises them again: this lets us end in order
            signal.signal(number, lambda _number, _frame: None)
        address, port = made.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        tell(f"READY {place.recipient}: {origin.scheme}://{settings.host or shown}:{port}/")
        uvicorn.Server(config).run(sockets=[made])


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
