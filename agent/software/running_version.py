"""Which version this process runs, by the folder that it was started from, and which kind of
machine this is.
"""

import platform
import re
import struct
import sys
from pathlib import Path

import agent
from agent.core.software.choice import Machine
from agent.core.software.installed import STATE_FORMATS, Installed
from agent.core.software.software_version import parse_version

_SLOT = re.compile(r"/versions/([0-9a-f]{64})/")
_ARCHITECTURES = {("x86_64", 8): "amd64", ("aarch64", 8): "arm64"}


def running(file: str | None = None) -> Installed:
    """Of this process. `file`: a test's, in place of our own package's."""
    found = _SLOT.search(str(Path(file or agent.__file__).resolve()))
    return Installed(parse_version(agent.__version__), found[1] if found else "", STATE_FORMATS)


def told(installed: Installed) -> dict[str, object]:
    """A version, for a leaf; without a digest where the machine's package has it."""
    return {"software": str(installed.version), "software_sha256": installed.sha256}


def this_machine(camera: str) -> Machine:
    """`camera`: its id. The architecture is that of the interpreter, as dpkg calls it: a kernel of
    64 bits may carry a system of 32.
    """
    kind = (platform.machine(), struct.calcsize("P"))
    architecture = _ARCHITECTURES.get(kind, kind[0] if kind[1] == 8 else "armhf")
    return Machine(camera, architecture, f"{sys.version_info[0]}.{sys.version_info[1]}")
