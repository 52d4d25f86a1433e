"""Every shared library in the wheels of a camera's package stands in a list with its version and
the end of its support. One past it fails, unless it is known, unreached, and only for a while.
"""

import ast
import platform
import re
import sysconfig
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.backends.openssl.backend import backend

ROOT = Path(__file__).parents[2]
LISTED = ROOT / "debian/end-of-life.toml"
# What only `read`, tests or a recipient's server installs. PyAV is Debian's where a camera has it.
NO_CAMERAS = {"av", "pi_heif", "pillow", "psycopg_binary", "matplotlib", "torch", "scipy"}
_TAG = re.compile(r"-[0-9a-f]{8}(?=[-.])")  # which auditwheel puts into a copied library's name


def table():
    return tomllib.loads(LISTED.read_text())


def installed():
    """As `wheel/library.so.version`."""
    folder = Path(sysconfig.get_path("purelib"))
    found = {
        f"{libs.name.removesuffix('.libs')}/{_TAG.sub('', file.name)}"
        for libs in folder.glob("*.libs")
        if libs.name.removesuffix(".libs") not in NO_CAMERAS
        for file in libs.iterdir()
        if ".so" in file.name
    }
    version = backend.openssl_version_text().split()[1]
    return found | {f"cryptography/OpenSSL {'.'.join(version.split('.')[:2])}"}


def past(ends, known, today):
    """Libraries whose support has ended and that nobody put up with until then."""
    return sorted(
        name
        for name, end in ends.items()
        if end
        and date.fromisoformat(end) <= today
        and not (name in known and today < date.fromisoformat(known[name]["until"]))
    )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the list is of x86_64's wheels")
def test_every_library_is_listed_with_its_version():
    listed = set(table()["ends"])
    assert sorted(installed() - listed) == [], "new: look up when its support ends"
    assert sorted(listed - installed()) == [], "gone: take it out"


def test_none_is_past_its_end():
    found = table()
    assert past(found["ends"], found["known"], datetime.now(UTC).date()) == []


def test_one_past_its_end_is_told_also_a_known_one_after_its_while():
    found = table()
    today = datetime.now(UTC).date()
    assert past(found["ends"], {}, today), "OpenCV's OpenSSL of 2021"
    latest = max(date.fromisoformat(one["until"]) for one in found["known"].values())
    assert past(found["ends"], found["known"], latest) != []
    assert past({"x": str(today)}, {}, today) == ["x"]
    assert past({"x": str(today + timedelta(days=1)), "y": ""}, {}, today) == []


def test_what_is_put_up_with_has_its_reason_its_end_and_is_there():
    found = table()
    for name, one in found["known"].items():
        assert one.keys() == {"why", "until"}
        assert found["ends"][name] < one["until"]
        assert date.fromisoformat(one["until"]) < datetime.now(UTC).date() + timedelta(days=183)


def test_nothing_of_ours_reaches_opencvs_ffmpeg():
    """Its OpenSSL would be called by VideoCapture and VideoWriter alone."""
    called = {
        node.attr
        for file in (ROOT / "agent").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert called & {"VideoCapture", "VideoWriter", "videoio", "videoio_registry"} == set()
    assert "imdecode" in called, "it looks where OpenCV is called"
