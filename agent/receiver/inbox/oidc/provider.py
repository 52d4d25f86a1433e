"""The provider over HTTPS: what it says of itself, its keys, and the exchange of a code.

Everything has an end, and nothing is believed that its TLS certificate does not vouch for.
Several threads may ask at once.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from agent.core.text.encoding import b64url
from agent.disk.private_file import read_private
from agent.errors import ConfigError, NetworkError
from agent.receiver.inbox.oidc.id_token import (
    ALGORITHMS,
    Expected,
    TokenRefusedError,
    claims_of,
    header_of,
    key_of,
)
from agent.receiver.inbox.oidc.oidc_settings import OidcSettings, is_https
from agent.receiver.ringing.dial import Endpoint, answer, tls_context
from agent.values import dataclass

WELL_KNOWN = "/.well-known/openid-configuration"
KEPT_S = 3600.0
LEAST_BETWEEN_S = 30.0
"""Between two looks for keys: a stranger's `kid` is no reason to ask the provider each time."""
MAX_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says of itself (OpenID Connect Discovery 1.0, 3), as far as we need it."""

    authorize: str
    token: str
    keys: str
    basic: bool
    names_itself: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """One signing-in's own secrets, and where its answer goes."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """`now_s`: monotonic seconds. Raises ConfigError, StorageError when it is made."""

    def __init__(self, settings: OidcSettings, folder: Path, now_s: Callable[[], float]) -> None:
        self.settings, self._now_s, self._lock = settings, now_s, Lock()
        self._tls = tls_context(folder / settings.ca if settings.ca else None)
        self._secret = ""
        if settings.client_secret is not None:
            self._secret = _secret(folder / settings.client_secret)
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, list[Any]] | None = None

    def address_to_ask(self, ask: Ask) -> str:
        """Where the browser goes. Raises NetworkError."""
        told = self.metadata()
        challenge = b64url(hashlib.sha256(ask.verifier.encode()).digest())  # RFC 7636
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": ask.redirect_uri,
            "scope": "openid profile",
            "state": ask.state,
            "nonce": ask.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{told.authorize}{'&' if '?' in told.authorize else '?'}{urlencode(query)}"

    def metadata(self) -> Metadata:
        """Asked for once an hour. Raises NetworkError."""
        with self._lock:
            kept = self._metadata
        if kept is not None and self._now_s() - kept[0] < KEPT_S:
            return kept[1]
        url = self.settings.issuer.rstrip("/") + WELL_KNOWN
        found = self._parsed(self._got("GET", url, None, {}))
        with self._lock:
            self._metadata = (self._now_s(), found)
        return found

    def claims(self, untrusted_code: str, ask: Ask, expected: Expected) -> Mapping[str, Any]:
        """Of the ID token that the code is worth. Raises NetworkError, TokenRefusedError."""
        token = self._exchanged(untrusted_code, ask)
        header = header_of(token)
        key = key_of(header, self._known_keys(fresh=False))
        if key is None:  # the provider may have changed its keys
            key = key_of(header, self._known_keys(fresh=True))
        if key is None:
            raise TokenRefusedError("key")
        return claims_of(token, key, expected)

    def _exchanged(self, untrusted_code: str, ask: Ask) -> str:
        told = self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": untrusted_code,
            "redirect_uri": ask.redirect_uri,
            "code_verifier": ask.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._secret and told.basic:  # RFC 6749, 2.3.1: each part is form-encoded first
            pair = f"{quote_plus(self.settings.client_id)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self.settings.client_id}
            form |= {"client_secret": self._secret} if self._secret else {}
        token = self._got("POST", told.token, urlencode(form).encode(), headers).get("id_token")
        if not isinstance(token, str):
            raise TokenRefusedError("form")
        return token

    def _known_keys(self, *, fresh: bool) -> list[Any]:
        with self._lock:
            kept = self._keys
        age_s = self._now_s() - kept[0] if kept else KEPT_S
        if kept is not None and age_s < (LEAST_BETWEEN_S if fresh else KEPT_S):
            return kept[1]
        found = self._got("GET", self.metadata().keys, None, {}).get("keys")
        keys = found if isinstance(found, list) else []
        with self._lock:
            self._keys = (self._now_s(), keys)
        return keys

    def _parsed(self, told: Mapping[str, Any]) -> Metadata:
        """Raises NetworkError for a provider that is not the one of the settings, or too weak."""
        if told.get("issuer") != self.settings.issuer:
            raise NetworkError("says that it is another issuer")
        methods = _listed(told, "code_challenge_methods_supported", "S256")
        algorithms = _listed(told, "id_token_signing_alg_values_supported", "RS256")
        if "S256" not in methods or not set(ALGORITHMS) & algorithms:
            raise NetworkError("knows no PKCE with S256, or no signature that we believe")
        ways = _listed(told, "token_endpoint_auth_methods_supported", "client_secret_basic")
        return Metadata(
            authorize=self._own(told.get("authorization_endpoint")),
            token=self._own(told.get("token_endpoint")),
            keys=self._own(told.get("jwks_uri")),
            basic="client_secret_basic" in ways,
            names_itself=told.get("authorization_response_iss_parameter_supported") is True,
        )

    def _own(self, untrusted_url: object) -> str:
        try:
            parts = urlsplit(untrusted_url) if isinstance(untrusted_url, str) else urlsplit("")
            sound = is_https(parts) and not parts.username and str(untrusted_url).isascii()
            at_issuer = parts.netloc == urlsplit(self.settings.issuer).netloc
        except ValueError:
            sound = at_issuer = False
        if not sound or (self.settings.address and not at_issuer) or "#" in str(untrusted_url):
            raise NetworkError("names an endpoint that is no address of its own")
        return str(untrusted_url)

    def _got(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """A JSON object. Raises NetworkError."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        endpoint = Endpoint(host, self.settings.address or host, parts.port or 443, self._tls)
        headers = {**headers, "Accept": "application/json", "User-Agent": "platewarden"}
        status, data = answer(endpoint, method, url, body, headers, MAX_BYTES)
        if status != 200:
            raise NetworkError(f"answered {status}")
        try:
            told = json.loads(data)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise NetworkError("gives no sound answer")
        return told


def _listed(told: Mapping[str, Any], name: str, default: str) -> set[str]:
    """The texts of a list; none where it is no list."""
    value = told.get(name, [default])
    return {one for one in value if isinstance(one, str)} if isinstance(value, list) else set()


def _secret(path: Path) -> str:
    """Raises ConfigError, StorageError."""
    text = read_private(path).decode("ascii", errors="replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise ConfigError(
            "holds no client secret in printable ASCII",
            where=str(path),
            fix="write there what the provider gave you, and nothing else",
        )
    return text
