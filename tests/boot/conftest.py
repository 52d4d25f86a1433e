"""One machine, one city, for all tests of this folder; started by run.sh, which makes the
namespaces that they live in.
"""

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from tests.boot import city as city_parts
from tests.boot.city import BROKER_PORT, OTHER_PORT, SOURCE_PORT, BootCity
from tests.boot.machine import Machine, bridge, run
from tests.picamera.frames import write_frames

HERE = Path(__file__).parent
UNITS = ("platewarden-watch", "platewarden-deliver")
ENABLED = (
    *(f"{unit}.service" for unit in UNITS),
    "platewarden-walls.service",
    "platewarden-walls.path",
    "platewarden-walls.timer",
    "platewarden-update.timer",
)


@pytest.fixture(scope="session")
def work():
    """On a real disk: an overlay's upper half cannot lie on every tmpfs."""
    folder = Path(tempfile.mkdtemp(prefix="platewarden-boot-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def city(work):
    """Broker and receiver run."""
    bridge()
    made = BootCity(work / "city")
    try:
        made.start()
        with listeners():
            yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def machine(work, city):
    """Enrolled, its units enabled, and up."""
    libcamera = Path(os.environ["PLATEWARDEN_PICAMERA_TREE"])
    beneath = libcamera if (libcamera / "venv").is_dir() else None
    made = Machine(base_tree(), work / "machine", beneath)
    made.install(packages())
    lend_camera(made)
    city.enrol(made)
    made.enable(*ENABLED)
    try:
        made.start()
        made.wait_up(*UNITS)
        yield made
    finally:
        made.stop()
        run("umount", made.root)


def base_tree() -> Path:
    """What build_tree.sh made."""
    return Path(os.environ["PLATEWARDEN_BOOT_TREE"])


def packages() -> Path | None:
    """Where the built packages lie, or None: the working tree is laid out instead."""
    given = os.environ.get("PLATEWARDEN_BOOT_PACKAGES")
    return Path(given) if given else None


def lend_camera(machine: Machine) -> None:
    """A stand-in for the library; the unit and its command line stay as shipped."""
    here, there = HERE.parents[1], machine.root / "opt/boot"
    for name in ("tests/fakes/picamera2.py", "tests/support/media.py"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(here / name, there / name)
    shutil.copy(HERE / "probe.py", there / "probe.py")
    library = machine.root / "usr/lib/python3/dist-packages/picamera2.py"
    library.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "picamera2.py", library)
    city_parts.street(there / "street")
    for name in ("tests/picamera/glue.py", "tests/boot/libcamera_probe.py"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(here / name, there / name)
    virtual = machine.root / "usr/share/libcamera/pipeline/virtual/virtual.yaml"
    virtual.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(here / "tests/picamera/virtual.yaml", virtual)
    write_frames(machine.root / "frames")
    (there / "bus/media/devices").mkdir(parents=True)


@contextlib.contextmanager
def listeners():
    """Something that would answer at every address and port that a probe tries: what is refused is
    refused by a wall.
    """
    sockets = []
    for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for port in (
            SOURCE_PORT,
            OTHER_PORT,
            53,
            *([BROKER_PORT] if family == socket.AF_INET6 else []),
        ):
            listening = socket.socket(family)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind((any_address, port))
            listening.listen()
            threading.Thread(target=_swallow, args=(listening,), daemon=True).start()
            datagrams = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            datagrams.bind((any_address, port))
            sockets += [listening, datagrams]
    try:
        yield
    finally:
        for one in sockets:
            one.close()


def _swallow(listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            listening.accept()[0].close()
