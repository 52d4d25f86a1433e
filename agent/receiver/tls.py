"""TLS to the recipient's broker: dials the configured address, verifies the configured host name
against the configured CA only.
"""

import socket
import ssl
from pathlib import Path

from agent.core.reasons import Reason
from agent.errors import ConfigError, DestinationRefusedError
from agent.receiver.receiver_settings import BrokerSettings


class BoundedSocket(ssl.SSLSocket):
    """paho asks for a packet's whole announced length at once, which a hostile broker sets to 256
    MB.
    """

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As ssl's, with a bound."""
        limit = self.context.max_packet_bytes if isinstance(self.context, NamedHostContext) else 0
        if buflen > limit:
            raise OSError(f"the broker sends a packet of {buflen} bytes")
        return super().recv(buflen, flags)


class NamedHostContext(ssl.SSLContext):
    """Verifies `verified_host`, whatever name the caller dialled: paho passes the address to
    both.
    """

    verified_host: str
    max_packet_bytes: int

    def wrap_socket(  # type: ignore[override]  # paho passes these two only; the others keep their defaults
        self,
        sock: socket.socket,
        *,
        server_hostname: str | bytes | None = None,
        do_handshake_on_connect: bool = True,
    ) -> ssl.SSLSocket:
        """As ssl.SSLContext, with our host name."""
        del server_hostname
        return super().wrap_socket(
            sock,
            server_hostname=self.verified_host,
            do_handshake_on_connect=do_handshake_on_connect,
        )


def context(folder: Path, broker: BrokerSettings, max_packet_bytes: int) -> NamedHostContext:
    """TLS 1.2 or newer, this CA and no other, host name checked. Raises ConfigError when a file is
    missing or unusable.
    """
    made = NamedHostContext(ssl.PROTOCOL_TLS_CLIENT)
    made.sslsocket_class = BoundedSocket
    made.verified_host, made.max_packet_bytes = broker.host, max_packet_bytes
    made.hostname_checks_common_name = False
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_verify_locations(cafile=str(folder / broker.ca))
    except OSError as error:
        raise ConfigError(
            f"broker.ca: unusable: {_why(error)}",
            where=folder / broker.ca,
            fix="get the broker's CA certificate (PEM)",
        ) from None
    if broker.client_certificate is not None and broker.client_key is not None:
        try:
            made.load_cert_chain(
                str(folder / broker.client_certificate), str(folder / broker.client_key)
            )
        except OSError as error:
            raise ConfigError(
                f"broker.client_certificate: unusable: {_why(error)}",
                where=folder / broker.client_certificate,
            ) from None
    return made


def _why(error: OSError) -> str:
    return error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error.strerror)


def certificate_refused(error: ssl.SSLError, broker: BrokerSettings) -> DestinationRefusedError:
    """What a failed handshake means."""
    detail = (
        error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
    )
    return DestinationRefusedError(
        Reason.CERTIFICATE_INVALID,
        f"the broker did not prove that it is {broker.host}: {detail}",
        where=f"{broker.address}:{broker.port}",
        fix="check broker.host, broker.address and broker.ca in receiver.toml",
    )
