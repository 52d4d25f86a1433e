"""A unit's sandbox with the probe in the place of its program: the same file, drop-ins included,
but for what starts, notifies and restarts.
"""

import json
from pathlib import Path

from tests.boot.machine import Machine

UNITS = Path("usr/lib/systemd/system")
REPLACED = (
    "Type=",
    "NotifyAccess=",
    "ExecStart=",
    "ExecStopPost=",
    "WatchdogSec=",
    "Restart",
    "SuccessExitStatus=",
    "TimeoutStartSec=",
    "RuntimeDirectory",
)


def probe(machine: Machine, unit: str, **asked: object) -> dict:
    """What the probe could do inside that unit's sandbox, just now."""
    words = json.dumps(asked).replace("%", "%%").replace('"', '\\"')
    return in_sandbox(machine, unit, f'/usr/bin/python3 -IB /opt/boot/probe.py "{words}"')


def in_sandbox(machine: Machine, unit: str, command: str, *more: str) -> dict:
    """What a command prints there, as JSON. `more`: lines for the unit, none that opens it."""
    running = Path(f"/proc/{machine.leader}/root")
    lines = (running / UNITS / f"{unit}.service").read_text().splitlines()
    service = [line for line in lines[lines.index("[Service]") :] if not line.startswith(REPLACED)]
    if "[Install]" in service:
        service = service[: service.index("[Install]")]
    added = [
        "Type=oneshot",
        f"ExecStart={command}",
        *more,
        "StandardOutput=truncate:/run/probe.json",
        "StandardError=journal",
        "TimeoutStartSec=90",
    ]
    name = f"probe-of-{unit}"
    made = running / f"run/systemd/system/{name}.service"
    made.write_text("\n".join([*service, *added, ""]))
    drop_ins = made.with_name(f"{name}.service.d")
    drop_ins.mkdir(exist_ok=True)
    for folder in (
        running / f"run/systemd/system/{unit}.service.d",
        running / f"etc/systemd/system/{unit}.service.d",
    ):
        for drop_in in folder.glob("*.conf"):
            (drop_ins / drop_in.name).write_text(drop_in.read_text())
    machine.inside("systemctl", "daemon-reload")
    machine.ask("systemctl", "start", name)
    assert machine.show(name, "Result") == "success", machine.journal(name)
    told = json.loads((running / "run/probe.json").read_text())
    made.unlink()
    for drop_in in drop_ins.glob("*.conf"):
        drop_in.unlink()
    return told
