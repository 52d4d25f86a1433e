"""A provider of OpenID Connect on loopback, by TLS, that says whatever a test wants: for answers
that no honest one gives. An honest one is in tests/interop/test_oidc_provider.py.
"""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET, SUBJECT = "platewarden-inbox", "a fictitious: secret+%", "subject-4711"


class StagedProvider:
    """`claims`: more of the ID token, None leaves one out. `metadata`: more of the discovery
    document. `status`: of each answer. `away`: nothing is answered. Settable between requests.
    """

    def __init__(self, server: Any) -> None:
        self.key, self.kid = RSAKey.generate_key(2048), "one"
        self.reset()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.certificate, server.key)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.issuer = f"https://localhost:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def reset(self) -> None:
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.challenge = self.nonce = ""
        self.status, self.away, self.token = 200, False, None
        self.asked: list[str] = []

    def sent(self, address: str) -> dict[str, str]:
        """What the browser brings: noted, as an honest provider would."""
        query = {name: value for name, [value] in parse_qs(urlsplit(address).query).items()}
        self.challenge, self.nonce = query["code_challenge"], query["nonce"]
        return query

    def id_token(self, header: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> str:
        now = int(time.time())
        told = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": SUBJECT,
            "nonce": self.nonce,
            "iat": now,
            "exp": now + 300,
            "groups": ["alpr-analysts"],
            **self.claims,
            **claims,
        }
        told = {name: value for name, value in told.items() if value is not None}
        header = {"alg": "RS256", "kid": self.kid} if header is None else header
        algorithms = [header["alg"]]
        return jws.serialize_compact(
            header, json.dumps(told).encode(), key or self.key, algorithms=algorithms
        )

    def unsigned(self) -> str:
        head = _b64(json.dumps({"alg": "none"}).encode())
        return f"{head}.{self.id_token().split('.')[1]}."

    def hmac(self) -> str:
        """Signed with our own public key as if it were a secret (algorithm confusion)."""
        head = json.dumps({"alg": "HS256", "kid": self.kid}).encode()
        text = f"{_b64(head)}.{self.id_token().split('.')[1]}"
        secret = self.key.as_pem(private=False)
        return f"{text}.{_b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"

    def elliptic(self) -> str:
        """Signed by a key that the provider does not have."""
        return self.id_token({"alg": "ES256", "kid": self.kid}, ECKey.generate_key("P-256"))

    def rotate(self) -> None:
        self.key, self.kid = RSAKey.generate_key(2048), f"{self.kid}x"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _told(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            return self.status, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/auth",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
                **self.metadata,
            }
        if path == "/keys":
            public = {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig"}
            return self.status, {"keys": [public]}
        made = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = _b64(made)
        # each part form-encoded before it is joined (RFC 6749, 2.3.1)
        pair = "platewarden-inbox:a+fictitious%3A+secret%2B%25"
        known = authorization == f"Basic {base64.b64encode(pair.encode()).decode()}"
        if proof != self.challenge or not known or form.get("code") != "a-code":
            return 400, {"error": "invalid_grant"}
        return self.status, {"id_token": self.token or self.id_token(), "token_type": "Bearer"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        staged = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._answer({name: value for name, [value] in parse_qs(body).items()})

            def _answer(self, form: dict[str, str]) -> None:
                staged.asked.append(self.path)
                if staged.away:
                    return
                status, told = staged._told(self.path, form, self.headers.get("Authorization", ""))
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
