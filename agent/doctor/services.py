"""Looks at the units and the walls: what systemd says of them, whether the kernel's rules are those
of the policy in force.

Reads only.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.core.camera.diagnosis_findings import Finding, fail, ok, skip, warn
from agent.core.policy.wall_rules import DELIVER, TABLE, WATCH
from agent.doctor.machine import Runs, run
from agent.sides.walls import DROP_IN_FILE, DROP_INS

UNITS = (
    f"{WATCH}.service",
    f"{DELIVER}.service",
    "platewarden-update.timer",
    "platewarden-walls.path",
    "platewarden-walls.timer",
)
# Each runs and ends: only that it failed is worth a line.
RUNS = ("platewarden-walls.service", "platewarden-update.service")
INSTALL = "install the units (docs/guide/installer.md, As services)"
_ASKED = "LoadState,ActiveState,SubState,Result,ExecMainStatus,StatusText,UnitFileState"
# A path's own words, and a service's.
_TOO_OFTEN = {"unit-start-limit-hit", "trigger-limit-hit", "start-limit-hit"}
_WHO_ACTS = {
    "2": "a settings or city file is malformed: its message is in the journal",
    "3": "policy or trust refuses: its message is in the journal",
}


def look(
    digest: str | None,
    runs: Runs = run,
    drop_ins: Path = DROP_INS,
    user: Callable[[], int] = os.geteuid,
) -> list[Finding]:
    """`digest`: SHA-256 of the policy in force, hex; None while none is."""
    states = {unit: state(unit, runs) for unit in UNITS}
    if all(found is None for found in states.values()):
        return [
            skip("services", "systemd does not answer here (a container, or a rig without units)")
        ]
    if all((found or {}).get("LoadState") != "loaded" for found in states.values()):
        return [warn("services", "none of the units is installed", INSTALL)]
    findings = [service(unit, found) for unit, found in states.items()]
    ran = {unit: state(unit, runs) or {} for unit in RUNS}
    findings += [
        service(unit, found) for unit, found in ran.items() if found.get("ActiveState") == "failed"
    ]
    return [*findings, *clock(runs), *walls(digest, runs, drop_ins, user)]


def state(unit: str, runs: Runs = run) -> dict[str, str] | None:
    """What systemd says of a unit; None where it does not answer."""
    said = runs(["systemctl", "show", unit, f"--property={_ASKED}"])
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line) if said else {}
    return found if "ActiveState" in found else None


def service(unit: str, found: dict[str, str] | None) -> Finding:
    """One unit as a line; of one that is down, the command that brings it back."""
    name = unit.removeprefix("platewarden-").removesuffix(".service")
    found = found or {}
    if found.get("LoadState") != "loaded":
        return fail(name, f"{unit} is not installed", INSTALL)
    told = f"{found.get('ActiveState')} ({found.get('SubState')})" + (
        f": {found['StatusText'][:200]}" if found.get("StatusText") else ""
    )
    if found.get("ActiveState") in {"active", "activating", "reloading"}:
        return (
            ok(name, told)
            if found.get("ActiveState") == "active"
            else warn(name, told, f"wait; then journalctl -u {unit}")
        )
    return down(name, unit, told, found)


def down(name: str, unit: str, told: str, found: dict[str, str]) -> Finding:
    """What became of a unit that is not up, and how it comes back."""
    result, status = found.get("Result", "success"), found.get("ExecMainStatus", "0")
    again = f"sudo systemctl reset-failed {unit} && sudo systemctl start {unit}"
    if result in _TOO_OFTEN:
        what = f"{told}: it was started too often in a short time, and systemd gave it up"
        return fail(name, what, f"{again}; then journalctl -u {unit} -n 20")
    failed = found.get("ActiveState") == "failed" or result != "success"
    if failed and not unit.endswith(".service"):
        return fail(name, f"{told}, {result}: nothing starts its service any more", again)
    if failed:
        why = _WHO_ACTS.get(status, "its last message says why")
        return fail(
            name,
            f"{told}, {result}, exit code {status}: {why}",
            f"journalctl -u {unit} -n 20; when it is mended: sudo systemctl restart {unit}",
        )
    return warn(name, told, f"sudo systemctl enable --now {unit}")


def clock(runs: Runs) -> Iterator[Finding]:
    """May the units learn that the clock is synchronised?

    With ProtectClock= only systemd-timesyncd tells them, by its marker (docs/ref/time.md).
    """
    said = runs(["systemctl", "show", f"{WATCH}.service", "--property=ProtectClock"]) or ""
    keeper = (
        runs(["systemctl", "show", "systemd-timesyncd.service", "--property=ActiveState"]) or ""
    )
    if "ProtectClock=yes" in said and "=active" not in keeper:
        what = (
            "systemd-timesyncd does not run, "
            "and without its marker watch and deliver cannot tell that the clock is synchronised"
        )
        yield warn(
            "clock of the units",
            what,
            "with chrony or a battery-backed clock: docs/ref/time.md, With chrony; "
            "else sudo apt install systemd-timesyncd",
        )


def walls(
    digest: str | None, runs: Runs, drop_ins: Path, user: Callable[[], int]
) -> Iterator[Finding]:
    """The table in the kernel, and the drop-in that systemd obeys, against the policy in force."""
    again = "sudo systemctl start platewarden-walls; then journalctl -u platewarden-walls"
    table = runs(["nft", "list", "table", "inet", TABLE])
    if table is not None:
        yield ok("walls nftables", f"table inet {TABLE} is loaded")
    elif user() != 0:
        yield skip("walls nftables", "only root may ask", "sudo platewarden doctor")
    else:
        yield fail(
            "walls nftables",
            f"no table inet {TABLE}: the kernel does not hold other destinations back",
            again,
        )
    path = drop_ins / f"{DELIVER}.service.d" / DROP_IN_FILE
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:100_000]
    except OSError:
        yield fail("walls systemd", f"{path} is not there: deliver reaches nobody", again)
        return
    opened = sum(
        1
        for line in text.splitlines()
        if line.startswith("IPAddressAllow=") and line != "IPAddressAllow="
    )
    if not opened:
        yield warn(
            "walls systemd",
            "the drop-in opens nothing: deliver reaches nobody until a policy is in force",
            "platewarden status says what is missing",
        )
    elif digest and digest not in text:
        yield fail(
            "walls systemd", "the drop-in was made from another policy than the one in force", again
        )
    else:
        addresses = "addresses" if opened > 1 else "address"
        whose = ", those of the policy in force" if digest else ""
        yield ok("walls systemd", f"deliver may reach {opened} {addresses}{whose}")
