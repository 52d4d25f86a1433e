"""What the kernel tells of the board without any program's help: how hot it is, and whether the
firmware cuts its power or clock.
"""

import os
from contextlib import suppress
from pathlib import Path

SYSTEM = Path("/")
_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
_MOST_BYTES = 65_536


def temperature(system: Path = SYSTEM) -> float | None:
    """The hottest zone that belongs to a processor, else the hottest of all, in °C."""
    zones: list[tuple[bool, float]] = []
    for zone in sorted((system / "sys/class/thermal").glob("thermal_zone*")):
        with suppress(ValueError, TypeError):
            kind = text_of(zone / "type") or ""
            zones.append(
                ("cpu" in kind or "x86_pkg" in kind, int(text_of(zone / "temp") or "") / 1000)
            )
    return max(zones)[1] if zones else None


def throttled(system: Path = SYSTEM) -> int | None:
    """The firmware's bits, from sysfs; None where it does not tell."""
    with suppress(ValueError):
        return int(text_of(system / _THROTTLED) or "", 16)
    return None


def text_of(path: Path) -> str | None:
    """A small file of the kernel's, stripped; None when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = b""
        # The kernel gives such a list of lines a page at a time.
        while more := os.read(descriptor, _MOST_BYTES - len(found)):
            found += more
        return found.decode("utf-8", "replace").strip("\0 \n")
    except OSError:
        return None
    finally:
        os.close(descriptor)
