"""Draws the label for the pole: which city and camera, under which policy, and a QR code for the
page that says who may be told what by this camera (docs/ref/enrolment.md).
"""

from __future__ import annotations

import io
import os
import re
from html import escape
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.generation_store import BundleStore
from agent.core.text.visible import visible
from agent.disk.atomic_file import write_atomic
from agent.errors import ConfigError, StorageError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    import segno

    from agent.settings import Settings

MOST_URL = 120  # characters: a code that a phone reads from the pavement
PAGE_SUFFIX = ".html"
_URL = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/", re.ASCII)
_NAME_LINE = 34  # characters of a line of the label
_BUNDLES = "bundles"  # below a process's state, as sides.signed_city has it


@dataclass(frozen=True, slots=True)
class PoleLabel:
    """`digest`: of the policy, 64 hex digits; `url`: the page of this camera, digest behind `#`,
    which a browser sends to nobody.
    """

    city: str
    camera: str
    version: int
    digest: str
    url: str


def label_of(settings: Settings, base: str) -> PoleLabel:
    """From the bundles that watch verified, or on a rig from the unsigned folder. `base`: the
    folder on the city's web server in which `policy pole` put the pages.

    Raises UsageError, ConfigError where no bundles were verified yet, and what reading them raises.
    """
    if not _URL.fullmatch(base) or len(base) > MOST_URL:
        raise UsageError(
            f"{base[:MOST_URL]!a} is no folder's address",
            where="--at",
            fix="write https://exampleville.example/cameras/",
        )
    folder, name = settings.city, ""
    if settings.anchor.exists():
        store = BundleStore(
            settings.state / "watch" / _BUNDLES, settings.anchor, settings.limits, rig=settings.rig
        )
        generation = store.current()
        if generation is None:
            raise ConfigError(
                "no bundles were verified yet, so nothing says which policy holds here",
                where=settings.state / "watch" / _BUNDLES,
                fix="run `platewarden update`, and start watch once",
            )
        folder, name = generation.city, generation.facts.city.name
    policy = CityFolder(folder).policy()
    camera = settings.camera_id
    url = f"{base}{camera}{PAGE_SUFFIX}#{policy.digest[:16]}"
    return PoleLabel(name or policy.name, camera, policy.version, policy.digest, url)


def write_label(label: PoleLabel, path: Path) -> dict[str, object]:
    """The label as an SVG; nothing is overwritten. Raises StorageError."""
    if os.path.lexists(path):
        raise StorageError(
            "exists already; nothing is ever overwritten", where=path, fix="choose another name"
        )
    write_atomic(path, draw(label), 0o644)
    return {
        "camera": label.camera,
        "city": label.city,
        "policy": f"version {label.version}, SHA-256 {label.digest}",
        "page": label.url,
        "file": str(path),
        "print": "at 100 %: 120 by 170 mm",
    }


def draw(label: PoleLabel) -> bytes:
    """SVG of 120 by 170 mm, black on white."""
    lines = [*_wrapped(label.city), f"Camera {label.camera}"]
    texts = "".join(
        f'<text x="60" y="{14 + 7 * row}" class="t">{escape(visible(line))}</text>'
        for row, line in enumerate(lines)
    )
    page = label.url.partition("#")[0]
    below = (
        ("This camera reads licence plates.", "t"),
        ("Who may be told what by it, and what it sent:", "s"),
        (page, "u"),
        (f"Policy version {label.version}, SHA-256 {label.digest[:16]}…", "u"),
    )
    top = 132
    texts += "".join(
        f'<text x="60" y="{top + 8 * row}" class="{kind}">{escape(visible(line))}</text>'
        for row, (line, kind) in enumerate(below)
    )
    style = (
        "text{font-family:sans-serif;text-anchor:middle}.t{font-size:6px;font-weight:bold}"
        ".s{font-size:4.4px}.u{font-size:3.4px;font-family:monospace}"
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="120mm" height="170mm" '
        f'viewBox="0 0 120 170"><title>{escape(visible(f"{label.city}, {label.camera}"))}</title>'
        f'<style>{style}</style><rect width="120" height="170" fill="#fff"/>{texts}'
        f'<svg x="15" y="32" width="90" height="90">{_code(code_of(label))}</svg></svg>\n'
    ).encode()


def code_of(label: PoleLabel) -> segno.QRCode:
    """For a phone. Level Q: a quarter of it may be scratched."""
    import segno

    return segno.make(label.url, error="q", micro=False)


def terminal(label: PoleLabel) -> str:
    """The code for a terminal."""
    shown = io.StringIO()
    code_of(label).terminal(shown, compact=True, border=2)
    return shown.getvalue()


def _code(code: segno.QRCode) -> str:
    """The code as an inner SVG that fills its frame."""
    out = io.BytesIO()
    code.save(out, kind="svg", xmldecl=False, svgns=False, nl=False, omitsize=True, border=2)
    return out.getvalue().decode()


def _wrapped(name: str) -> list[str]:
    """A city's name in at most two lines."""
    if len(name) <= _NAME_LINE:
        return [name]
    cut = name.rfind(" ", 0, _NAME_LINE)
    first = name[: cut if cut > 0 else _NAME_LINE]
    rest = name[len(first) :].strip()
    return [first, rest if len(rest) <= _NAME_LINE else rest[: _NAME_LINE - 1] + "…"]
