"""One program of this machine's, started for one ring: no shell, an end, and nothing of our
environment.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from agent.errors import NetworkError
from agent.receiver.ringing.dial import RING_S


def run_to_end(command: Sequence[str], stdin: bytes, environment: Mapping[str, str]) -> int:
    """Its exit code. `environment`: beside PATH. What it says goes nowhere: it may repeat ours.

    Raises NetworkError: it does not start, or did not end in RING_S.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  # an argument list, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath, **environment},
            start_new_session=True,
        )
    except OSError as error:
        raise NetworkError(f"does not start: {error.strerror}") from None
    try:
        process.communicate(stdin, RING_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # and whatever it started
        process.communicate()
        raise NetworkError(f"did not end in {RING_S:.0f} s") from None
    return process.returncode
