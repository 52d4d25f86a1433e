"""Whether an ID token says, to us and now, who somebody is (OpenID Connect Core 1.0, 3.1.3.7).

Mitigates against: a token of another issuer, for another client, of another signing-in, too old,
signed by nobody (`none`) or with a key that we know ourselves (HMAC).
"""

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from agent.core.text.encoding import from_b64url
from agent.values import dataclass

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""By public keys alone."""
SKEW_S = 60.0
OLDEST_S = 600.0
MAX_TOKEN = 32_768
_KINDS = frozenset({"RSA", "EC", "OKP"})
_LEAST_RSA_BYTES = 256


class TokenRefusedError(Exception):
    """`why`: one word for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say. `now`: UTC."""

    issuer: str
    client_id: str
    nonce: str
    now: datetime


def header_of(untrusted_token: str) -> Mapping[str, Any]:
    """Of a token that nobody has verified: which key to look for. Raises TokenRefusedError."""
    try:
        header = json.loads(from_b64url(untrusted_token[:MAX_TOKEN].split(".", 1)[0]))
    except (ValueError, RecursionError):
        raise TokenRefusedError("form") from None
    if len(untrusted_token) > MAX_TOKEN:
        raise TokenRefusedError("form")
    if not isinstance(header, dict) or header.get("alg") not in ALGORITHMS:
        raise TokenRefusedError("algorithm")
    return header


def key_of(header: Mapping[str, Any], untrusted_keys: Sequence[Any]) -> Any | None:
    """The one key that may have signed it, as joserfc holds it; None where there is none."""
    kid = header.get("kid")
    found = [
        one
        for one in untrusted_keys
        if isinstance(one, dict)
        and str(one.get("kty")) in _KINDS
        and one.get("use", "sig") == "sig"
        and (kid is None or one.get("kid") == kid)
    ]
    if len(found) != 1:
        return None
    try:
        key = JWKRegistry.import_key(found[0])
        if key.key_type == "RSA" and len(from_b64url(str(found[0]["n"]))) < _LEAST_RSA_BYTES:
            return None
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    return key


def claims_of(untrusted_token: str, key: Any, expected: Expected) -> Mapping[str, Any]:
    """What it says, verified. Raises TokenRefusedError."""
    algorithm = header_of(untrusted_token)["alg"]
    try:
        told = jws.deserialize_compact(untrusted_token, key, algorithms=[algorithm])
        claims = json.loads(told.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise TokenRefusedError("signature") from None
    if not isinstance(claims, dict):
        raise TokenRefusedError("form")
    _require(claims, expected)
    return claims


def _require(claims: Mapping[str, Any], expected: Expected) -> None:
    audience, now_s = claims.get("aud"), expected.now.timestamp()
    audiences = audience if isinstance(audience, list) else [audience]
    nonce = claims.get("nonce")
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    subject = claims.get("sub")
    checks = {
        "issuer": claims.get("iss") == expected.issuer,
        "audience": audiences == [expected.client_id]
        and claims.get("azp", expected.client_id) == expected.client_id,
        "nonce": isinstance(nonce, str)
        and secrets.compare_digest(nonce.encode(), expected.nonce.encode()),
        "expired": now_s < expires + SKEW_S,
        "issued": -OLDEST_S <= issued - now_s <= SKEW_S,
        "not-yet": "nbf" not in claims or _seconds(claims, "nbf") <= now_s + SKEW_S,
        "subject": isinstance(subject, str)
        and subject.isascii()
        and subject.isprintable()
        and 0 < len(subject) <= 255,
    }
    for why, holds in checks.items():
        if not holds:
            raise TokenRefusedError(why)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    """Since 1970; what is no number is no time, and every comparison with it fails."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        return math.nan
    return float(value)
