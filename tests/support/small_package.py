"""Small Debian packages for tests, written here byte by byte: a version of the software that says
what it is, and a broken one.
"""

import io
import json
import tarfile
from pathlib import Path

from tests.support.clerk_city import Desk

SOFTWARE = "usr/lib/platewarden"
ARCHITECTURE, PYTHON = "arm64", "3.11"


def deb(
    path: Path,
    version: str = "1.4.0",
    files: dict[str, bytes] | None = None,
    *,
    architecture: str = ARCHITECTURE,
    python: str = PYTHON,
    name: str = "platewarden",
    kind: str = "xz",
    extra: tuple[tarfile.TarInfo, ...] = (),
) -> Path:
    """A package. `files`: content by path; `kind`: of compression, as tarfile calls it, or "";
    `extra`: members without content.
    """
    minor = int(python.split(".")[1])
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        f"Depends: libc6, python3 (>= {python}~), python3 (<< 3.{minor + 1}~)\n"
        "Description: a camera\n for a test\n"
    )
    given = {f"{SOFTWARE}/agent/__init__.py": f'__version__ = "{version}"\n'.encode()}
    data = _tar(files if files is not None else given, kind, extra)
    end = f".tar.{kind}" if kind else ".tar"
    members = {
        "debian-binary": b"2.0\n",
        f"control{end}": _tar({"control": control.encode()}, kind),
        f"data{end}": data,
    }
    path.write_bytes(b"!<arch>\n" + b"".join(_member(*one) for one in members.items()))
    return path


def _member(name: str, data: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    return head.encode() + data + b"\n" * (len(data) % 2)


def _tar(files: dict[str, bytes], kind: str, extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{kind}") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
        for member in extra:
            archive.addfile(member)
    return out.getvalue()


def publish_key(desk: Desk, name: str) -> str:
    """The raw public half of one of the desk's keys, in hex, as a charter writes it."""
    key = json.loads(desk.pub(name).read_text())["key"]
    return str(key["keyval"]["public"])


def software_city(desk: Desk, floor: str = "1.0.0") -> Desk:
    """A published city whose charter speaks of software, and whose role has three holders. The
    release key is Gus's.
    """
    charter = desk.city / "charter.toml"
    rules = f'[software]\nrelease_keys = ["{publish_key(desk, "gus")}"]\nfloor = "{floor}"\n'
    charter.write_text(f"{charter.read_text()}\n{rules}")
    pubs = [word for who in ("dora", "eli", "fay") for word in ("--add", desk.pub(who))]
    done = desk.rotate("--role", "software", *pubs, "--threshold", "2")
    assert done.code == 0, done.err
    for who in ("ada", "ben"):
        done = desk.sign(who, "--start-again" if who == "ada" else "--yes")
        assert done.code == 0, done.err
    done = desk.publish()
    assert done.code == 0, done.err
    return desk


def vouched(desk: Desk, *packages: Path, key: str = "gus", state: int = 1) -> Path:
    """The statement of the release key."""
    out = desk.folder / f"statement-{len(list(desk.folder.glob('statement-*')))}.jws"
    words = ("software", "vouch", *packages, "--key", desk.key(key), "--out", out)
    done = desk.run(*words, "--state", state, on="")
    assert done.code == 0, done.err
    return out
