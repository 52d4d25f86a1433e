"""A throwaway certificate authority and server certificates for the demo, valid for one day."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from agent.broker import authority
from agent.values import dataclass

_DAYS = 1


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Files of one server: `certificate` and `key` in PEM; `pin`: `sha256/<base64>` of its public
    key (RFC 7469).
    """

    certificate: Path
    key: Path
    pin: str


class ThrowawayAuthority:
    """Signs server certificates; its own key lives in memory only."""

    def __init__(self, name: str) -> None:
        self._made = authority.made(name, datetime.now(UTC), _DAYS)

    def pem(self) -> bytes:
        """The authority's certificate."""
        return authority.pem(self._made.certificate)

    def issue(self, host: str, folder: Path, name: str) -> ServerIdentity:
        """A fresh key and a server certificate for `host`, written as `<name>.crt` and `<name>.key`
        in `folder`.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._made.server(key.public_key(), (host,), datetime.now(UTC), _DAYS)
        folder.mkdir(parents=True, exist_ok=True)
        identity = ServerIdentity(
            folder / f"{name}.crt", folder / f"{name}.key", authority.pin(key.public_key())
        )
        identity.certificate.write_bytes(authority.pem(certificate))
        identity.key.touch(mode=0o600)
        identity.key.write_bytes(authority.private_pem(key))
        return identity
