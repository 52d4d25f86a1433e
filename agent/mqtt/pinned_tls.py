"""TLS to one peer: its host name is verified although its address is dialled, by one CA alone; its
key must be a pinned one, if pins are given; what it sends is bounded.

For cameras' brokers and web servers, and for a recipient's broker: one socket.
"""

import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryptography import x509

from agent.core.reasons import Reason
from agent.core.text import pem
from agent.errors import ConfigError, DestinationRefusedError, StorageError
from agent.values import dataclass

MAX_UNANSWERED_BYTES = 8 << 20
"""A connection that has brought this much in messages that nobody has acknowledged is worn out and
is ended: no broker can make paho's memory grow further.
"""
_QOS_BITS, _QOS_1 = 0b0110, 0b0010  # MQTT 5, 3.3.1
_PUBLISH = 3  # MQTT 5, 2.1.2: the packet's type is the high half of its first byte


@dataclass(frozen=True, slots=True)
class Peer:
    """Who must answer.

    `pins`: SHA-256 digests of keys, one of which it must have; None: the CA decides alone.

    `what`, `ca`: how errors name the peer and the CA's file. `advice`: the next step where its
    certificate does not fit.
    """

    host: str
    pins: frozenset[bytes] | None
    what: str
    ca: str | Path
    advice: str


class PinnedContext(ssl.SSLContext):
    """A client context for exactly one peer.

    `where`: the address in hand, for errors. `max_packet_bytes`: the longest MQTT packet that a
    broker may send us.
    """

    peer: Peer
    where: str
    max_packet_bytes: int

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """Whatever name the caller dialled, SNI and the certificate check use the peer's host name.

        Nothing waits for a full packet (TCP_NODELAY): a sealed read is two TLS records, and the
        second one would wait 40 ms for the delayed acknowledgement of the first.
        """
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        options["server_hostname"] = self.peer.host
        return super().wrap_socket(sock, *arguments, **options)


class PinnedSocket(ssl.SSLSocket):
    """Ends the handshake in an error unless the server's key is pinned: nothing of MQTT has been
    sent by then.

    Bounds what MQTT reads (`recv`). http.client reads by another way (`recv_into`), and has its
    reader's bounds: `patience` tells how many seconds the next read may take, or raises.

    Limit: the pins are compared with the server's own certificate, not with its issuers'.
    """

    inflow: "Inflow"
    holding = False  # are small packets to wait for each other?
    held: bytearray  # of them, what did not go out yet
    stuck = False  # did the socket not take all that was to go out?
    patience: Callable[[], float] | None = None
    trouble = ""  # why `recv` gave up: paho tells nobody

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is ssl's
        """Handshake, then compare the SHA-256 of the SubjectPublicKeyInfo (RFC 7469).

        Raises DestinationRefusedError(spki-pin-mismatch).
        """
        # here, because ssl makes its sockets without our __init__
        self.inflow, self.held = Inflow(), bytearray()
        try:
            super().do_handshake(block)
            self._check_pin()
        except BaseException:
            self.close()
            raise

    def _check_pin(self) -> None:
        context = self.context
        if isinstance(context, PinnedContext):
            pins = context.peer.pins
            if pins is None or spki_pin(self.getpeercert(binary_form=True) or b"") in pins:
                return
        raise DestinationRefusedError(
            Reason.SPKI_PIN_MISMATCH,
            "the broker's key is none of the policy's spki_pins",
            where=getattr(context, "where", ""),
            fix="another machine may be answering; do not add the pin unseen",
        )

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As ssl's, with a bound: paho asks for a packet's whole length at once, which a hostile
        broker sets to 256 MB.
        """
        limit = self.context.max_packet_bytes if isinstance(self.context, PinnedContext) else 0
        if buflen > limit:
            self._give_up(f"the broker sends a packet of {buflen} bytes")
        if self.inflow.unanswered_bytes > MAX_UNANSWERED_BYTES:
            self._give_up("the connection is worn out")
        data = super().recv(buflen, flags)
        self.inflow.feed(data, time.monotonic())
        if self.inflow.beyond_qos_1:
            self._give_up("the broker sends a message of QoS 2")
        return data

    def send(self, data: Any, flags: int = 0) -> int:
        """As ssl's. While `holding`, and behind bytes that are held, it keeps them, all of them.

        How much that can be is bounded by what MQTT lets be in flight.
        """
        if not self.holding and not self.held:
            return super().send(data, flags)
        self.held += data
        return len(data)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is sent inside goes out at its end, in as few TLS records as hold it.

        A broker does its work for a record at a time: Mosquitto, as a city's is set up, writes all
        that waits to its file after each. An end of the connection is for the next read to notice.
        """
        if self.holding:
            yield
            return
        self.holding = True
        try:
            yield
        finally:
            with suppress(OSError, ValueError):  # ValueError: closed inside
                self.let_go()

    def let_go(self) -> None:
        """Nothing is held back any more. Raises OSError."""
        self.holding = False
        self.send_held()

    def send_held(self) -> None:
        """As many of the held bytes as the socket takes now. Raises OSError."""
        try:
            while self.held:
                sent = super().send(self.held)
                del self.held[:sent]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            self.stuck = True  # whoever waits for the socket tries again
        else:
            self.stuck = False

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """As ssl's, asked before each read: a server that drips never lets one time out."""
        if self.patience is not None:
            self.settimeout(self.patience())
        return super().recv_into(buffer, nbytes, flags)

    def _give_up(self, why: str) -> None:
        self.trouble = why
        raise OSError(why)


class Inflow:
    """Follows MQTT's packets through the bytes that come.

    `began_s`: since when one is unfinished, or None; `packet_bytes`: the length of the last whole
    one.

    `unanswered_bytes`: of messages; whoever acknowledges one by hand takes it off, and the driver
    all that paho has acknowledged by itself.

    `beyond_qos_1`: has a message of QoS 2 begun? We subscribe at QoS 1, and paho would keep such
    ones until the broker releases them, which a hostile one never does.
    """

    def __init__(self) -> None:
        self.began_s: float | None = None
        self.packet_bytes = self.unanswered_bytes = 0
        self.beyond_qos_1 = False

    def feed(self, data: bytes, now_s: float) -> None:
        """Take in what came: a type byte, up to four bytes of length, then that many (MQTT 5,
        2.1).
        """
        while data:
            if self.began_s is None:
                self.began_s, self._header, self._left = now_s, bytearray(), -1
            if self._left < 0:
                self._header.append(data[0])
                data = data[1:]
                self.beyond_qos_1 |= (
                    self._header[0] >> 4 == _PUBLISH and self._header[0] & _QOS_BITS > _QOS_1
                )
                if len(self._header) == 1 or (self._header[-1] & 0x80 and len(self._header) < 5):
                    continue
                length = sum((b & 0x7F) << 7 * place for place, b in enumerate(self._header[1:]))
                self._left, self.packet_bytes = length, len(self._header) + length
                self._count(len(self._header))
            else:
                taken = min(self._left, len(data))
                self._left, data = self._left - taken, data[taken:]
                self._count(taken)
            if self._left == 0:
                self.began_s = None

    def _count(self, taken: int) -> None:
        if self._header[0] >> 4 == _PUBLISH:
            self.unanswered_bytes += taken


def context_for(
    peer: Peer, ca_pem: bytes, max_packet_bytes: int, client: tuple[Path, Path] | None = None
) -> PinnedContext:
    """A context that trusts `ca_pem` only (no system store).

    `client`: certificate and key files of our own.

    Raises ConfigError for an unusable CA, StorageError for an unusable client certificate.
    """
    # verifies chain and host name; loads no CA by itself
    context = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.sslsocket_class = PinnedSocket
    context.peer, context.where, context.max_packet_bytes = peer, peer.what, max_packet_bytes
    try:
        found = pem.plain(pem.certificates(ca_pem))
        context.load_verify_locations(cadata=found.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"{peer.what}: not a CA certificate in PEM ({type(error).__name__})",
            where=peer.ca,
            fix="put the broker's CA there",
        ) from None
    if client is not None:
        try:
            context.load_cert_chain(*client)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise StorageError(
                f"unusable TLS client certificate or key ({type(error).__name__})",
                where=client[0],
                fix=f"check it and {client[1].name}",
            ) from None
    return context


def spki_pin(der: bytes) -> bytes:
    """SHA-256 (32 bytes) of a certificate's SubjectPublicKeyInfo as it stands there; empty (equal
    to no pin) for what is no certificate.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        return hashlib.sha256(pem.key_info(certificate.tbs_certificate_bytes)).digest()
    except ValueError:
        return b""


def certificate_refused(
    error: ssl.SSLCertVerificationError, context: PinnedContext, where: str = ""
) -> DestinationRefusedError:
    """OpenSSL's verdict on a certificate as ours: certificate-invalid."""
    return DestinationRefusedError(
        Reason.CERTIFICATE_INVALID,
        f"the broker's certificate is not acceptable: {error.verify_message}",
        where=where or context.where,
        fix=context.peer.advice,
    )
