"""Every shared library in the wheels of our packages stands in a list with its version and the end
of its support. One past it fails, unless it is known, unreached, and only for a while.
"""

import platform
import re
import runpy
import sysconfig
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.backends.openssl.backend import backend

ROOT = Path(__file__).parents[2]
LISTED = ROOT / "debian/end-of-life.toml"
# What only `read`, tests and trainings install. PyAV is Debian's where a camera has it.
IN_NO_PACKAGE = {"av", "pi_heif", "pillow", "matplotlib", "torch", "scipy"}
LEFT_OUT = runpy.run_path(str(ROOT / "debian/absent.py"))
TAG = runpy.run_path(str(ROOT / "debian/sbom.py"))["TAG"]


def table():
    return tomllib.loads(LISTED.read_text())


def installed():
    """As `wheel/library.so.version`, but for what debian/absent.py leaves out."""
    folder = Path(sysconfig.get_path("purelib"))
    found = {
        f"{libs.name.removesuffix('.libs')}/{TAG.sub('', file.name)}"
        for libs in folder.glob("*.libs")
        if libs.name.removesuffix(".libs") not in IN_NO_PACKAGE
        for file in libs.iterdir()
        if ".so" in file.name
        and not (libs.name in LEFT_OUT["WHEELS"] and LEFT_OUT["ABSENT"].match(file.name))
    }
    versions = {"cryptography": backend.openssl_version_text().split()[1], **openssl_of(folder)}
    return found | {
        f"{wheel}/OpenSSL {'.'.join(version.split('.')[:2])}" for wheel, version in versions.items()
    }


def openssl_of(folder):
    """{wheel: version} of the OpenSSL that lies in psycopg's wheel: its name says only `.so.3`."""
    (library,) = folder.glob("psycopg_binary.libs/libcrypto-*.so.*")
    (version,) = set(re.findall(rb"OpenSSL (\d+\.\d+\.\d+) \d", library.read_bytes()))
    return {"psycopg_binary": version.decode()}


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
    found = {"known": {}, **table()}
    assert past(found["ends"], found["known"], datetime.now(UTC).date()) == []


def test_one_past_its_end_is_told_also_a_known_one_after_its_while():
    today = datetime.now(UTC).date()
    ends, while_ = {"x": str(today)}, str(today + timedelta(days=1))
    assert past(ends, {}, today) == ["x"]
    assert past(ends, {"x": {"until": while_}}, today) == []
    assert past(ends, {"x": {"until": while_}}, today + timedelta(days=1)) == ["x"]
    assert past({"x": while_, "y": ""}, {}, today) == []


def test_what_is_put_up_with_has_its_reason_its_end_and_is_there():
    found = table()
    for name, one in found.get("known", {}).items():
        assert one.keys() == {"why", "until"}
        assert found["ends"][name] < one["until"]
        assert date.fromisoformat(one["until"]) < datetime.now(UTC).date() + timedelta(days=183)


def test_no_package_holds_an_openssl_that_nobody_mends():
    """OpenCV's wheel has 1.1.1k, of 2021: left out (tests/components/test_absent.py)."""
    held = installed()
    assert not [name for name in held if "1.1.1" in name]
    assert {"cryptography/OpenSSL 4.0", "psycopg_binary/OpenSSL 3.5"} <= held
