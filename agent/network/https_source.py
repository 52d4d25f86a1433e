"""Reads a repository of bundles from a web server: an address is dialled that the policy lists, its
name, CA and key are verified, nothing is redirected.

Implements bundles.fetcher.Source. For `update` alone, which believes nothing of what comes.

Metadata that has not changed is not sent again, and a file that broke off goes on where it ended.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.errors import BundleRefusedError, NetworkError
from agent.mqtt.pinned_tls import PinnedSocket, certificate_refused
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from agent.core.policy.policy import Broker
    from agent.mqtt.pinned_tls import PinnedContext
    from agent.network.egress import Egress
    from agent.network.entity_tags import EntityTags

PATH, METADATA = "/platewarden/", "metadata/"
TIMEOUT_S = 20.0
FILE_S, SLOWEST_BYTES_PER_S = 60.0, 1 << 15
"""How long one file may take: a minute, and what it needs at the slowest speed that is of use."""
CHUNK_BYTES = 1 << 16
_OK, _PARTIAL, _NOT_MODIFIED, _NOT_FOUND, _NO_SUCH_RANGE = 200, 206, 304, 404, 416
_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(?:\d{1,15}|\*)")


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

    `copy`: what is there already of a metadata file, or None; with `tags`, the server is asked only
    whether it is still the same.
    """

    source: Broker
    address: tuple[str, int]
    context: PinnedContext
    egress: Egress
    monotonic_s: Callable[[], float]
    give_up_s: float
    tags: EntityTags | None = None
    copy: Callable[[str], bytes | None] = lambda _name: None
    _connection: _Connection | None = field(default=None, init=False)
    _until_s: float = field(default=0.0, init=False)

    def chunks(self, name: str, max_bytes: int, begin: int = 0) -> Iterator[bytes]:
        """One file, from this byte on; a server that sends it whole has sent the rest for nothing.

        Raises FileNotFoundError (404), NetworkError, DestinationRefusedError,
        BundleRefusedError(too large).
        """
        done = False
        allowed_s = FILE_S + max_bytes / SLOWEST_BYTES_PER_S
        self._until_s = min(self.give_up_s, self.monotonic_s() + allowed_s)
        try:
            yield from self._rest(name, max_bytes, begin) if begin else self._body(name, max_bytes)
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

    def _rest(self, name: str, max_bytes: int, begin: int) -> Iterator[bytes]:
        response = self._ask(name, {"Range": f"bytes={begin}-"})
        if response.status == _NO_SUCH_RANGE:  # what is there is no beginning of it
            response.read()
            response = self._ask(name, {})
        skip = begin
        if response.status == _PARTIAL:
            told = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if told is None or int(told[1]) != begin:
                raise NetworkError(
                    "answered with another part than it was asked for",
                    where=self._where(name),
                    fix="it is tried again later",
                )
            skip = 0
        taken = begin - skip
        for chunk in self._content(response, name, max_bytes - taken, {_OK, _PARTIAL}):
            yield chunk[skip:]
            skip = max(0, skip - len(chunk))

    def _body(self, name: str, max_bytes: int) -> Iterator[bytes]:
        if self.tags is None or not name.startswith(METADATA):
            yield from self._content(self._ask(name, {}), name, max_bytes)
            return
        host = f"{self.address[0]}:{self.address[1]}"
        copy = self.copy(name)
        tag = self.tags.known(host, name, copy)
        response = self._ask(name, {"If-None-Match": tag} if tag is not None else {})
        if response.status == _NOT_MODIFIED and tag is not None and copy is not None:
            response.read()
            self.tags.keep(host, name, tag, hashlib.sha256(copy).hexdigest())
            yield copy
            return
        digest = hashlib.sha256()
        for chunk in self._content(response, name, max_bytes):
            digest.update(chunk)
            yield chunk
        self.tags.keep(host, name, response.headers.get("ETag"), digest.hexdigest())

    def _content(
        self,
        response: http.client.HTTPResponse,
        name: str,
        max_bytes: int,
        good: AbstractSet[int] = frozenset({_OK}),
    ) -> Iterator[bytes]:
        if response.status == _NOT_FOUND:
            raise FileNotFoundError(name)
        if response.status not in good:  # a redirect too: it would lead where no policy does
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
        if response.length:  # http.client takes a connection that broke off for the end
            raise NetworkError(
                "broke off", where=self._where(name), fix="it goes on from there at the next try"
            )

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _ask(self, name: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
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
        for key, value in headers.items():
            connection.putheader(key, value)
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
