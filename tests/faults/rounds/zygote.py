"""One machine of the rounds: a process in a network of its own that has loaded the product already,
and forks the real processes, so that each starts in a moment.

Speaks JSON lines: a request in, an answer out.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

from tests.faults.rounds import roles

CLONE_NEWNET = 0x40000000


def own_network() -> None:
    """Leave the network of whoever started us; needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def start(request: dict) -> dict:
    """Fork `role`; its output goes to a file."""
    pid = os.fork()
    if pid:
        return {"pid": pid}
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        quiet = os.open(os.devnull, os.O_RDONLY)
        for kept, made in ((0, quiet), (1, output), (2, output)):
            os.dup2(made, kept)
        os.environ |= request.get("environment", {})
        if request["role"] == "watch" and request["walled"]:
            own_network()  # PrivateNetwork= of its unit
        code = roles.run(request["role"], request["arguments"], Path(request["control"]))
    except BaseException:  # noqa: BLE001 - shown, and the exit code tells
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(request: dict) -> dict:
    """The exit code of one that has ended (negative: by that signal), or None."""
    pid, status = os.waitpid(request["pid"], os.WNOHANG)
    return {"code": os.waitstatus_to_exitcode(status) if pid else None}


def command(request: dict) -> dict:
    """Run a program here, in this machine's network."""
    done = subprocess.run(request["command"], capture_output=True, text=True, check=False)
    return {"code": done.returncode, "said": done.stdout + done.stderr}


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    if "--own-network" in sys.argv:
        own_network()
    roles.load()
    answers = {"start": start, "ended": ended, "command": command}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(answers[request["ask"]](request)), flush=True)


if __name__ == "__main__":
    main()
