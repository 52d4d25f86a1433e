"""Serves the page to one phone: six paths, everything bounded, nothing logged but that a request
failed (docs/design/aim.md says why http.server).
"""

import io
import json
import math
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from socketserver import BaseServer, ThreadingMixIn
from threading import BoundedSemaphore
from typing import Any

from agent.aim.desk import Desk
from agent.core.camera.aim_figures import smear
from agent.core.camera.aim_gate import Ending, Entry
from agent.core.camera.view import MAX_BYTES, format_view, parse_view
from agent.core.text.strict_json import Fields, parse_object
from agent.errors import PlatewardenError, RefusedError

COOKIE = "aim"
TIMEOUT_S = 15.0
REQUEST_S = 10.0
LOOK_WAIT_S = 4.0
WRONG_PIN_WAIT_S = 1.0
MOST_CONNECTIONS = 12
NONCE_MARK = "{{NONCE}}"
_TOKEN = re.compile(rf"(?:^|; ?){COOKIE}=([A-Za-z0-9_-]{{43}})(?:;|$)")
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_NOTHING_ELSE = "default-src 'none'; frame-ancestors 'none'"
_ENTRY_STATUS = {
    Entry.WRONG: HTTPStatus.FORBIDDEN,
    Entry.BUSY: HTTPStatus.CONFLICT,
    Entry.OVER: HTTPStatus.GONE,
}


class PageServer(ThreadingMixIn, HTTPServer):
    """Over a socket that listens already.

    A connection beyond MOST_CONNECTIONS is closed unread; a fault in one request ends that request.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket, desk: Desk) -> None:
        address, port = listening.getsockname()[:2]
        # Not HTTPServer's own: that makes a socket first, which the unit forbids
        # (RestrictAddressFamilies=AF_UNIX).
        BaseServer.__init__(self, (address, port), Handler)
        self.socket = listening
        self.desk = desk
        self.hosts = {f"{name}:{port}" for name in (address, "localhost")}
        if port == 80:
            self.hosts.add(address)
        self._room = BoundedSemaphore(MOST_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """No traceback, no address: the kind of fault is enough.

        A phone that walked away is none.
        """
        kind = sys.exc_info()[0]
        if kind is not None and not issubclass(kind, ConnectionError | TimeoutError):
            # Printed, because the journal must show it.
            print(f"platewarden: aim: a request failed: {kind.__name__}", file=sys.stderr)  # noqa: T201


class PatientReader(io.RawIOBase):
    """What one phone sends: TIMEOUT_S until a request begins, then REQUEST_S for all of it.

    Mitigates against: twelve phones that send a byte now and then, and keep all others out.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until_s: float | None = None

    def next_request(self) -> None:
        """The time begins anew with the next byte."""
        self._until_s = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError."""
        left_s = TIMEOUT_S if self._until_s is None else self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(TIMEOUT_S)  # an answer has its own time
            if self._until_s is None:
                self._until_s = time.monotonic() + REQUEST_S


def _nothing_here() -> None:
    raise Refusal(HTTPStatus.NOT_FOUND, "there is nothing here")


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """A request that is answered with a status and one sentence."""

    def __init__(self, status: HTTPStatus, what: str) -> None:
        super().__init__(what)
        self.status, self.what = status, what


class Handler(BaseHTTPRequestHandler):
    """One connection.

    Every answer carries a policy that lets the browser load nothing from anywhere else.
    """

    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S

    def setup(self) -> None:
        """As http.server's, with a reader that has an end."""
        super().setup()
        self.rfile.close()
        self._reader = PatientReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """As http.server's; each request has its own time."""
        self._reader.next_request()
        super().handle_one_request()

    def do_GET(self) -> None:
        """The page, and the newest look."""
        path, _, query = self.path.partition("?")
        self._answer({"/": self._page, "/look": lambda: self._look(query)}.get(path))

    def do_POST(self) -> None:
        """What the phone asks for.

        The body is read first, so that the connection stays usable after a refusal.
        """
        routes: dict[str, Callable[[bytes], None]] = {
            "/enter": self._enter,
            "/view": self._view,
            "/shutter": self._shutter,
            "/end": self._end,
        }
        route = routes.get(self.path)
        self._answer((lambda: route(self._body())) if route else None)

    def _answer(self, route: Callable[[], None] | None) -> None:
        try:
            self._require_our_host()
            (route or _nothing_here)()
        except Refusal as refusal:
            self.close_connection = True  # its body may not have been read
            self._json({"error": refusal.what}, refusal.status)
        except RefusedError as error:
            self._json({"error": error.what}, HTTPStatus.BAD_REQUEST)
        except PlatewardenError as error:
            self._json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)
        except OSError:
            raise  # the phone has gone: there is nobody to answer
        except Exception as error:  # noqa: BLE001 - one odd request must not end the page
            self.close_connection = True
            what = f"this request could not be answered ({type(error).__name__})"
            self._json({"error": what}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _require_our_host(self) -> None:
        """Mitigates against: DNS rebinding, and pages of other sites that post here with the
        session's cookie.
        """
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host not in self.server.hosts or (origin is not None and origin != f"http://{host}"):
            raise Refusal(HTTPStatus.FORBIDDEN, "this page is served under its own address only")

    def _require_session(self) -> Desk:
        desk = self.server.desk
        if why := desk.ending():
            raise Refusal(HTTPStatus.GONE, why)
        found = _TOKEN.search(self.headers.get("Cookie", ""))
        if found is None or not desk.admits(found[1]):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "enter the PIN first")
        return desk

    def _body(self) -> bytes:
        """Bounded, and JSON by its own word: no form of another site can send that."""
        length = self.headers.get("Content-Length", "")
        if (
            self.headers.get("Content-Type", "") != "application/json"
            or "Transfer-Encoding" in self.headers
        ):
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BYTES} bytes")
        return self.rfile.read(int(length))

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        page = (
            files("agent.aim")
            .joinpath("page.html")
            .read_text(encoding="utf-8")
            .replace(NONCE_MARK, nonce)
        )
        self._send(page.encode(), "text/html; charset=utf-8", policy=policy)

    def _enter(self, untrusted_body: bytes) -> None:
        pin = Fields(parse_object(untrusted_body, "pin"), "pin", required=("pin",)).text(
            "pin", most=16
        )
        entry, token, left = self.server.desk.enter(pin)
        if entry is Entry.WELCOME:
            self._json(
                {"can_save": self.server.desk.can_save},
                cookie=f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict",
            )
            return
        if entry is Entry.WRONG:
            time.sleep(WRONG_PIN_WAIT_S)
        self._json({"error": entry, "left": left}, _ENTRY_STATUS[entry])

    def _look(self, query: str) -> None:
        desk = self._require_session()
        number = query.removeprefix("after=")
        after = int(number) if number.isascii() and number.isdigit() and len(number) <= 10 else 0
        told = desk.look_after(after, LOOK_WAIT_S)
        if why := desk.ending():
            raise Refusal(HTTPStatus.GONE, why)
        self._send(told, "application/json") if told else self._send(
            b"", "application/json", HTTPStatus.NO_CONTENT
        )

    def _view(self, untrusted_body: bytes) -> None:
        """Shapes to save; `{}` asks for those in force."""
        desk = self._require_session()
        if untrusted_body.strip() != b"{}":
            if not desk.can_save:
                raise Refusal(
                    HTTPStatus.CONFLICT,
                    "there is no settings file, so there is nowhere to save them",
                )
            desk.save(parse_view(untrusted_body, "view"))
        self._send(format_view(desk.view), "application/json")

    def _shutter(self, untrusted_body: bytes) -> None:
        self._require_session()
        names = ("speed_km_h", "shutter", "angle_deg", "plate_px", "plate_mm")
        fields = Fields(parse_object(untrusted_body, "shutter"), "shutter", required=names)
        speed, parts, angle, px, mm = (
            fields.whole(name, 1, most)
            for name, most in zip(names, (400, 100_000, 90, 5000, 1000), strict=True)
        )
        result = smear(speed, 1 / parts, angle, px, mm)
        self._json(
            {
                "mm": round(result.mm, 1),
                "px": round(result.px, 1),
                "longest": math.ceil(1 / result.longest_s),
                "verdict": result.verdict,
            }
        )

    def _end(self, _untrusted_body: bytes) -> None:
        self._require_session().end(Ending.PHONE)
        self._json({})

    def _json(self, value: object, status: HTTPStatus = HTTPStatus.OK, cookie: str = "") -> None:
        self._send(json.dumps(value).encode(), "application/json", status, cookie=cookie)

    def _send(
        self,
        data: bytes,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        *,
        policy: str = _NOTHING_ELSE,
        cookie: str = "",
    ) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Content-Security-Policy": policy,
            **_HEADERS,
        }
        for name, value in {
            **headers,
            **({"Set-Cookie": cookie} if cookie else {}),
            **({"Connection": "close"} if self.close_connection else {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def version_string(self) -> str:
        """Which Python, and which version, is nobody's business."""
        return "platewarden"

    # The name that http.server gives it.
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: whose phone asked for what is not kept."""
