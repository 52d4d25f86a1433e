"""The walls around a booted camera's processes: waited for, asked, and taken away for a moment."""

import contextlib

import pytest

from tests.boot.city import OTHER_PORT
from tests.boot.conftest import UNITS
from tests.boot.machine import LISTED, UNLISTED

DELIVER = UNITS[1]


def need_filters(machine) -> None:
    """Skip, in systemd's own words, where the kernel or the container takes no programs for control
    groups.
    """
    told = [
        line
        for line in machine.ask("journalctl", "--boot", "--no-pager").splitlines()
        if "does not support BPF" in line
    ]
    if told:
        pytest.skip(told[0].partition("]: ")[2])


def walls_follow(machine, answers: list[str]) -> None:
    """Wait for both walls; `answers`: to LISTED and UNLISTED by systemd's filter."""
    opened = answers[1] == "ok"
    machine.until(
        lambda: (
            (UNLISTED in machine.ask("nft", "list", "set", "inet", "platewarden", "brokers4"))
            is opened
        ),
        "walls to follow the policy",
        30,
    )
    machine.until(
        lambda: "inactive" in machine.ask("systemctl", "is-active", "platewarden-walls"),
        "walls to end",
        30,
    )
    # The walls stand around the process that runs, though no other unit starts.
    machine.until(
        lambda: (
            [let_through(machine, DELIVER, address) for address in (LISTED, UNLISTED)] == answers
        ),
        "systemd's filter to follow",
        60,
    )


def let_through(machine, unit: str, address: str) -> str:
    """What the filter around a running unit answers to a datagram of root's, who is nobody to
    nftables: from the unit's own control group.
    """
    group = f"/sys/fs/cgroup/system.slice/{unit}.service/cgroup.procs"
    joined = f"open('{group}', 'w').write(str(__import__('os').getpid()))"
    script = (
        f"import runpy; {joined}; probe = runpy.run_path('/opt/boot/probe.py'); "
        f"print(probe['told'](lambda: probe['send']('{address}', {OTHER_PORT})))"
    )
    return machine.ask("python3", "-IBc", script).strip()


def drop_in(machine, unit: str, text: str) -> None:
    folder = machine.root / f"etc/systemd/system/{unit}.service.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "99-test.conf").write_text(text)
    machine.inside("systemctl", "daemon-reload")


@contextlib.contextmanager
def without_nftables(machine):
    """The kernel's table away, for a moment; and nobody who would bring it back meanwhile."""
    machine.inside("systemctl", "stop", "platewarden-walls.timer", "platewarden-walls.path")
    machine.until(
        lambda: "inactive" in machine.ask("systemctl", "is-active", "platewarden-walls"),
        "walls to end",
        30,
    )
    machine.inside("nft", "delete", "table", "inet", "platewarden")
    try:
        yield
    finally:
        machine.inside("nft", "-f", "/run/platewarden-walls/platewarden.nft")
        machine.inside("systemctl", "start", "platewarden-walls.timer", "platewarden-walls.path")


@contextlib.contextmanager
def without_systemds_filter(machine):
    """The unit's own filter open, for a moment."""
    drop_in(machine, DELIVER, "[Service]\nIPAddressDeny=\nIPAddressAllow=any\n")
    try:
        yield
    finally:
        (machine.root / f"etc/systemd/system/{DELIVER}.service.d/99-test.conf").unlink()
        machine.inside("systemctl", "daemon-reload")
