"""Certificates as people keep them: PEM with notes around it, a byte order mark, CRLF (RFC 7468,
5.2 lets a reader skip all that), and the key's bytes inside one.

Other readers of the same file stumble over a letter that is not ASCII, and name no line.
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BOM = b"\xef\xbb\xbf"
_LABEL = rb"(?:X509 )?CERTIFICATE-----[ \t]*$"
_BLOCK = re.compile(
    rb"^[ \t]*-----BEGIN " + _LABEL + rb"(.*?)^[ \t]*-----END " + _LABEL, re.DOTALL | re.MULTILINE
)
_BEGIN = re.compile(rb"^[ \t]*-----BEGIN " + _LABEL, re.MULTILINE)
_SEQUENCE, _VERSION = 0x30, 0xA0
_BEFORE_THE_KEY = 5  # serial number, algorithm, issuer, validity, subject (RFC 5280, 4.1)


def certificates(untrusted_file: bytes) -> tuple[bytes, ...]:
    """The DER of every certificate in the file, in order.

    What is inside is not looked at.

    Raises ValueError for a file without one, and for one that does not end or is not base64.
    """
    text = untrusted_file.removeprefix(_BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    blocks = [b"".join(block.split()) for block in _BLOCK.findall(text)]
    if not blocks or len(blocks) != len(_BEGIN.findall(text)):
        msg = "no whole certificate in PEM"
        raise ValueError(msg)
    try:
        return tuple(base64.b64decode(block, validate=True) for block in blocks)
    except binascii.Error:
        msg = "a certificate that is not base64"
        raise ValueError(msg) from None


def plain(certificates_der: Iterable[bytes]) -> bytes:
    """Certificates as PEM that every reader takes: ASCII, and nothing else in it."""
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n"
        + "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64)).encode("ascii")
        + b"\n-----END CERTIFICATE-----\n"
        for der in certificates_der
    )


def key_info(tbs_certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo as it stands in a TBSCertificate.

    Whoever reads the key and writes it anew may choose other bytes (RSASSA-PSS): no pin is of them.

    Raises ValueError.
    """
    kind, at, _ = _element(tbs_certificate, 0)
    if kind != _SEQUENCE:
        raise ValueError
    if tbs_certificate[at : at + 1] == bytes([_VERSION]):
        at = _element(tbs_certificate, at)[2]
    for _ in range(_BEFORE_THE_KEY):
        at = _element(tbs_certificate, at)[2]
    kind, _, end = _element(tbs_certificate, at)
    if kind != _SEQUENCE:
        raise ValueError
    return tbs_certificate[at:end]


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Its tag, where its content begins, and where it ends (X.690, 8.1)."""
    if at + 2 > len(der):
        raise ValueError
    kind, length, start = der[at], der[at + 1], at + 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    if start + length > len(der):
        raise ValueError
    return kind, start, start + length
