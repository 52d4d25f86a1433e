"""TLS to one broker: its host name is verified although its address is dialled, by the policy's CA
alone, and its key must be a pinned one.
"""

import hashlib
import socket
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.policy.policy import Broker
from agent.core.reasons import Reason
from agent.errors import ConfigError, DestinationRefusedError, StorageError

MAX_CONNECTION_BYTES = 8 << 20
"""A connection that has brought this much is worn out and is replaced: no broker can make paho's
memory grow further.
"""


class PinnedContext(ssl.SSLContext):
    """A client context for exactly one broker. `max_packet_bytes`: the longest MQTT packet that a
    broker may send us.
    """

    host: str
    pins: frozenset[bytes]
    where: str
    max_packet_bytes: int

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """Whatever name the caller dialled, SNI and the certificate check use the policy's host
        name.
        """
        options["server_hostname"] = self.host
        return super().wrap_socket(sock, *arguments, **options)


class PinnedSocket(ssl.SSLSocket):
    """Ends the handshake in an error unless the server's key is pinned: nothing of MQTT has been
    sent by then.

    Limit: the pins are compared with the server's own certificate, not with its issuers'.
    """

    _received = 0

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is ssl's
        """Handshake, then compare the SHA-256 of the SubjectPublicKeyInfo (RFC 7469). Raises
        DestinationRefusedError(spki-pin-mismatch).
        """
        try:
            super().do_handshake(block)
            self._check_pin()
        except BaseException:
            self.close()
            raise

    def _check_pin(self) -> None:
        context = self.context
        pinned = (
            isinstance(context, PinnedContext)
            and spki_pin(self.getpeercert(binary_form=True) or b"") in context.pins
        )
        if not pinned:
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
        if buflen > limit or self._received > MAX_CONNECTION_BYTES:
            raise OSError(
                f"the broker sends a packet of {buflen} bytes"
                if buflen > limit
                else "the connection is worn out"
            )
        data = super().recv(buflen, flags)
        self._received += len(data)
        return data


def context_for(
    broker: Broker,
    ca_pem: bytes,
    where: str,
    max_packet_bytes: int,
    client: tuple[Path, Path] | None = None,
) -> PinnedContext:
    """A context that trusts `ca_pem` only (no system store). `client`: certificate and key files of
    this device.

    Raises ConfigError for an unusable CA, StorageError for an unusable client certificate.
    """
    # verifies chain and host name; loads no CA by itself
    context = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.sslsocket_class = PinnedSocket
    context.host, context.pins, context.where, context.max_packet_bytes = (
        broker.host,
        broker.spki_pins,
        where,
        max_packet_bytes,
    )
    try:
        context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"broker {broker.id!r}: not a CA certificate in PEM ({type(error).__name__})",
            where=broker.ca,
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
    """SHA-256 of a certificate's SubjectPublicKeyInfo, 32 bytes; empty (equal to no pin) for what
    is no certificate.
    """
    try:
        key = x509.load_der_x509_certificate(der).public_key()
        return hashlib.sha256(
            key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).digest()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return b""


def explain(error: ssl.SSLCertVerificationError, where: str) -> DestinationRefusedError:
    """OpenSSL's verdict on a certificate as ours: certificate-invalid."""
    return DestinationRefusedError(
        Reason.CERTIFICATE_INVALID,
        f"the broker's certificate is not acceptable: {error.verify_message}",
        where=where,
        fix="the policy's ca and host must fit the broker",
    )
