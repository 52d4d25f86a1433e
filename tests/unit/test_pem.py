"""Certificates out of files that people made: whatever stands beside them is skipped, and what is
none is refused.
"""

import base64
import ssl

import pytest

from agent.core.text import pem

ONE, TWO = bytes(range(200)), b"\x30" * 77
NOTE = "# Städtische Stelle -----BEGIN CERTIFICATE----- ist keiner\n".encode()


def block(der, label=b"CERTIFICATE"):
    body = base64.encodebytes(der)
    return b"-----BEGIN " + label + b"-----\n" + body + b"-----END " + label + b"-----\n"


@pytest.mark.parametrize(
    "file",
    [
        block(ONE) + block(TWO),
        NOTE + block(ONE) + NOTE + b"\xff\xfe\x00" + b"\n" + block(TWO) + NOTE,
        b"\xef\xbb\xbf" + block(ONE) + block(TWO),
        (block(ONE) + NOTE + block(TWO)).replace(b"\n", b"\r\n"),
        (block(ONE) + block(TWO)).replace(b"\n", b"\r"),
        (block(ONE) + block(TWO)).replace(b"-----\n", b"-----  \n"),
        (block(ONE) + block(TWO)).replace(b"-----BEGIN", b"  -----BEGIN"),
        (block(ONE) + block(TWO)).removesuffix(b"\n"),
        block(ONE, b"X509 CERTIFICATE") + block(b"secret", b"PRIVATE KEY") + block(TWO),
    ],
)
def test_what_stands_beside_them_is_skipped(file):
    assert pem.certificates(file) == (ONE, TWO)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        NOTE,
        block(ONE, b"PUBLIC KEY"),
        block(ONE, b"CERTIFICATE REQUEST"),
        block(ONE)[:-30],
        block(ONE) + block(TWO)[:-30],
        block(ONE)[:-30] + block(TWO),
        block(ONE).replace(b"\n-----END", b"!\n-----END"),
        block(ONE).replace(b"\n-----END", b"=\n-----END"),
        block(ONE).decode().encode("utf-16"),
    ],
)
def test_what_is_none_is_refused(file):
    with pytest.raises(ValueError, match="certificate"):
        pem.certificates(file)


def test_plain_is_what_everybody_writes():
    assert pem.plain((ONE,)).decode() == ssl.DER_cert_to_PEM_cert(ONE)
    assert pem.certificates(pem.plain((ONE, TWO))) == (ONE, TWO)


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30", b"\x30\x05\x02", b"\x31\x00", b"\x30\x84", b"\x30\x02\x02\x00", b"\x30\x80\x00"],
)
def test_a_key_that_is_not_there(der):
    with pytest.raises(ValueError):
        pem.key_info(der)
