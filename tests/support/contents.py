"""Contents of sealed reads that every conforming reader must refuse, sealed and signed as a camera
gone wrong would: for our opener and for the JavaScript one.
"""

import json
from base64 import b64encode

from agent.core.wire.sealed_read import SealedRead, join, pad
from agent.core.wire.tags import Tags
from agent.sealing.payload import padded_payload
from agent.sealing.sealer import encrypt, sign
from tests.support.sealed import DEVICE, PLATE, Parties, release, sighting


def sealed_content(parties: Parties, tags: Tags, content: object) -> SealedRead:
    """`content`: a table, or the bytes themselves."""
    plaintext = pad(content if isinstance(content, bytes) else json.dumps(content).encode())
    jwe = encrypt(tags, parties.epochs[tags.epoch].public_key().public_bytes_raw(), plaintext)
    return SealedRead(tags, join(jwe, *sign(DEVICE, parties.device_key, jwe)))


def jpeg(width, height) -> bytes:
    """A JPEG that says so, and holds nothing."""
    frame = b"\xff\xc0\x00\x0b\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x01\x01\x11\x00"
    return b"\xff\xd8" + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x00\xff\xd9"


CONTENT = json.loads(padded_payload(sighting(), release(), 1))
_TEXT = json.dumps(CONTENT)
ODD_CONTENTS = [
    {"v": 2},
    {"note": "x"},
    {"plate": "tst 42"},
    {"plate": "A" * 13},
    {"plate": "\x1b[2J"},
    {"confidence": 1.01},
    {"confidence": True},
    {"confidence": "0.9"},
    {"char_confidence": [2]},
    {"char_confidence": [0.5] * 13},
    {"alternatives": [{"plate": "A", "probability": 0.1}] * 9},
    {"alternatives": [{"plate": "A"}]},
    {"state": "C A"},
    {"region": None},
    {"frames": 0},
    {"camera": "a/b"},
    {"captured_at": "now"},
    {"crop": "AAAA"},
    {"crop": "not base64"},
    {"crop": 1},
    {"match": {**CONTENT["match"], "level": "text"}},
    {"match": {**CONTENT["match"], "agency": "\x1b]0;title\x07"}},
    {"match": {**CONTENT["match"], "case": ""}},
    {"match": {**CONTENT["match"], "source_date": "15 January"}},
    {"match": {**CONTENT["match"], "posterior": 1.1}},
    {"match": {**CONTENT["match"], "posterior": 1}},
    {"match": {**CONTENT["match"], "posterior": 0.99991}},
    # whole and in form, but not what the tags say
    {"captured_at": "2027-01-15T12:00:00.124Z"},
    {"camera": "cam-test-2"},
    # figures that cannot be
    {"char_confidence": CONTENT["char_confidence"][1:]},
    {"char_confidence": []},
    {"alternatives": [{"plate": "TSTO042", "probability": 0.04}]},
    {"alternatives": [{"plate": PLATE, "probability": 0.01}]},
    {"alternatives": [{"plate": "TSTO042", "probability": 0.01}] * 2},
    # pictures that no decoder should see
    {"crop": b64encode(jpeg(65_000, 65_000)).decode()},
    {"crop": b64encode(jpeg(1025, 1024)).decode()},
    {"crop": b64encode(jpeg(0, 40)).decode()},
    {"crop": b64encode(jpeg(120, 40)[:-2]).decode()},
    {"crop": b64encode(b"\xff\xd8\xff").decode()},
    {"crop": b64encode(b"\x89PNG\r\n\x1a\n" + bytes(30)).decode()},
    {"match": {**CONTENT["match"], "posterior": "0.9"}},
    {"match": {name: value for name, value in CONTENT["match"].items() if name != "posterior"}},
]

ODD_TEXTS = {
    "a byte order mark": b"\xef\xbb\xbf" + _TEXT.encode(),
    "UTF-16": _TEXT.encode("utf-16-le"),
    "version 1.0": _TEXT.replace('"v": 1', '"v": 1.0').encode(),
    "version 1e0": _TEXT.replace('"v": 1', '"v": 1e0').encode(),
    "frames 9.0": _TEXT.replace('"frames": 9', '"frames": 9.0').encode(),
    "frames 9.0 under an escaped name": _TEXT.replace(
        '"frames": 9', '"fr\\u0061mes": 9.0'
    ).encode(),
    "a key twice": _TEXT.replace('"v": 1', '"v": 1, "v": 1').encode(),
    "a key twice, once escaped": _TEXT.replace('"v": 1', '"v": 1, "\\u0076": 1').encode(),
    "a key twice inside": _TEXT.replace('"level"', '"case": "x", "level"').encode(),
    "a second object": _TEXT.encode() + b"{}",
    "a line feed before": b"\n" + _TEXT.encode(),
    "a line feed after": _TEXT.encode() + b"\n",
    "a line feed after the spaces": _TEXT.encode() + b"  \n",
    "a zero byte after": _TEXT.encode() + b"\0",
    "a space before": b" " + _TEXT.encode(),
    "NaN": _TEXT.replace("0.97,", "NaN,", 1).encode(),
    "a list": b"[" + _TEXT.encode() + b"]",
}
