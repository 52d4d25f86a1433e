"""Looks at the machine: disk, mount, heat, power, swap, core dumps, memory cgroup. Reads only.

`system`: /, or a test's stand-in.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from agent.core.camera import diagnosis
from agent.core.camera.diagnosis_findings import Finding, skip
from agent.host import board
from agent.host.board import SYSTEM, temperature, text_of
from agent.settings import Settings

MAX_BYTES = 65_536
TIMEOUT_S = 10.0

Runs = Callable[[list[str]], str | None]


def look(settings: Settings, system: Path = SYSTEM) -> list[Finding]:
    """Every line of the machine."""
    controller = memory_controller(system)
    areas = [
        line.split()[0]
        for line in (text_of(system / "proc/swaps") or "").splitlines()[1:]
        if line.strip()
    ]
    pattern = text_of(system / "proc/sys/kernel/core_pattern")
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
    found = mounted(folder, text_of(system / "proc/mounts") or "")
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


def is_pi(system: Path = SYSTEM) -> bool:
    """Does the device tree say Raspberry Pi?"""
    return "Raspberry Pi" in (text_of(system / "proc/device-tree/model") or "")


def throttled(system: Path = SYSTEM, runs: Runs | None = None) -> int | None:
    """The firmware's bits, from sysfs or from vcgencmd; None where neither tells."""
    if (bits := board.throttled(system)) is not None:
        return bits
    said = (runs or run)(["vcgencmd", "get_throttled"]) if is_pi(system) else None
    if said and "=" in said:
        with suppress(ValueError):
            return int(said.partition("=")[2].strip(), 16)
    return None


def memory_controller(system: Path = SYSTEM) -> bool | None:
    """Is the memory controller on? None without a unified hierarchy."""
    controllers = text_of(system / "sys/fs/cgroup/cgroup.controllers")
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
