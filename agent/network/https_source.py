"""Reads a repository of bundles from a web server: an address is dialled that the policy lists, its
name, CA and key are verified, nothing is redirected.

Implements bundles.fetching.Source. For `update` alone, which believes nothing of what comes.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.errors import BundleRefusedError, NetworkError
from agent.mqtt.pinned_tls import PinnedSocket, certificate_refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.core.policy.policy import Broker
    from agent.mqtt.pinned_tls import PinnedContext
    from agent.network.egress import Egress

PATH = "/platewarden/"
TIMEOUT_S = 20.0
FILE_S, SLOWEST_BYTES_PER_S = 60.0, 1 << 15
"""How long one file may take: a minute, and what it needs at the slowest speed that is of use."""
CHUNK_BYTES = 1 << 16
_OK, _NOT_FOUND = 200, 404


class _Connection(http.client.HTTPSConnection):
    """`patience`: as PinnedSocket's, which it is handed on to."""

    patience: Callable[[], float] | None = None

    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, PinnedSocket):
            self.sock.patience = self.patience


@dataclass(slots=True)
class HttpsSource:
    """One address of one [[bundle_source]]. `monotonic_s`, `give_up_s`: a server that drips is left
    at that time, and at a file's own (FILE_S), in the middle of a header or a chunk too.
    """

    source: Broker
    address: tuple[str, int]
    context: PinnedContext
    egress: Egress
    monotonic_s: Callable[[], float]
    give_up_s: float
    _connection: _Connection | None = field(default=None, init=False)
    _until_s: float = field(default=0.0, init=False)

    def chunks(self, name: str, max_bytes: int) -> Iterator[bytes]:
        """One file. Raises FileNotFoundError (404), NetworkError, DestinationRefusedError,
        BundleRefusedError(too large).
        """
        done = False
        allowed_s = FILE_S + max_bytes / SLOWEST_BYTES_PER_S
        self._until_s = min(self.give_up_s, self.monotonic_s() + allowed_s)
        try:
            yield from self._body(name, max_bytes)
            done = True
        except ssl.SSLCertVerificationError as error:
            raise certificate_refused(error, self.context, self._where(name)) from None
        except FileNotFoundError:
            raise
        except TimeoutError:
            slow = self.monotonic_s() >= self._until_s
            raise NetworkError(
                "too slow" if slow else "cannot fetch: no answer in time",
                where=self._where(name),
                fix="it is tried again later",
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise NetworkError(
                f"cannot fetch: {type(error).__name__}",
                where=self._where(name),
                fix="is the address right, and the server up?",
            ) from None
        finally:
            if not done:  # what is left of an answer must not be taken for the next one
                self.close()

    def _body(self, name: str, max_bytes: int) -> Iterator[bytes]:
        response = self._ask(name)
        if response.status == _NOT_FOUND:
            raise FileNotFoundError(name)
        if response.status != _OK:  # a redirect too: it would lead where no policy does
            raise NetworkError(
                f"answered {response.status}",
                where=self._where(name),
                fix="the city's web server must serve the repository itself",
            )
        left = max_bytes
        while chunk := response.read(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise BundleRefusedError(
                    Reason.BUNDLE_TOO_LARGE,
                    f"more than {max_bytes} bytes",
                    where=self._where(name),
                    fix="the city must publish again",
                )
            yield chunk
            self._patience()

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _ask(self, name: str) -> http.client.HTTPResponse:
        address, port = self.address
        self.egress.permit(self.source.id, address, port)
        if self._connection is None:
            self._connection = _Connection(
                address, port, timeout=self._patience(), context=self.context
            )
            self._connection.patience = self._patience
        connection = self._connection
        connection.putrequest("GET", f"{PATH}{name}", skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self.source.host)
        connection.putheader("Accept-Encoding", "identity")
        connection.endheaders()
        return connection.getresponse()

    def _patience(self) -> float:
        """How many seconds the next read may take. Raises TimeoutError when the time is up."""
        left_s = self._until_s - self.monotonic_s()
        if left_s <= 0:
            raise TimeoutError
        return min(TIMEOUT_S, left_s)

    def _where(self, name: str) -> str:
        address, port = self.address
        return f"{self.source.host} ({address}:{port}) {name}"
