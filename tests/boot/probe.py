"""Runs inside a unit's sandbox in the unit's place and tells, as JSON, what it could do there.

Standard library only; tries everything and harms nothing.

probe.py '{"connect": [["10.0.0.1", 8883]], "send": [...], "read": ["/path"], "open": ["/dev/x"]}'
"""

import ctypes
import errno
import json
import os
import resource
import socket
import sys
import time
from pathlib import Path

WAIT_S = 3.0
FAMILIES = (
    "AF_UNIX",
    "AF_INET",
    "AF_INET6",
    "AF_NETLINK",
    "AF_PACKET",
    "AF_VSOCK",
    "AF_BLUETOOTH",
    "AF_ALG",
)


def told(action) -> str:
    """`ok`, or the kernel's word for no."""
    try:
        action()
    except TimeoutError:
        return "TIMEOUT"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "ok"


def family(number: int) -> None:
    kinds = {
        getattr(socket, "AF_ALG", -1): socket.SOCK_SEQPACKET,
        socket.AF_PACKET: socket.SOCK_RAW,
    }
    socket.socket(number, kinds.get(number, socket.SOCK_DGRAM)).close()


def connect(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.settimeout(WAIT_S)
        sock.connect((address, port))


def send(address: str, port: int) -> None:
    """A datagram; a refusal that comes back as ICMP is heard at the second one."""
    with socket.socket(
        socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM
    ) as sock:
        sock.settimeout(WAIT_S)
        sock.connect((address, port))
        sock.send(b"x")
        time.sleep(0.2)
        sock.send(b"x")


def set_clock() -> None:
    time.clock_settime(time.CLOCK_REALTIME, time.time())


def ask_clock() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(ctypes.create_string_buffer(512)) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")


def tried(asked: dict) -> dict:
    """What was asked for, each place by itself."""
    return {
        "connect": {
            f"{address} {port}": told(lambda address=address, port=port: connect(address, port))
            for address, port in asked.get("connect", [])
        },
        "send": {
            f"{address} {port}": told(lambda address=address, port=port: send(address, port))
            for address, port in asked.get("send", [])
        },
        "read": {
            path: told(lambda path=path: Path(path).read_bytes()) for path in asked.get("read", [])
        },
        "open": {
            path: told(lambda path=path: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK)))
            for path in asked.get("open", [])
        },
        "write": {
            path: told(
                lambda path=path: (Path(path, "probe").write_text(""), Path(path, "probe").unlink())
            )
            for path in asked.get("write", [])
        },
    }


def main() -> None:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    seen = {
        "families": {
            name: told(lambda name=name: family(getattr(socket, name))) for name in FAMILIES
        },
        "interfaces": sorted(
            line.split(":")[0].strip()
            for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]
        ),
        **tried(json.loads(sys.argv[1])),
        "set_clock": told(set_clock),
        "ask_clock": told(ask_clock),
        "cpuinfo": told(lambda: Path("/proc/cpuinfo").read_text()),
        "others": sorted(
            str(uid)
            for uid in {entry.stat().st_uid for entry in Path("/proc").glob("[0-9]*")}
            - {os.getuid()}
        ),
        "core_limit": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "core_filter": Path("/proc/self/coredump_filter").read_text().strip(),
        "status": {
            key: status[key].strip() for key in ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
        },
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
