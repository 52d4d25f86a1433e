"""Looks at the machine: disk, mount, heat, power, swap, core dumps, memory cgroup. Reads only.

`system`: /, or a test's stand-in.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from agent.core.camera import diagnosis
from agent.core.camera.diagnosis_findings import Finding, skip
from agent.settings import Settings

SYSTEM = Path("/")
MAX_BYTES = 65_536
TIMEOUT_S = 10.0
_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"

Runs = Callable[[list[str]], str | None]


def look(settings: Settings, system: Path = SYSTEM) -> list[Finding]:
    """Every line of the machine."""
    controller = memory_controller(system)
    areas = [
        line.split()[0]
        for line in (_text(system / "proc/swaps") or "").splitlines()[1:]
        if line.strip()
    ]
    pattern = _text(system / "proc/sys/kernel/core_pattern")
    return [
        *storage(settings, system),
        diagnosis.heat(temperature(system)),
        diagnosis.power(throttled(system), is_pi=is_pi(system)),
        diagnosis.swap(areas, memory_controller=bool(controller)),
        diagnosis.memory_controller(controller),
        diagnosis.core_pattern(pattern)
        if pattern
        else skip("core dumps", "the kernel does not say what it does with them"),
    ]


def storage(settings: Settings, system: Path = SYSTEM) -> Iterator[Finding]:
    """Room, and the kind of file system, where the state lies or will lie."""
    folder = settings.state.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield diagnosis.space(
        free, settings.limits.max_outbox_reads * settings.limits.max_envelope_bytes
    )
    found = mounted(folder, _text(system / "proc/mounts") or "")
    yield diagnosis.mount(*found) if found else skip("mount", "the kernel does not tell the mounts")


def mounted(folder: Path, mounts: str) -> tuple[str, frozenset[str]] | None:
    """Kind and options of the file system that holds `folder`, from /proc/mounts: the longest mount
    point above it, the last of equals.
    """
    best: tuple[int, str, frozenset[str]] | None = None
    for line in mounts.splitlines():
        parts = line.split()
        if len(parts) < 4:
            continue
        point = Path(parts[1].replace("\\040", " "))
        if folder.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = len(point.parts), parts[2], frozenset(parts[3].split(","))
    return best[1:] if best else None


def temperature(system: Path = SYSTEM) -> float | None:
    """The hottest zone that belongs to a processor, else the hottest of all, in °C."""
    zones: list[tuple[bool, float]] = []
    for zone in sorted((system / "sys/class/thermal").glob("thermal_zone*")):
        with suppress(ValueError, TypeError):
            kind = _text(zone / "type") or ""
            zones.append(
                ("cpu" in kind or "x86_pkg" in kind, int(_text(zone / "temp") or "") / 1000)
            )
    return max(zones)[1] if zones else None


def is_pi(system: Path = SYSTEM) -> bool:
    """Does the device tree say Raspberry Pi?"""
    return "Raspberry Pi" in (_text(system / "proc/device-tree/model") or "")


def throttled(system: Path = SYSTEM, runs: Runs | None = None) -> int | None:
    """The firmware's bits, from sysfs or from vcgencmd; None where neither tells."""
    if text := _text(system / _THROTTLED):
        with suppress(ValueError):
            return int(text, 16)
    said = (runs or run)(["vcgencmd", "get_throttled"]) if is_pi(system) else None
    if said and "=" in said:
        with suppress(ValueError):
            return int(said.partition("=")[2].strip(), 16)
    return None


def memory_controller(system: Path = SYSTEM) -> bool | None:
    """Is the memory controller on? None without a unified hierarchy."""
    controllers = _text(system / "sys/fs/cgroup/cgroup.controllers")
    return None if controllers is None else "memory" in controllers.split()


def run(command: list[str]) -> str | None:
    """What a program of the system prints; None when it is not there, fails or hangs."""
    program = shutil.which(command[0]) or shutil.which(
        command[0], path="/usr/sbin:/sbin:/usr/bin:/bin"
    )
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [program, *command[1:]],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:MAX_BYTES] if done.returncode == 0 else None


def _text(path: Path) -> str | None:
    """A small file of the kernel's, stripped; None when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.read(descriptor, MAX_BYTES).decode("utf-8", "replace").strip("\0 \n")
    except OSError:
        return None
    finally:
        os.close(descriptor)
