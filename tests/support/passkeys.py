"""A passkey in software, for tests: signs what a browser would let it sign, and what it would not.

Written from WebAuthn Level 3, so that it shares nothing with the library that judges it.
"""

import base64
import hashlib
import html
import json
import re
import secrets
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

UP, UV, AT = 1, 4, 64


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor_text(text: str) -> bytes:
    return bytes([0x60 + len(text)]) + text.encode()


def cbor_bytes(data: bytes) -> bytes:
    return (
        b"\x58" + bytes([len(data)]) if len(data) < 256 else b"\x59" + struct.pack(">H", len(data))
    ) + data


@dataclass
class SoftPasskey:
    """`origin`, `rp_id`: as its browser would have them. `flags`: user present and verified."""

    origin: str
    rp_id: str = "localhost"
    flags: int = UP | UV
    counter: int = 0
    handle: bytes = b""
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def make(self, question: str, **changed: object) -> str:
        """The answer to a question as the page holds it."""
        asked = json.loads(question)
        self.handle = unb64(asked["user"]["id"])
        client = self._client("webauthn.create", asked["challenge"], changed)
        attestation = (
            b"\xa3"
            + cbor_text("fmt")
            + cbor_text("none")
            + cbor_text("attStmt")
            + b"\xa0"
            + cbor_text("authData")
            + cbor_bytes(self._data(attested=True))
        )
        return self._answer(clientDataJSON=client, attestationObject=attestation)

    def sign(self, question: str, **changed: object) -> str:
        """The same for signing in."""
        asked = json.loads(question)
        client = self._client("webauthn.get", asked["challenge"], changed)
        data = self._data()
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=client,
            authenticatorData=data,
            signature=changed.get("signature", signature),
            userHandle=changed.get("handle", self.handle),
        )

    def _client(self, kind: str, challenge: str, changed: dict) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**told, **{k: v for k, v in changed.items() if k in told}}).encode()

    def _data(self, *, attested: bool = False) -> bytes:
        flags = self.flags | (AT if attested else 0)
        head = hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags])
        head += struct.pack(">I", self.counter)
        if not attested:
            return head
        numbers = self.key.public_key().public_numbers()
        x, y = (n.to_bytes(32, "big") for n in (numbers.x, numbers.y))
        # COSE key, RFC 9053: EC2, ES256, P-256
        cose = b"\xa5\x01\x02\x03\x26\x20\x01\x21" + cbor_bytes(x) + b"\x22" + cbor_bytes(y)
        return head + bytes(16) + struct.pack(">H", len(self.id)) + self.id + cose

    def _answer(self, **parts: bytes) -> str:
        response = {name: b64(data) for name, data in parts.items()}
        told = {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key"}
        return json.dumps({**told, "response": response})


class Browser:
    """Asks as a browser at localhost would, with its cookies."""

    def __init__(self, serving, host="localhost"):
        self.serving, self.host, self.cookies = serving, f"{host}:{serving.port}", {}

    def ask(self, method, path, form=None):
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        got = self.serving.ask(method, path, form, Host=self.host, Cookie=cookie)
        for one in re.findall(r"(inbox(?:-door)?)=([^;]*)", got.headers.get("set-cookie", "")):
            self.cookies[one[0]] = one[1]
        return got

    def question(self, got):
        return html.unescape(re.search(r'data-passkey="([^"]+)"', got.text)[1])

    def sign_in(self, passkey):
        asked = self.question(self.ask("GET", "/sign-in"))
        return self.ask("POST", "/sign-in/passkey", {"answer": passkey.sign(asked)})
