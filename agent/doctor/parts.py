"""Starts the parts of `doctor` as processes of their own, each as the user that does the same work
for real, every wait bounded; gathers their lines.
"""

import grp
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import agent
from agent.core.camera.diagnosis_findings import Finding, fail, from_table
from agent.core.policy.wall_rules import DELIVER, WATCH
from agent.values import dataclass

LEAST_S = 1.0
MOST_FINDINGS = 200
GROUP, VIDEO = "platewarden", "video"


class Part(StrEnum):
    """`TRUST` reads keys and bundles; `EYES` the camera; `BROKER` dials; `MACHINE` looks at disk,
    heat, units and walls.
    """

    TRUST = "trust"
    EYES = "eyes"
    BROKER = "broker"
    MACHINE = "machine"


_USERS = {Part.EYES: (WATCH, (WATCH, VIDEO)), Part.BROKER: (DELIVER, ())}


@dataclass(frozen=True, slots=True)
class Report:
    """What a part printed.

    `closed`: why the sensor must stay closed; `digest`: of the policy in force; both from TRUST
    only.
    """

    findings: tuple[Finding, ...]
    closed: str | None = None
    digest: str | None = None


def start(part: Part, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    """`platewarden doctor --part PART ARGUMENTS…` with this interpreter, writing no bytecode beside
    the program.
    """
    command = [sys.executable, "-B", "-m", "agent", "doctor", "--part", part, *arguments]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # With our own arguments; mypy cannot follow the keywords.
    return subprocess.Popen(command, env=environment(), **pipes, **as_user(part))  # type: ignore[call-overload,no-any-return] # noqa: S603


def environment() -> dict[str, str]:
    """Ours, but nothing is imported from the folder in which root happens to stand: a stick could
    hold an `agent/` of its own.
    """
    root, given = Path(agent.__file__).resolve().parents[1], os.environ.get("PYTHONPATH")
    paths = [] if root.name in {"site-packages", "dist-packages"} else [str(root)]
    found = os.pathsep.join([*paths, *([given] if given else [])])
    return {**os.environ, "PYTHONSAFEPATH": "1", **({"PYTHONPATH": found} if found else {})}


def as_user(part: Part) -> dict[str, object]:
    """Who is root becomes watch to look and deliver to dial: the kernel's walls hold deliver's
    user, and root would pass them by.
    """
    if os.geteuid() != 0 or part not in _USERS:
        return {}
    user, groups = _USERS[part]
    try:
        pwd.getpwnam(user)
        grp.getgrnam(GROUP)
    except KeyError:  # a rig without the units' users
        return {}
    return {
        "user": user,
        "group": GROUP,
        "extra_groups": [group for group in groups if _is_group(group)],
    }


def gather(part: Part, child: "subprocess.Popen[bytes]", ends_s: float) -> Report:
    """Its lines, until `ends_s` of the monotonic clock; or one that says how it ended.

    A camera that hangs, or a library that this processor cannot run, is a line too.
    """
    try:
        out, err = child.communicate(timeout=max(LEAST_S, ends_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return Report(
            (
                fail(
                    part,
                    "did not answer and was ended",
                    "a driver hangs: power off and on, then `dmesg`",
                ),
            )
        )
    try:
        table = json.loads(out)
        findings = tuple(from_table(entry) for entry in table["findings"][:MOST_FINDINGS])
        return Report(findings, _text(table, "closed"), _text(table, "digest"))
    except (ValueError, KeyError, TypeError):
        return Report(
            (
                fail(
                    part,
                    f"could not be looked at: {ended(child.returncode, err)}",
                    hint(child.returncode),
                ),
            )
        )


def ended(code: int, err: bytes) -> str:
    """How a process ended. Of its words only our own errors are shown: they hold no plate (P9)."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    own = [
        line
        for line in err.decode("utf-8", "replace").splitlines()
        if line.startswith("platewarden: ")
    ]
    return own[-1].removeprefix("platewarden: ")[:300] if own else f"ended with exit code {code}"


def hint(code: int) -> str:
    """What to do about it."""
    if code == -signal.SIGILL:
        return (
            "a library uses instructions that this processor lacks: "
            "install the package's own versions"
        )
    if code == -signal.SIGKILL:
        return "out of memory? `dmesg` says so"
    return "run it again with PLATEWARDEN_DEBUG=1 and --part; reinstall if it cannot be imported"


def _text(table: Mapping[str, object], member: str) -> str | None:
    found = table.get(member)
    return found if isinstance(found, str) else None


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
