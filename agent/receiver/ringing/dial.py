"""TLS to one ringer's address, and one HTTPS request over it; everything has an end.

Mitigates against: a name that somebody else's DNS answers, a server in another's place, and one
that sends a byte now and then.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Timer
from urllib.parse import urlsplit

from agent.errors import ConfigError, NetworkError
from agent.values import dataclass

RING_S = 15.0
"""All of one ring, from dialling to the answer."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`host`: verified in the certificate, never looked up. `address`: what is dialled."""

    host: str
    address: str
    port: int
    tls: ssl.SSLContext

    def connect(self, secured: Callable[[ssl.SSLSocket], None]) -> None:
        """`secured` gets the socket before the handshake, so that whoever cuts it knows it.

        Raises OSError.
        """
        raw = socket.create_connection((self.address, self.port), RING_S)
        try:
            wrapped = self.tls.wrap_socket(
                raw, server_hostname=self.host, do_handshake_on_connect=False
            )
        except BaseException:
            raw.close()
            raise
        secured(wrapped)
        wrapped.do_handshake()


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later, with the host's name verified. `ca`: the only authority, else the system's.

    Raises ConfigError.
    """
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            "is no certificate in PEM, or is not there",
            where=str(ca),
            fix="put the authority's certificate there",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def time_limit(current: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Inside, the connection that `current` tells is cut after RING_S, and each later one too."""
    ended = Event()

    def cut() -> None:
        while not ended.wait(0.1):
            connection = current()
            if connection is not None:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = Timer(RING_S, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        ended.set()
        timer.cancel()


@contextmanager
def faults_in_words() -> Iterator[None]:
    """Whatever a socket raises as one NetworkError of ours; never what the other side wrote."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise NetworkError(f"its certificate is not believed: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise NetworkError(f"TLS failed: {error.reason or 'the connection ended'}") from None
    except TimeoutError:
        raise NetworkError("does not answer in time") from None
    except OSError as error:
        raise NetworkError(f"does not answer: {error.strerror or type(error).__name__}") from None
    except http.client.HTTPException as error:
        raise NetworkError(f"gives no sound answer ({type(error).__name__})") from None


class _Dialled(http.client.HTTPSConnection):
    """As http.client's, dialled at the endpoint's address: no name is looked up, no proxy asked."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.host, endpoint.port, timeout=RING_S, context=endpoint.tls)
        self._endpoint = endpoint
        # http.client forgets `sock` when the answer begins, where the server says "close"
        self.dialled: ssl.SSLSocket | None = None

    def connect(self) -> None:
        def secured(wrapped: ssl.SSLSocket) -> None:
            self.sock = self.dialled = wrapped

        self._endpoint.connect(secured)


def post(endpoint: Endpoint, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """One POST; no redirect is followed. Raises NetworkError unless it is answered with 2xx."""
    status, _ = answer(endpoint, "POST", url, body, headers, max_bytes=0)
    if not 200 <= status <= 299:
        raise NetworkError(f"answered {status}")


def answer(
    endpoint: Endpoint,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    max_bytes: int,
) -> tuple[int, bytes]:
    """Status and at most `max_bytes` of what one request is answered with; no redirect is followed.

    Raises NetworkError where nothing sound is answered.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Dialled(endpoint)
    try:
        with faults_in_words(), time_limit(lambda: connection.dialled):
            connection.request(method, target, body, dict(headers))
            told = connection.getresponse()
            return told.status, told.read(max_bytes)
    finally:
        connection.close()


def endpoint_of(url: str, address: str, ca: Path | None) -> Endpoint:
    """Where a URL's requests go. Raises ConfigError."""
    parts = urlsplit(url)
    return Endpoint(parts.hostname or "", address, parts.port or 443, tls_context(ca))
