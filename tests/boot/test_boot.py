"""The units as a camera boots them: up in time, reading, walled in by the kernel, restarted when
they hang, and losing no released read.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.core.log.floor import FILE_NAME as FLOOR
from agent.storage.mailbox import COLLECTED, GROWTH, HEALTH
from tests.boot.city import (
    BROKER_PORT,
    OTHER_PORT,
    PLATES,
    SETTLE_S,
    SOURCE_PORT,
    leaves,
    released,
)
from tests.boot.conftest import UNITS
from tests.boot.machine import LISTED, LISTED6, UNLISTED, UNLISTED6
from tests.boot.sandbox import probe
from tests.boot.wall_checks import (
    drop_in,
    need_filters,
    walls_follow,
    without_nftables,
    without_systemds_filter,
)

WATCH, DELIVER = UNITS
UP_S = 15.0
READ_WITHIN_S = 90.0
# Each mailbox's files: of reads by their suffix, and those that its one writer keeps beside them.
MAILBOXES = {
    "outbox": ((".sealed",), {FLOOR, GROWTH, HEALTH}),
    "receipts": ((".receipt", ".outcome"), {FLOOR, COLLECTED}),
}
PLACES = [
    [address, port]
    for port in (BROKER_PORT, OTHER_PORT, SOURCE_PORT, 53)
    for address in (LISTED, UNLISTED, LISTED6, UNLISTED6)
]
BROKER, SOURCE = f"{LISTED} {BROKER_PORT}", f"{LISTED} {SOURCE_PORT}"
NO = {"ECONNREFUSED", "EPERM", "TIMEOUT", "EHOSTUNREACH", "ENETUNREACH", "EACCES"}
EXAMPLES = Path(__file__).parents[2] / "systemd"
KEYS = {
    name: f"/etc/platewarden/device/{name}"
    for name in ("seal.key", "watch-log.key", "hotlist.key", "deliver-log.key")
}


def outside(machine) -> dict:
    """The same probe beside the units: what nothing but their walls would keep from them."""
    return json.loads(
        machine.inside(
            "python3",
            "-IB",
            "/opt/boot/probe.py",
            json.dumps({"connect": PLACES, "send": PLACES}),
            timeout=90,
        )
    )


def reached(told: dict) -> set[str]:
    return {place for place, answer in told["connect"].items() if answer == "ok"}


class TestUp:
    def test_units_are_active_within_15_seconds(self, machine):
        print(
            told_up(machine), *machine.ask("systemd-analyze", "blame").splitlines()[:5], sep="\n  "
        )
        assert machine.up_s / machine.slow < UP_S
        for unit in UNITS:
            assert machine.show(unit, "NRestarts") == "0", machine.journal(unit)

    def test_the_networks_read_in_the_sandbox_and_the_receiver_stores(self, machine, city):
        machine.until(city.take_stored, "a first read", READ_WITHIN_S)

    def test_both_processes_trust_their_time_by_timesyncds_marker(self, machine, city):
        """They may not ask the kernel.

        `status` judges what each process wrote down, from outside.
        """
        told = json.loads(machine.inside("platewarden", "status", "--json"))
        assert [told["processes"][name]["clock"]["trust"] for name in ("watch", "deliver")] == [
            "trusted",
            "trusted",
        ]

    def test_no_unit_failed_and_systemd_understood_every_line(self, machine):
        assert machine.ask("systemctl", "--failed", "--no-legend", "--plain") == ""
        odd = [
            line
            for line in machine.ask("journalctl", "--boot", "--no-pager").splitlines()
            if "platewarden" in line and "nknown key" in line
        ]
        assert odd == []


class TestWalls:
    def test_everything_answers_without_walls(self, machine, city):
        assert reached(outside(machine)) == {f"{address} {port}" for address, port in PLACES}

    @pytest.mark.parametrize("unit", [WATCH, "platewarden-survey"])
    def test_who_sees_plates_has_no_network_at_all(self, machine, city, unit):
        told = probe(machine, unit, connect=PLACES, send=PLACES)
        assert {name for name, answer in told["families"].items() if answer != "EAFNOSUPPORT"} == {
            "AF_UNIX"
        }
        assert set(told["connect"].values()) == set(told["send"].values()) == {"EAFNOSUPPORT"}
        assert told["interfaces"] == ["lo"]

    def test_deliver_reaches_the_listed_broker_and_nothing_else(self, machine, city):
        told = probe(machine, DELIVER, connect=PLACES, send=PLACES)
        assert reached(told) == {BROKER}, told["connect"]
        assert {answer for place, answer in told["connect"].items() if place != BROKER} <= NO
        assert set(told["send"].values()) <= NO, told["send"]
        assert {name for name, answer in told["families"].items() if answer == "ok"} == {
            "AF_UNIX",
            "AF_INET",
            "AF_INET6",
        }

    def test_update_reaches_the_listed_source_and_nothing_else(self, machine, city):
        told = probe(machine, "platewarden-update", connect=PLACES, send=PLACES)
        assert reached(told) == {SOURCE}, told["connect"]
        assert set(told["send"].values()) <= NO

    def test_walls_itself_speaks_with_the_kernel_only(self, machine, city):
        told = probe(machine, "platewarden-walls", connect=PLACES)
        assert {name for name, answer in told["families"].items() if answer == "ok"} == {
            "AF_UNIX",
            "AF_NETLINK",
        }
        assert set(told["connect"].values()) == {"EAFNOSUPPORT"}

    def test_nftables_holds_alone(self, machine, city):
        """It knows addresses and ports."""
        with without_systemds_filter(machine):
            told = probe(machine, DELIVER, connect=PLACES)
        assert reached(told) == {BROKER}, told["connect"]

    def test_systemds_filter_holds_alone(self, machine, city):
        """It knows addresses."""
        need_filters(machine)
        with without_nftables(machine):
            told = probe(machine, DELIVER, connect=PLACES, send=PLACES)
        assert reached(told) == {
            f"{LISTED} {port}" for port in (BROKER_PORT, OTHER_PORT, SOURCE_PORT, 53)
        }, told["connect"]
        assert {
            told["send"][f"{address} {OTHER_PORT}"] for address in (UNLISTED, UNLISTED6, LISTED6)
        } == {"EPERM"}

    def test_a_new_policy_moves_the_walls_while_they_stand(self, machine, city):
        city.list_another_broker(UNLISTED)
        city.publish(machine.root)
        walls_follow(machine, ["EPERM", "ok"])
        read_again(machine, city)
        assert reached(probe(machine, DELIVER, connect=PLACES)) == {f"{UNLISTED} {BROKER_PORT}"}
        city.list_first_broker(UNLISTED)
        city.publish(machine.root)
        walls_follow(machine, ["ok", "EPERM"])
        assert reached(probe(machine, DELIVER, connect=PLACES)) == {BROKER}


class TestSandbox:
    def test_keys_logs_and_mailboxes_of_others(self, machine, city):
        folders = [
            f"/var/lib/platewarden/{name}"
            for name in ("watch", "deliver", "walls", "update", "outbox", "receipts", "bundles-in")
        ]
        watch = probe(machine, WATCH, read=[*KEYS.values()], write=folders)
        deliver = probe(machine, DELIVER, read=[*KEYS.values()], write=folders)
        assert {name for name, path in KEYS.items() if watch["read"][path] == "ok"} == {
            "seal.key",
            "watch-log.key",
            "hotlist.key",
        }
        assert {name for name, path in KEYS.items() if deliver["read"][path] == "ok"} == {
            "deliver-log.key"
        }
        assert {Path(path).name for path in folders if watch["write"][path] == "ok"} == {
            "watch",
            "outbox",
        }
        assert {Path(path).name for path in folders if deliver["write"][path] == "ok"} == {
            "deliver",
            "receipts",
        }

    def test_no_core_dump_no_rights_and_no_clock_to_set(self, machine, city):
        for unit in UNITS:
            told = probe(machine, unit)
            assert (told["core_limit"], int(told["core_filter"], 16)) == (0, 0)
            assert (told["set_clock"], told["ask_clock"]) == ("EPERM", "EPERM")
            assert int(told["status"]["CapEff"], 16) == int(told["status"]["CapBnd"], 16) == 0
            assert (told["status"]["NoNewPrivs"], told["status"]["Seccomp"]) == ("1", "2")
            assert told["others"] == [], "it sees processes of other users"
        assert probe(machine, WATCH)["cpuinfo"] == "ok", "onnxruntime picks its kernels by it"
        assert probe(machine, DELIVER)["cpuinfo"] == "ENOENT"

    def test_keys_may_be_encrypted_credentials(self, machine, city):
        """As after `provision --credential`, with the drop-ins that systemd/ gives as examples: no
        key lies on the disk in the clear.
        """
        names = {WATCH: ("seal.key", "watch-log.key", "hotlist.key"), DELIVER: ("deliver-log.key",)}
        machine.inside("systemctl", "stop", *UNITS)
        try:
            for unit, keys in names.items():
                drop_in(
                    machine,
                    unit,
                    (EXAMPLES / f"{unit}.service.d/20-credentials.conf.example").read_text(),
                )
                for key in keys:
                    machine.inside(
                        "systemd-creds", "encrypt", f"--name={key}", KEYS[key], f"{KEYS[key]}.cred"
                    )
                    machine.inside("mv", KEYS[key], "/root")
            machine.inside("systemctl", "start", *UNITS)
            read_again(machine, city)
            starts_with_the_encrypted_key(machine, "platewarden-survey")
            others = {
                WATCH: "platewarden-deliver.service/deliver-log.key",
                DELIVER: "platewarden-watch.service/seal.key",
            }
            for unit, key in others.items():
                assert set(
                    probe(machine, unit, read=[f"/run/credentials/{key}"])["read"].values()
                ) <= {"EACCES", "ENOENT"}
        finally:
            for unit, keys in names.items():
                drop_in(machine, unit, "")
                for key in keys:
                    machine.inside("mv", f"/root/{key}", KEYS[key])
            machine.inside("systemctl", "restart", *UNITS)

    def test_a_device_that_is_no_camera_cannot_be_opened(self, machine, city):
        """By the kernel's filter, not by file modes: the node is open to everybody."""
        need_filters(machine)
        machine.inside("mknod", "-m", "666", "/dev/no-camera", "c", "1", "11")
        machine.inside("python3", "-c", "open('/dev/no-camera', 'rb').close()")
        assert probe(machine, WATCH, open=["/dev/no-camera"])["open"] == {"/dev/no-camera": "EPERM"}
        assert probe(machine, DELIVER, open=["/dev/no-camera"])["open"] == {
            "/dev/no-camera": "ENOENT"
        }


class TestSurvey:
    def test_a_survey_takes_watchs_place_and_gives_it_back(self, machine, city):
        """A unit whose key comes as a credential, whatever the keys' own form.

        It reads the same camera, and releases nothing.
        """
        machine.inside("systemctl", "start", "platewarden-survey")
        assert [machine.show(unit, "ActiveState") for unit in UNITS] == ["inactive", "inactive"]
        time.sleep(5)
        assert machine.show("platewarden-survey", "ActiveState") == "active", machine.journal(
            "platewarden-survey"
        )
        before = released(machine.root)
        machine.inside("systemctl", "stop", "platewarden-survey")
        assert machine.show("platewarden-survey", "Result") == "success", machine.journal(
            "platewarden-survey"
        )
        machine.wait_up(*UNITS)
        assert released(machine.root) == before
        read_again(machine, city)


class TestFailures:
    def test_a_hung_process_is_killed_and_started_again(self, machine, city):
        """deliver's two minutes are cut to ten seconds by a drop-in; watch's time is the unit's
        own.
        """
        drop_in(machine, DELIVER, "[Service]\nWatchdogSec=10\n")
        machine.inside("systemctl", "restart", DELIVER)
        before = {
            unit: (machine.show(unit, "MainPID"), int(machine.show(unit, "NRestarts")))
            for unit in UNITS
        }
        for pid, _ in before.values():
            os.kill(machine.host_pid(int(pid)), signal.SIGSTOP)
        started = time.monotonic()
        for unit in reversed(UNITS):
            pid, restarts = before[unit]
            machine.until(
                lambda unit=unit, restarts=restarts: (
                    int(machine.show(unit, "NRestarts")) > restarts
                ),
                f"{unit} to be restarted",
                75,
            )
            machine.until(
                lambda unit=unit: machine.show(unit, "ActiveState") == "active",
                f"{unit} to be active",
                30,
            )
            print(f"\n  {unit} was active again {time.monotonic() - started:.0f} s after it hung")
            assert machine.show(unit, "MainPID") != pid
            told = machine.journal(unit)
            assert "Watchdog timeout" in told
            assert "code=killed, status=6/ABRT" in told, (
                "killed by the watchdog's signal, without a core"
            )
        assert not list((machine.root / "var/lib/platewarden").rglob("core*"))
        read_again(machine, city)

    def test_a_crash_is_started_again(self, machine, city):
        before = {unit: int(machine.show(unit, "NRestarts")) for unit in UNITS}
        for unit in UNITS:
            os.kill(machine.host_pid(int(machine.show(unit, "MainPID"))), signal.SIGSEGV)
        for unit in UNITS:
            machine.until(
                lambda unit=unit: int(machine.show(unit, "NRestarts")) > before[unit],
                f"{unit} to be restarted",
                30,
            )
            machine.until(
                lambda unit=unit: machine.show(unit, "ActiveState") == "active",
                f"{unit} to be active",
                30,
            )
        read_again(machine, city)

    def test_stopping_leaves_clean_mailboxes(self, machine, city):
        try:
            with city.without_broker():
                more_waiting(machine, 2)
                for unit in UNITS:
                    machine.inside("systemctl", "stop", unit, timeout=60)
                    ended = machine.show(unit, "Result"), machine.show(unit, "ExecMainStatus")
                    assert ended == ("success", "0"), machine.journal(unit)
                last = [
                    leaves(machine.root, process)[-1]["kind"] for process in ("watch", "deliver")
                ]
                assert last == ["stop", "stop"]
                assert list((machine.root / "var/lib/platewarden/outbox").glob("*.sealed"))
                assert left_over(machine.root / "var/lib/platewarden") == []
        finally:
            machine.inside("systemctl", "start", *UNITS)
        read_again(machine, city)


class TestNothingIsLost:
    """P8 over a restart and over a kill of the whole machine, with reads waiting because the broker
    is away.
    """

    def test_a_reboot(self, machine, city):
        with city.without_broker():
            more_waiting(machine, 2)
            machine.reboot()
            machine.wait_up(*UNITS)
            print(told_up(machine))
        read_again(machine, city)

    def test_the_plug_is_pulled(self, machine, city):
        with city.without_broker():
            more_waiting(machine, 2)
            machine.crash()
            machine.start()
            machine.wait_up(*UNITS)
            print(told_up(machine))
        read_again(machine, city)

    def test_every_read_that_was_ever_released_is_opened(self, machine, city):
        """The last test: watch stops, deliver brings what waits, and the receiver opens all of
        it.
        """
        machine.inside("systemctl", "stop", WATCH)
        root = machine.root
        wanted = released(root)
        machine.until(
            lambda: wanted <= city.take_stored(), f"the last of {len(wanted)} reads", SETTLE_S
        )
        assert not [
            leaf
            for leaf in leaves(root, "watch")
            if leaf["kind"] in {"lost", "expired", "overflow", "withdrawal"}
        ]
        command = [sys.executable, "-m", "agent", "receiver", "open", str(city.recipient)]
        opened = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=True
        ).stdout
        assert sum(map(opened.count, PLATES)) >= len(wanted), f"{len(wanted)} were released"
        print(f"\n  {len(wanted)} reads were released, all of them stored and opened")


def left_over(state: Path) -> list[str]:
    """What lies in a mailbox and has no place there: half-written, or another's."""
    return [
        f"{box}/{path.name}"
        for box, (suffixes, beside) in MAILBOXES.items()
        for path in (state / box).iterdir()
        if path.name not in beside and not (path.suffix in suffixes and path.name[0] != ".")
    ]


def starts_with_the_encrypted_key(machine, unit: str) -> None:
    """In watch's place, with the drop-in that is its example; then watch is back."""
    text = (EXAMPLES / f"{unit}.service.d/20-credentials.conf.example").read_text()
    drop_in(machine, unit, text)
    machine.inside("systemctl", "start", unit)
    time.sleep(5)
    assert machine.show(unit, "ActiveState") == "active", machine.journal(unit)
    machine.inside("systemctl", "stop", unit)
    machine.wait_up(*UNITS)
    drop_in(machine, unit, "")


def told_up(machine) -> str:
    """How long the last boot took.

    A busy machine is not what a camera is: its slowness, as measured just before, is taken out and
    told.
    """
    return (
        f"\n  up in {machine.up_s:.1f} s on a machine that was "
        f"at least {machine.slow:.1f} times slower than idle: {machine.up_s / machine.slow:.1f} s"
    )


def more_waiting(machine, count: int) -> None:
    """Until so many reads wait in the outbox."""
    outbox = machine.root / "var/lib/platewarden/outbox"
    machine.until(
        lambda: len(list(outbox.glob("*.sealed"))) >= count, f"{count} reads to wait", READ_WITHIN_S
    )


def read_again(machine, city) -> None:
    """Both sides work: a read released from now on arrives."""
    before = released(machine.root)
    machine.until(
        lambda: (released(machine.root) - before) & city.take_stored(),
        "a new read to arrive",
        READ_WITHIN_S,
    )
