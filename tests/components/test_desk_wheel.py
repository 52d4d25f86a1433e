"""A desk has the wheel without extras: no ONNX, OpenCV or FFmpeg. Its commands found a city, keep
its hot list, publish it and answer for it. A camera's commands say what to install.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.desk_wheel import built, installed
from tests.support.pki import Authority

# Forty commands, each a process of its own.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LIBRARIES = ("av", "cv2", "onnxruntime")
# What Python has on Linux and not on macOS, of what we have ever used.
NOT_ON_A_MAC = """\
import ctypes, os, socket, time
found = ctypes.CDLL.__getattr__
def get(self, name):
    if name.startswith("inotify") or name in {"adjtimex", "mlockall", "prctl"}:
        raise AttributeError(name)
    return found(self, name)
ctypes.CDLL.__getattr__ = get
for module, names in (
    (os, ("posix_fadvise", "POSIX_FADV_DONTNEED", "memfd_create", "sched_getaffinity", "pipe2",
          "fdatasync", "O_TMPFILE", "O_PATH", "eventfd", "getrandom")),
    (socket, ("SOCK_CLOEXEC", "SOCK_NONBLOCK")),
    (time, ("CLOCK_BOOTTIME",)),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
"""


@dataclass(frozen=True, slots=True)
class Told:
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Desk:
    """`run` runs the installed `platewarden` here, with nothing of the repository on its path."""

    folder: Path
    bin: Path
    more: str = ""  # a folder that Python looks into first

    def run(self, *arguments, code=0):
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        env |= {"NO_COLOR": "1", "COLUMNS": "200", "PLATEWARDEN_PASSPHRASE_FILE": "passphrase"}
        done = subprocess.run(
            [self.bin / "platewarden", *map(str, arguments)],
            cwd=self.folder,
            env=env | ({"PYTHONPATH": self.more} if self.more else {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (arguments, done.stdout[-2000:], done.stderr)
        assert "Traceback" not in done.stderr
        return Told(done.stdout, done.stderr)


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return installed(built(folder), folder / "venv")


@pytest.fixture
def desk(commands, tmp_path):
    (tmp_path / "passphrase").write_text("correct horse battery staple\n")
    (tmp_path / "passphrase").chmod(0o600)
    return Desk(tmp_path, commands)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_desk_really_lacks_them(commands, library):
    done = subprocess.run(
        [commands / "python", "-I", "-c", f"import {library}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "No module named" in done.stderr


def founded(desk):
    """The clerk's first week, as the guide has it."""
    told = desk.run("receiver", "init", "receiver", "--recipient", "exampleville-pd")
    key = told.out.split('signing_key = "')[1].split('"')[0]
    desk.run(
        *("policy", "new", "--from", "us-ca", "--out", "city", "--yes", "--key", key),
        *("--recipient", "exampleville-pd", "--camera", "main-street-2"),
    )
    desk.run("policy", "check", "city/policy.toml")
    people = ("ada", "ben", "dora", "eli", "daily", "list", "pd")
    for name in people:
        desk.run("bundle", "key", name, "--holder", name.title())
    desk.run(
        *("bundle", "init", "--city", "city", "--id", "exampleville", "--name", "Exampleville"),
        *("--charter-signer", "ada.pub", "--charter-signer", "ben.pub"),
        *("--policy-signer", "dora.pub", "--policy-signer", "eli.pub"),
        *("--online", "daily.pub", "--hotlist-owner", "list.pub", "--roster-key", "roster.pem"),
        *("--recipient", "exampleville-pd=pd.pub"),
    )
    (desk.folder / "city/ca").mkdir()
    authority = Authority(desk.folder / "pki").pem.read_bytes()
    (desk.folder / "city/ca/city-hall-ca.pem").write_bytes(authority)
    for who in ("ada", "ben", "dora", "eli"):
        desk.run("bundle", "sign", "--city", "city", "--key", f"{who}.pem", "--yes")
    desk.run("bundle", "publish", "--city", "city", "--key", "daily.pem")
    (desk.folder / "roster.csv").write_text(
        "id,stands,near,mount\nmain-street-2,Main Street at 2nd Avenue,,fixed\n"
    )
    anchor = "city/repository/metadata/1.root.json"
    desk.run("provision", "--batch", "roster.csv", "--out", "batch", "--anchor", anchor)
    desk.run(
        *("bundle", "sign", "--city", "city", "--key", "dora.pem", "--yes"),
        *("--enrol", "batch/enrolments", "--roster-key", "roster.pem"),
    )
    desk.run("bundle", "sign", "--city", "city", "--key", "eli.pem", "--yes")
    desk.run(
        *("bundle", "sign", "--city", "city", "--role", "keys-exampleville-pd", "--yes"),
        *("--key", "pd.pem", "--key-list", "receiver/key-list.jws"),
    )


def week(desk):
    """Everything that a desk does, once."""
    founded(desk)
    today = datetime.now(UTC).date()
    (desk.folder / "list.csv").write_text(
        "plate,state,category,agency,case,source_date,expires\n"
        f"7TST001,US-CA,stolen-vehicle,Exampletown PD,26-1,{today - timedelta(days=1)},"
        f"{today + timedelta(days=20)}\n"
    )
    desk.run("hotlist", "import", "list.csv", "--city", "city")
    desk.run("hotlist", "show", "--city", "city")
    desk.run("hotlist", "audit", "--city", "city", "--json")
    desk.run("bundle", "publish", "--city", "city", "--key", "daily.pem")
    published = desk.run(
        *("hotlist", "publish", "--city", "city", "--key", "list.pem", "--json"),
        *("--online-key", "daily.pem"),
    )
    assert json.loads(published.out)["published"] is True
    desk.run("audit", "verify", "city/log")
    desk.run("bundle", "show", "--city", "city", "--calendar", "ends.ics")
    desk.run("bundle", "history", "--city", "city")
    desk.run("policy", "explain", "--city", "city", "--html", "page.html")
    desk.run("policy", "diff", "--city", "city")
    desk.run("receiver", "keys", "receiver")
    desk.run("receiver", "--help")
    desk.run("broker", "--help")
    desk.run("report", "--help")


def test_a_desk_does_its_week(desk):
    week(desk)


def test_a_desk_without_what_linux_alone_has_does_the_same(desk):
    (desk.folder / "mac").mkdir()
    (desk.folder / "mac/sitecustomize.py").write_text(NOT_ON_A_MAC)
    week(Desk(desk.folder, desk.bin, str(desk.folder / "mac")))


def test_a_command_of_the_camera_says_what_to_install(desk):
    (desk.folder / "picture.png").write_bytes(b"no picture")
    told = desk.run("read", "picture.png", code=2).err
    assert told == (
        "platewarden: this command needs the camera's libraries, and 'cv2' is not installed "
        "(pip install 'platewarden[camera]')\n"
    )
    told = desk.run("demo", "--out", "out", code=2).err
    assert "pip install 'platewarden[demo]'" in told
    assert told.count("\n") == 1
