"""The camera's own libraries in watch's sandbox: no netlink to hear of devices by, no network, no
writable code, and frames all the same.
"""

import os
from pathlib import Path

import pytest

from tests.boot.sandbox import in_sandbox

TREE = Path(os.environ.get("PLATEWARDEN_PICAMERA_TREE", "/nonexistent"))
# As in tests/picamera/run.sh: libcamera 0.4.0 reads a status that it never set.
STEADY = (
    "Environment=GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=255 "
    "LIBCAMERA_LOG_LEVELS=*:ERROR"
)

# Without netlink libcamera looks into sysfs instead, and wants the media subsystem's folder there.
# Every Pi's kernel has it, this machine's need not.
MEDIA = "BindReadOnlyPaths=/opt/boot/bus:/sys/bus"


@pytest.mark.skipif(
    not (TREE / "venv").is_dir(),
    reason="needs the tree with libcamera and picamera2: make test-picamera builds it",
)
def test_picamera2_takes_frames_in_watchs_sandbox(machine):
    told = in_sandbox(
        machine,
        "platewarden-watch",
        "/venv/bin/python -B /opt/boot/tests/boot/libcamera_probe.py",
        STEADY,
        MEDIA,
    )
    assert told["model"] == "Platewarden virtual camera"
    assert set(told["lengths"]) == {1920 * 1080 * 3 // 2}
    assert "CPUExecutionProvider" in told["providers"]
