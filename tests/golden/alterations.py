"""Alterations of a sealed read that every conforming reader must refuse: for the golden vectors,
for P3, and for the JavaScript opener.

Most are signed again with the enrolled device's key, so that no alteration hides behind another
check.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.text.encoding import b64url, from_b64url

PARTS = ("header", "encrypted_key", "iv", "ciphertext", "tag", "protected", "signature")
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)  # enrolled nowhere
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Alteration:
    """`becomes`: the parts of the wire form that differ.

    `reason`: with which code our reader refuses.
    """

    name: str
    reason: str
    becomes: dict[str, str]


def take_apart(wire: str) -> dict[str, str]:
    """The seven base64url parts."""
    jwe, _, jws = wire.partition("\n")
    protected, _, signature = jws.partition("..")
    return dict(zip(PARTS, [*jwe.split("."), protected, signature], strict=True))


def put_together(parts: dict[str, str]) -> str:
    """The wire form of seven parts."""
    return (
        ".".join(parts[name] for name in PARTS[:5])
        + f"\n{parts['protected']}..{parts['signature']}"
    )


def altered(wire: str, alteration: Alteration) -> str:
    """The wire form after an alteration."""
    return put_together({**take_apart(wire), **alteration.becomes})


def alterations(wire: str, device_key: Ed25519PrivateKey) -> Iterator[Alteration]:
    """All of them for one sound read."""
    forge = _Forger(wire, device_key)
    yield from _header_alterations(forge)
    yield from _tag_alterations(forge)
    yield from _signature_alterations(forge)
    parts = take_apart(wire)
    for name in ("encrypted_key", "iv", "tag"):
        yield forge.signed(
            f"one bit of {name}, signed again", "decryption-failed", **{name: _flip(parts[name])}
        )
        yield forge.signed(
            f"{name} one byte longer",
            "malformed",
            **{name: b64url(from_b64url(parts[name]) + b"\0")},
        )
    yield forge.signed("stray bits at the end of tag", "malformed", tag=_stray(parts["tag"]))
    yield forge.signed("padding at the end of tag", "malformed", tag=parts["tag"] + "==")
    yield forge.signed(
        "a ciphertext between the buckets", "malformed", ciphertext=b64url(bytes(5000))
    )


def _header_alterations(forge: "_Forger") -> Iterator[Alteration]:
    for name, member, value in (
        ("another key agreement", "alg", "ECDH-ES"),
        ("no encryption", "alg", "dir"),
        ("another encryption", "enc", "A128GCM"),
        ("another key id", "kid", "exampleville-pd/2027-02-03"),
        ("an unknown critical header", "crit", ["alpr", "exp"]),
        ("no critical header", "crit", []),
        ("tags that are not critical", "crit", ["b64"]),
        ("compression", "zip", "DEF"),
        ("a key from a URL", "jku", "https://example.org/keys"),
        ("a curve for signing", "epk", {"kty": "OKP", "crv": "Ed25519", "x": b64url(bytes(32))}),
        (
            "a curve of another kind",
            "epk",
            {"kty": "EC", "crv": "P-256", "x": b64url(bytes(32)), "y": b64url(bytes(32))},
        ),
        (
            "an ephemeral key that is too short",
            "epk",
            {"kty": "OKP", "crv": "X25519", "x": b64url(bytes(31))},
        ),
        ("no ephemeral key", "epk", None),
        ("tags that are a list", "alpr", []),
    ):
        yield forge.header(
            name, "malformed", lambda header, m=member, v=value: header.update({m: v})
        )
    yield forge.header(
        "a point of low order",
        "decryption-failed",
        lambda header: header.update(epk={"kty": "OKP", "crv": "X25519", "x": b64url(bytes(32))}),
    )
    yield forge.header("no tags", "malformed", lambda header: header.pop("alpr"))
    text = from_b64url(take_apart(forge.wire)["header"]).decode()
    yield forge.signed(
        "a key twice",
        "malformed",
        header=b64url(text.replace('"enc":', '"enc":"A256GCM","enc":').encode()),
    )
    yield forge.signed(
        "a tag twice",
        "malformed",
        header=b64url(text.replace('"seq":', '"seq":41,"seq":').encode()),
    )
    yield forge.signed("a header that is no JSON", "malformed", header=b64url(b"{"))
    yield forge.signed("a header of a thousand brackets", "malformed", header=b64url(b"[" * 2000))


def _tag_alterations(forge: "_Forger") -> Iterator[Alteration]:
    for name, reason, change in (
        ("version 2", "unsupported-version", {"v": 2}),
        ("version true", "malformed", {"v": True}),
        ("unverified false", "malformed", {"unverified": False}),
        ("unverified 1", "malformed", {"unverified": 1}),
        ("a sequence in words", "malformed", {"seq": "42"}),
        ("a fractional sequence", "malformed", {"seq": 42.5}),
        ("sequence 0", "malformed", {"seq": 0}),
        ("a match level that does not exist", "malformed", {"match": "certain"}),
        ("a clock that does not exist", "malformed", {"clock": "untrusted"}),
        ("a time without milliseconds", "malformed", {"captured_at": "2027-01-15T12:00:00Z"}),
        ("a capture after the deadline", "malformed", {"captured_at": "2028-01-15T12:00:00.000Z"}),
        (
            "a deadline that is not its epoch's",
            "malformed",
            {"deadline": "2027-03-01T00:00:00.000Z"},
        ),
        ("an upper-case read id", "malformed", {"read": "AB" * 16}),
        ("a read id with a path", "malformed", {"read": "../../../../../../etc/passwd.32ch"}),
        ("a camera with a slash", "malformed", {"device": "a/b"}),
        ("a category with a line feed", "malformed", {"category": "stolen\nvehicle"}),
        ("an extra tag", "malformed", {"note": "x"}),
        ("a policy that is a text", "malformed", {"policy": "none"}),
        ("another purpose, signed again", "decryption-failed", {"purpose": "immigration"}),
        ("another rule, signed again", "decryption-failed", {"rule": "anything-goes"}),
    ):
        yield forge.tags(name, reason, change)
    yield forge.header("a tag missing", "malformed", lambda header: header["alpr"].pop("purpose"))
    for name, change in (
        ("another purpose", {"purpose": "immigration"}),
        ("another match level", {"match": "confusable"}),
        ("another policy", {"policy": {"name": "Other", "version": 8, "digest": "cd" * 32}}),
    ):
        yield forge.tags(name, "signature-invalid", change, sign=False)


def _signature_alterations(forge: "_Forger") -> Iterator[Alteration]:
    parts = take_apart(forge.wire)
    yield Alteration(
        "one bit of the signature", "signature-invalid", {"signature": _flip(parts["signature"])}
    )
    yield Alteration("a signature of zeros", "signature-invalid", {"signature": b64url(bytes(64))})
    yield Alteration(
        "stray bits at the end of the signature",
        "malformed",
        {"signature": _stray(parts["signature"])},
    )
    yield Alteration("no signature", "malformed", {"signature": ""})
    yield Alteration(
        "signed by a key that is not enrolled",
        "signature-invalid",
        {"signature": forge.signature(parts, OTHER_KEY)},
    )
    header = json.loads(from_b64url(parts["protected"]))
    for name, change in (
        ("no algorithm", {"alg": "none"}),
        ("an algorithm with a shared key", {"alg": "HS256"}),
        ("the old name of the algorithm", {"alg": "EdDSA"}),
        ("encoded content", {"b64": True}),
        ("an unknown critical header in the signature", {"crit": ["b64", "exp"]}),
        ("another signer", {"kid": "cam-other"}),
        (
            "a key in the signature's header",
            {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64url(bytes(32))}},
        ),
    ):
        yield forge.signed(name, "malformed", protected=_segment({**header, **change}))


class _Forger:
    """Alters parts of `wire` and signs again with the device's own key."""

    def __init__(self, wire: str, device_key: Ed25519PrivateKey) -> None:
        self.wire, self._device_key = wire, device_key

    def signature(self, parts: dict[str, str], key: Ed25519PrivateKey) -> str:
        first_line = ".".join(parts[name] for name in PARTS[:5])
        return b64url(key.sign(f"{parts['protected']}.{first_line}".encode()))

    def signed(self, name: str, reason: str, **becomes: str) -> Alteration:
        parts = {**take_apart(self.wire), **becomes}
        return Alteration(
            name, reason, {**becomes, "signature": self.signature(parts, self._device_key)}
        )

    def header(
        self, name: str, reason: str, change: Callable[[Json], object], *, sign: bool = True
    ) -> Alteration:
        header = json.loads(from_b64url(take_apart(self.wire)["header"]))
        change(header)
        return (
            self.signed(name, reason, header=_segment(header))
            if sign
            else Alteration(name, reason, {"header": _segment(header)})
        )

    def tags(self, name: str, reason: str, change: Json, *, sign: bool = True) -> Alteration:
        return self.header(name, reason, lambda header: header["alpr"].update(change), sign=sign)


def _segment(header: Json) -> str:
    return b64url(json.dumps(header, separators=(",", ":")).encode())


def _flip(part: str) -> str:
    data = bytearray(from_b64url(part))
    data[3] ^= 1
    return b64url(bytes(data))


def _stray(part: str) -> str:
    """The same bytes with an unused bit set in the last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) | 1]
