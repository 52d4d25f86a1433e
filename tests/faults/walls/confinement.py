"""A process as deliver's unit confines it, one wall after another: our guard, its user without
rights, its address families, and nftables by the product's own text.

Limit: systemd's address filter needs systemd; tests/boot holds it against a booted unit.
"""

import ctypes
import json
import os
import socket
import struct
from pathlib import Path

from agent.core.policy.policy import Broker
from agent.core.policy.wall_rules import Gates, nftables
from agent.network.egress import Egress, install_guard
from tests.faults.walls.attempts import attempts, told
from tests.support.units import Unit

UNIT = Path(__file__).parents[3] / "systemd/platewarden-deliver.service"
GUARD, USER, FAMILIES, NFTABLES = "our guard", "its user", "its families", "nftables"
WALLS = (GUARD, USER, FAMILIES, NFTABLES)
DELIVER, UPDATE, WATCH = 64_201, 64_202, 64_203
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 24, 38, 22
SECCOMP_MODE_FILTER, RET_ALLOW, RET_ERRNO = 2, 0x7FFF0000, 0x00050000
EAFNOSUPPORT, SOCKET = 97, {"x86_64": 41, "aarch64": 198}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K


def rules(listed: str, port: int) -> str:
    """The table that `walls` would load for this policy."""
    gates = Gates(brokers=((listed, port),))
    return nftables(gates, "the rounds", users=(DELIVER, UPDATE, WATCH))


def run(arguments: list[str]) -> int:
    """In a forked process: put the walls up, try every way out, tell it as JSON. `arguments`: the
    broker's address and port, where to, and the walls.
    """
    listed, port, output, *walls = arguments
    answers = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    if USER in walls:
        become_deliver()
    if FAMILIES in walls:
        only_families(Unit(UNIT).words("RestrictAddressFamilies"))
    if GUARD in walls:
        broker = Broker(
            "city-hall", "h.example", ((listed, int(port)),), "", frozenset(), frozenset()
        )
        install_guard(Egress([broker]), lambda _event, _destination: None)
    found = {one.name: told(one.do) for one in attempts(listed, int(port))}
    os.write(answers, json.dumps(found).encode())
    return 0


def become_deliver() -> None:
    """User=, CapabilityBoundingSet= (empty), NoNewPrivileges=yes."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(DELIVER, DELIVER, DELIVER)
    os.setresuid(DELIVER, DELIVER, DELIVER)
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def only_families(names: set[str]) -> None:
    """RestrictAddressFamilies=: socket(2) knows no others."""
    known = [int(getattr(socket, name)) for name in sorted(names)]
    last = len(known)
    program = [
        (LOAD, 0, 0, 0),  # the call's number
        (EQUAL, 0, last + 2, SOCKET[os.uname().machine]),  # another call: allow
        (LOAD, 0, 0, 16),  # its first argument, low half
        *((EQUAL, last - number, 0, family) for number, family in enumerate(known)),
        (RETURN, 0, 0, RET_ERRNO | EAFNOSUPPORT),
        (RETURN, 0, 0, RET_ALLOW),
    ]
    packed = b"".join(struct.pack("HBBI", *step) for step in program)
    code = ctypes.create_string_buffer(packed, len(packed))
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "prctl")
