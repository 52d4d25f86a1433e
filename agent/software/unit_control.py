"""The processes of a camera as systemd and deliver tell of them, and starting them anew."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Protocol

from agent.core.log import link_facts
from agent.core.software.health_verdict import Seen, Unit
from agent.disk.atomic_file import read_bounded
from agent.errors import PlatewardenError, StorageError
from agent.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

WATCH, DELIVER = "platewarden-watch.service", "platewarden-deliver.service"
WALLS, WALLS_RUN = "platewarden-walls.path", "platewarden-walls.service"
TIMEOUT_S, DOCTOR_S = 20.0, 25.0
PARTS = ("trust", "machine")
"""What doctor is asked: neither part opens the camera or dials a broker, which watch and deliver do
meanwhile.
"""


class Units(Protocol):
    """What a trial needs of the machine."""

    def seen(self) -> Seen:
        """One look; `faults` is None."""
        ...

    def faults(self) -> frozenset[str]:
        """What doctor finds failing. Raises nothing: a doctor that does not answer is a fault."""
        ...

    def start_anew(self) -> None:
        """What runs is started anew, without waiting. Raises StorageError."""
        ...


@dataclass(frozen=True, slots=True)
class SystemdUnits:
    """`links`: the file in which deliver tells of its brokers; `config`: for doctor."""

    links: Path
    config: Path

    def seen(self) -> Seen:
        """As `Units.seen`."""
        units = {}
        for name in (WATCH, DELIVER):
            asked = "--property=ActiveState,NRestarts"
            said = _run(["systemctl", "show", name, asked])
            found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
            restarts = found.get("NRestarts", "0")
            units[name] = Unit(
                found.get("ActiveState", "unknown"), int(restarts) if restarts.isdigit() else 0
            )
        return Seen(units, self._connected())

    def faults(self) -> frozenset[str]:
        """As `Units.faults`. systemd starts doctor, outside this process's own walls."""
        found = set[str]()
        for part in PARTS:
            command = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect"]
            command += [f"--property=RuntimeMaxSec={DOCTOR_S:.0f}", "/usr/bin/platewarden"]
            command += ["doctor", "--config", str(self.config), "--part", part]
            try:
                table = json.loads(_run(command, DOCTOR_S + 5))
                found |= {str(one["name"]) for one in table["findings"] if one["health"] == "fail"}
            except (StorageError, ValueError, KeyError, TypeError):
                found.add(f"doctor {part}")
        return frozenset(found)

    def start_anew(self) -> None:
        """As `Units.start_anew`: the walls first, which may start deliver anew themselves."""
        _run(["systemctl", "reset-failed", WATCH, DELIVER], must=False)  # and its count of restarts
        if _run(["systemctl", "is-active", WALLS], must=False).strip() == "active":
            _run(["systemctl", "restart", "--no-block", WALLS_RUN])
        _run(["systemctl", "try-restart", "--no-block", WATCH, DELIVER])

    def _connected(self) -> frozenset[str]:
        try:
            facts = link_facts.parse_facts(
                read_bounded(self.links, link_facts.MAX_BYTES), str(self.links)
            )
        except PlatewardenError:
            return frozenset()
        return frozenset(link.broker for link in facts.links if facts.running and not link.why)


def _run(command: list[str], timeout_s: float = TIMEOUT_S, *, must: bool = True) -> str:
    """What a command says. Raises StorageError where it fails, if it must not."""
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StorageError(
            f"{command[0]} could not run: {type(error).__name__}",
            where=" ".join(command[1:3]),
            fix="run it as root, under systemd",
        ) from None
    if must and done.returncode:
        raise StorageError(
            f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[:200]}",
            where=" ".join(command[1:3]),
            fix="journalctl tells more",
        )
    return done.stdout
