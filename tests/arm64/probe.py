"""Run first in the emulated tree: is this really that processor, and do all libraries of the
camera's side load on it?
"""

import ctypes
import platform
import sys

# <asm/hwcap.h> of arm64: what came after ARMv8.0, the newest that a Cortex-A53 and A72 know
NEWER = {
    "atomics": 1 << 8,
    "fphp": 1 << 9,
    "asimdhp": 1 << 10,
    "asimdrdm": 1 << 12,
    "asimddp": 1 << 20,
    "sve": 1 << 22,
}
AT_HWCAP = 16

cpu = sys.argv[1]
capable = ctypes.CDLL(None).getauxval
capable.restype, capable.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
present = [name for name, bit in NEWER.items() if capable(AT_HWCAP) & bit]
if platform.machine() != "aarch64":
    sys.exit(f"this is {platform.machine()}, not aarch64")
if cpu in {"cortex-a53", "cortex-a72"} and present:
    sys.exit(f"{cpu} has no {', '.join(present)}: the emulated processor is another one")

import av  # noqa: E402, F401  # the processor must be known first
import cryptography  # noqa: E402
import cv2  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import pydantic  # noqa: E402
import pyrage  # noqa: E402, F401

versions = [
    f"{module.__name__} {module.__version__}"
    for module in (cryptography, cv2, np, onnxruntime, pydantic)
]
print(f"test-arm64: {cpu}, Python {platform.python_version()}, {', '.join(versions)}")
