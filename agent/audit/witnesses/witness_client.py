"""Asks one witness over HTTP for its cosignature: C2SP tlog-witness, add-checkpoint.

What it answers is believed only where its signature says so. It may be down, slow, hostile or
another maker's: each is an answer told in words, and never an error of the others'.
"""

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from agent.core.log.checkpoint import (
    MAX_NOTE_BYTES,
    MAX_SIZE_DIGITS,
    NoteSignature,
    parse_note,
    parse_signatures,
)
from agent.core.log.tlog_proof import ConsistencyProof, format_proof
from agent.core.log.witness_policy import Witness
from agent.storage.log_notes import cosignatures
from agent.values import dataclass

TIMEOUT_S = 20.0
CALL = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
_PORTS = {"https": http.client.HTTPS_PORT, "http": http.client.HTTP_PORT}


class Answer(StrEnum):
    """What a witness answered. Codes are stable: they stand in `--json`.

    `BEHIND`: it has cosigned another number of leaves, which is told; the proof must begin there.
    `AHEAD`: more than are here. `FORK`: what it cosigned is not the beginning of this log.
    """

    COSIGNED = "cosigned"
    UNKNOWN_LOG = "unknown-log"
    UNTRUSTED_KEY = "untrusted-key"
    BEHIND = "behind"
    AHEAD = "ahead"
    FORK = "fork"
    BAD_REQUEST = "bad-request"
    BAD_ANSWER = "bad-answer"
    UNREACHABLE = "unreachable"

    @property
    def contradicts(self) -> bool:
        """Does the witness say that it saw another history?"""
        return self in (Answer.AHEAD, Answer.FORK)


_NO: dict[int, tuple[Answer, str]] = {
    HTTPStatus.FORBIDDEN: (
        Answer.UNTRUSTED_KEY,
        "does not trust the log's key, or does not know the log: give it the log's vkey",
    ),
    HTTPStatus.NOT_FOUND: (
        Answer.UNKNOWN_LOG,
        "does not know the log, or its address is another: give it the log's vkey",
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        Answer.FORK,
        "says that the {old} leaves that it cosigned are not the beginning of this log",
    ),
    HTTPStatus.BAD_REQUEST: (Answer.BAD_REQUEST, "says that it cannot read the request"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """`lines`: its good cosignatures, with `at_s`, the newest one's time. `seen`: how many leaves
    it says that it has cosigned.
    """

    answer: Answer
    told: str
    lines: tuple[NoteSignature, ...] = ()
    at_s: int = 0
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    content_type: str
    body: bytes


class WitnessClient:
    """`context`: whose certificates are believed; None: the system's authorities."""

    def __init__(self, context: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._context, self._timeout_s = context, timeout_s

    def ask(self, witness: Witness, proof: ConsistencyProof, size: int) -> Asked:
        """One request. `size`: how many leaves the proof's checkpoint signs. Raises nothing."""
        try:
            response = self._post(_address(witness.url), format_proof(proof))
        except (OSError, http.client.HTTPException) as error:  # some of them are ValueErrors, too
            return Asked(Answer.UNREACHABLE, f"no answer in {self._timeout_s:g} s: {_why(error)}")
        except ValueError as error:
            return Asked(Answer.UNREACHABLE, f"its address {witness.url!r} {error}")
        return _read(response, witness, proof, size)

    def _post(self, url: SplitResult, data: bytes) -> _Response:
        """Nothing is redirected. The time is for all of it: who drips is cut off."""
        host, port = url.hostname or "", url.port or _PORTS[url.scheme]
        connection = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        if url.scheme == "https":
            context = self._context or ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                host, port, timeout=self._timeout_s, context=context
            )
        connection.connect()
        # by hand: http.client gives the socket away with an answer that has no length
        late = threading.Event()
        watchdog = threading.Timer(self._timeout_s, _cut, [connection.sock, late])
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.request("POST", url.path.rstrip("/") + CALL, body=data)
            response = connection.getresponse()
            body = response.read(MAX_NOTE_BYTES + 1)
            kind = response.headers.get_content_type()
            if late.is_set():  # what was cut off reads as an answer that ended
                raise TimeoutError
            return _Response(response.status, kind, body)
        finally:
            watchdog.cancel()
            connection.close()


def _cut(connected: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _address(url: str) -> SplitResult:
    """Raises ValueError."""
    split = urlsplit(url)
    if split.scheme not in _PORTS or not split.hostname or split.query or split.fragment:
        msg = "is none: a submission prefix reads https://witness.example/prefix"
        raise ValueError(msg)
    if split.username is not None or not (url.isascii() and url.isprintable()):
        msg = "holds what an address of a witness does not"
        raise ValueError(msg)
    _ = split.port  # a ValueError of its own where it is no port
    return split


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__


def _read(response: _Response, witness: Witness, proof: ConsistencyProof, size: int) -> Asked:
    """As the specification has it, and as real witnesses do: 403 also for an unknown log, 422 for
    a fork.
    """
    if response.status == HTTPStatus.OK:
        return _cosigned(response.body, witness, proof)
    if response.status == HTTPStatus.CONFLICT:
        return _conflict(response, proof, size)
    answer, told = _NO.get(response.status, (Answer.BAD_ANSWER, f"answered {response.status}"))
    return Asked(answer, told.format(old=proof.old_size))


def _cosigned(body: bytes, witness: Witness, proof: ConsistencyProof) -> Asked:
    note = parse_note(proof.note)
    try:
        lines = parse_signatures(body)
    except ValueError as error:
        return Asked(Answer.BAD_ANSWER, f"answered 200, and {error}")
    found = cosignatures(lines, note, [witness.key])
    good = {one.line: one.at_s for one in found if one.at_s is not None}
    if not good:
        names = ", ".join(sorted({f"{one.name} (id {one.key_id.hex()})" for one in lines[:4]}))
        told = f"answered 200 with no good cosignature of {witness.key.name}, but as {names}"
        return Asked(Answer.BAD_ANSWER, told)
    return Asked(Answer.COSIGNED, "has cosigned", tuple(good), max(good.values()))


def _conflict(response: _Response, proof: ConsistencyProof, size: int) -> Asked:
    """Another size than ours, which the body tells; or of the same size another root."""
    text = response.body.decode("latin-1").removesuffix("\n")
    is_size = text.isascii() and text.isdigit() and len(text) <= MAX_SIZE_DIGITS
    if response.content_type != SIZE_TYPE or not is_size or int(text) == proof.old_size:
        if proof.old_size == size:
            told = f"says that it cosigned another tree of {size} leaves"
            return Asked(Answer.FORK, told, seen=size)
        return Asked(Answer.BAD_ANSWER, "answered 409 without the size that it has seen")
    seen = int(text)
    if seen > size:
        told = f"says that it cosigned {seen} leaves, and {size} are here: an older copy"
        return Asked(Answer.AHEAD, told, seen=seen)
    return Asked(Answer.BEHIND, f"has cosigned {seen} leaves", seen=seen)
