"""What `provision` writes: a device's folder with its QR code, and the tree of a batch."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from agent.core.wire.enrolment import fingerprint, qr_text, spoken
from agent.disk.folder import NewFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.policy.roster_csv import RosterRow
    from agent.core.wire.enrolment import Enrolment
    from agent.sealing.camera_keys import Kit

PRIVATE, PUBLIC = 0o600, 0o644
ENROLMENTS, SHEET, ROSTER = "enrolments", "fingerprints.txt", "roster.toml"
_SETTINGS = """\
# Made by `platewarden provision --batch`. Every field: docs/ref/settings.md.

camera_id = "{device}"
{city}
[paths]                                \
# of an installed camera: the units may write there and nowhere else
state = "/var/lib/platewarden"
bundles = "/var/lib/platewarden/bundles-in"
"""
_NEXT = """\
camera {device}

1. Copy this folder's contents to the card of this camera and of no other: \
into `platewarden` on its boot partition for the first boot
   (docs/ref/first-boot.md), or as /etc/platewarden \
and then `systemd-tmpfiles --create` on the camera.
2. Destroy this folder: whoever has it can speak as this camera, and read the hot list.
"""


def device_files(
    kit: Kit,
    encrypt: Callable[[str, bytes], bytes] | None = None,
    kept: frozenset[str] = frozenset(),
) -> dict[str, NewFile]:
    """The files of paths.device.

    `encrypt`: makes a systemd credential of a private file; those in `kept` stay files.
    """
    files = {name: NewFile(data, PUBLIC) for name, data in kit.public.items()}
    for name, data in kit.private.items():
        if encrypt is None or name in kept:
            files[name] = NewFile(data, PRIVATE)
        else:
            files[f"{name}.cred"] = NewFile(encrypt(name, data), PRIVATE)
    return files | {
        f"enrolment.{kind}": NewFile(qr_picture(kit.enrolment, kind), PUBLIC)
        for kind in ("svg", "png")
    }


def batch_files(
    kits: Mapping[str, Kit], rows: tuple[RosterRow, ...], anchor: bytes | None, domain: str
) -> dict[str, NewFile]:
    """The whole tree: one folder a camera, and beside them what goes to the clerk."""
    files: dict[str, NewFile] = {}
    city = f'city_domain = "{domain}"\n' if domain else ""
    for name, kit in kits.items():
        files |= {f"{name}/device/{inner}": file for inner, file in device_files(kit).items()}
        settings = _SETTINGS.format(device=name, city=city)
        files[f"{name}/platewarden.toml"] = NewFile(settings.encode())
        files[f"{name}/README.txt"] = NewFile(_NEXT.format(device=name).encode())
        if anchor is not None:
            files[f"{name}/trust/root.json"] = NewFile(anchor)
        files[f"{ENROLMENTS}/{name}.json"] = NewFile(kit.public["enrolment.json"])
    sheet = "".join(
        f"{name:<34}{spoken(fingerprint(kit.enrolment))}\n" for name, kit in kits.items()
    )
    files[f"{ENROLMENTS}/{SHEET}"] = NewFile(sheet.encode())
    files[f"{ENROLMENTS}/{ROSTER}"] = NewFile("\n".join(map(_camera_table, rows)).encode())
    return files


def _camera_table(row: RosterRow) -> str:
    """One [[camera]] for the city's roster.toml.

    JSON writes text as TOML does, but for control characters, which were refused.
    """
    near = ", ".join(json.dumps(place) for place in row.near)
    return (
        f'[[camera]]\nid = "{row.id}"\nstands = {json.dumps(row.stands, ensure_ascii=False)}\n'
        f'near = [{near}]\nmount = "{row.mount}"\n'
        + (f'group = "{row.group}"\n' if row.group else "")
    )


def qr_picture(enrolment: Enrolment, kind: str) -> bytes:
    """The QR code as svg or png."""
    import segno

    picture = io.BytesIO()
    segno.make(qr_text(enrolment), error="m", micro=False).save(picture, kind=kind, scale=8)
    return picture.getvalue()


def qr_terminal(enrolment: Enrolment) -> str:
    """The same for a terminal."""
    import segno

    shown = io.StringIO()
    segno.make(qr_text(enrolment), error="m", micro=False).terminal(shown, compact=True, border=2)
    return shown.getvalue()
