"""P9: what a process that sees plates holds in memory is locked there, pages to come included; and
under a limit nothing is tried.
"""

import os
import subprocess
import sys

import pytest

LOOK = """
import resource, sys
from agent.host import memory
if sys.argv[1] == "unlimited":
    # Root may lock past its limit, and need not be able to raise it.
    resource.getrlimit = lambda _kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
locked = memory.keep_out_of_swap()
block = bytearray(32 << 20)
block[::4096] = b"x" * len(block[::4096])
status = open("/proc/self/status")
kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmLck"))
print(locked, kilobytes >= 32 << 10)
"""


def look(limit):
    done = subprocess.run(
        [sys.executable, "-c", LOOK, limit], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split()


@pytest.mark.skipif(
    os.geteuid() != 0,
    reason="locking memory without a limit needs root, or a unit with LimitMEMLOCK=infinity",
)
def test_pages_to_come_are_locked():
    assert look("unlimited") == ["True", "True"]


@pytest.mark.skipif(
    subprocess.run(
        ["sh", "-c", "ulimit -l"], capture_output=True, text=True, check=True
    ).stdout.strip()
    == "unlimited",
    reason="no limit here",
)
def test_under_a_limit_nothing_is_locked_and_nothing_breaks():
    assert look("limited") == ["False", "False"]
