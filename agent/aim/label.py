"""The label inside the housing: the hotspot's name and password as a QR code, the page's address as
another, and the PIN in digits.

Kept beside the keys.
"""

import io
import json
import re
import secrets
from html import escape
from pathlib import Path

import segno
from segno.helpers import make_wifi

from agent.core.text.strict_json import Fields, parse_object
from agent.disk.atomic_file import write_new
from agent.disk.private_file import credential_or, read_private
from agent.errors import ConfigError
from agent.values import dataclass, field

FILE_NAME = "aim.json"
# The PIN's digits, and letters of the password. None is taken for another: it may have to be typed.
PIN_DIGITS, PASSWORD_LETTERS = 6, "abcdefghjkmnpqrstuvwxyz23456789"
PASSWORD_LENGTH = 12  # 59 bits; WPA2 can be tried at home from one recorded handshake
SSID_MOST = 32
_PIN = re.compile(rf"[0-9]{{{PIN_DIGITS}}}")
_PASSWORD = re.compile(r"[!-~]{8,63}")
_SSID = re.compile(r"[A-Za-z0-9-]{1,32}")
SCALE = 4


@dataclass(frozen=True, slots=True)
class Label:
    """Name and password of the hotspot, PIN of the page."""

    ssid: str
    password: str = field(repr=False)
    pin: str = field(repr=False)


def new_label(camera_id: str) -> Label:
    """A label with fresh secrets."""
    password = "".join(secrets.choice(PASSWORD_LETTERS) for _ in range(PASSWORD_LENGTH))
    return Label(
        f"platewarden-{camera_id}"[:SSID_MOST],
        password,
        f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}",
    )


def load_label(device: Path) -> Label | None:
    """The label of this camera, from the unit's credentials or the device's folder; None where none
    was made.

    Raises StorageError, EnvelopeRefusedError.
    """
    path = credential_or(device / FILE_NAME)
    if not path.exists():
        return None
    fields = Fields(
        parse_object(read_private(path), str(path)),
        str(path),
        required=("v", "ssid", "password", "pin"),
    )
    fields.exactly("v", 1)
    rules = (
        ("ssid", _SSID, "letters, digits or -"),
        ("password", _PASSWORD, "8 to 63 ASCII characters"),
        ("pin", _PIN, f"{PIN_DIGITS} digits"),
    )
    return Label(*(fields.pattern(name, pattern, rule) for name, pattern, rule in rules))


def keep_label(device: Path, label: Label) -> None:
    """Write it beside the keys, for its owner only; never over another. Raises StorageError."""
    told = {"v": 1, "ssid": label.ssid, "password": label.password, "pin": label.pin}
    write_new(device / FILE_NAME, json.dumps(told, indent=1).encode() + b"\n")


def label_for(device: Path, camera_id: str, *, kept: bool) -> tuple[Label, bool]:
    """The lasting label and True, or secrets for this one time and False.

    `kept`: there is a settings file, so a label may lie in the device's folder.
    """
    known = load_label(device) if kept else None
    return known or new_label(camera_id), known is not None


def lasting_label(device: Path) -> Label:
    """The label that was made to last. Raises ConfigError where there is none."""
    known = load_label(device)
    if known is None:
        raise ConfigError(
            "no label was made",
            where=device / FILE_NAME,
            fix="platewarden aim --label label.svg",
        )
    return known


def write_label(device: Path, camera_id: str, path: Path, url: str) -> None:
    """Draw the label of this camera, whose secrets are made now where there are none yet.

    Raises StorageError.
    """
    label, lasting = label_for(device, camera_id, kept=True)
    if not lasting:
        keep_label(device, label)
    write_new(path, draw(label, url))


def draw(label: Label, url: str) -> bytes:
    """The label as an SVG, 100 by 62 mm.

    The page's code carries the PIN as the fragment, which a browser never sends.
    """
    codes = [
        (
            "1. Join this network",
            _code(make_wifi(label.ssid, label.password, "WPA")),
            label.ssid,
            f"password {label.password}",
        ),
        (
            "2. Open this page",
            _code(segno.make(f"{url}#{label.pin}", error="m", micro=False)),
            url,
            f"PIN {label.pin}",
        ),
    ]
    parts = [
        f'<text x="{x + 23}" y="8" class="t">{escape(title)}</text>'
        f'<svg x="{x + 3}" y="11" width="40" height="40">{code}</svg>'
        f'<text x="{x + 23}" y="55" class="s">{escape(first)}</text>'
        f'<text x="{x + 23}" y="59.5" class="b">{escape(second)}</text>'
        for x, (title, code, first, second) in zip((2, 52), codes, strict=True)
    ]
    style = (
        "text{font-family:sans-serif;text-anchor:middle}"
        ".t{font-size:4px;font-weight:bold}"
        ".s{font-size:2.6px}"
        ".b{font-size:3.4px;font-weight:bold}"
    )
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="100mm" height="62mm" viewBox="0 0 100 62">'
    )
    return (
        f"{head}<style>{style}</style>"
        f'<rect width="100" height="62" fill="#fff"/>{"".join(parts)}</svg>\n'
    ).encode()


def _code(code: segno.QRCode) -> str:
    """The code as an inner SVG that fills its frame."""
    out = io.BytesIO()
    code.save(out, kind="svg", xmldecl=False, svgns=False, nl=False, omitsize=True, border=2)
    return out.getvalue().decode()
