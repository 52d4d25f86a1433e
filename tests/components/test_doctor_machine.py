"""Doctor reads the machine from the kernel's files and systemd's words: a stand-in for both."""

import json
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from agent.core.camera.diagnosis_findings import as_table, ok
from agent.doctor import machine, parts, services
from agent.doctor.parts import Part
from agent.host.board import text_of
from agent.settings import Settings

MOUNTS = (
    "overlay / overlay rw 0 0\n/dev/mmcblk0p3 /var/lib ext4 rw,noatime 0 0\n"
    "tmpfs /var/lib/other tmpfs rw 0 0\n"
)


@pytest.fixture
def pi(tmp_path):
    """A Raspberry Pi's /proc and /sys, as far as doctor reads them."""
    for name, text in {
        "proc/swaps": "Filename Type Size Used Priority\n/var/swap file 1 0 -2\n",
        "proc/mounts": MOUNTS,
        "proc/sys/kernel/core_pattern": "core\n",
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "90000\n",
        "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": "61234\n",
        "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n",
    }.items():
        path = tmp_path / "system" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "system"


def test_a_long_list_of_the_kernel_s_is_read_to_its_end():
    """It comes a page at a time. Of mounts the last were lost, and a state that could be written
    was called read-only: replace the card.
    """
    asked = Path("/proc/kallsyms")
    assert len(text_of(asked)) > 60_000


def health(findings):
    return {finding.name: str(finding.health) for finding in findings}


def test_a_pi_as_it_comes(pi, tmp_path):
    found = health(machine.look(Settings(camera_id="cam-01", root=tmp_path), pi))
    assert found == {
        "disk": "ok",
        "mount": "fail",
        "temperature": "ok",
        "throttling": "warn",
        "swap": "warn",
        "memory cgroup": "warn",
        "core dumps": "ok",
    }


def test_a_machine_that_tells_nothing(tmp_path):
    found = health(machine.look(Settings(camera_id="cam-01", root=tmp_path), tmp_path / "nothing"))
    assert {name for name, verdict in found.items() if verdict == "skip"} == {
        "mount",
        "temperature",
        "throttling",
        "core dumps",
    }


def test_the_longest_mount_point_above_a_folder_counts():
    assert machine.mounted(Path("/var/lib/platewarden"), MOUNTS) == (
        "ext4",
        frozenset({"rw", "noatime"}),
    )
    assert machine.mounted(Path("/var/library"), MOUNTS) == ("overlay", frozenset({"rw"}))
    assert machine.mounted(Path("/x"), "") is None


def test_vcgencmd_is_asked_where_sysfs_is_silent(pi):
    (pi / "sys/devices/platform/soc/soc:firmware/get_throttled").unlink()
    assert machine.throttled(pi, lambda _command: "throttled=0x50005\n") == 0x50005
    assert machine.throttled(pi, lambda _command: "VCHI initialization failed\n") is None
    (pi / "proc/device-tree/model").write_text("Some other board")
    assert machine.throttled(pi, lambda _command: "throttled=0x0\n") is None


def test_a_full_disk(pi, tmp_path, monkeypatch):
    monkeypatch.setattr(
        machine.shutil,
        "disk_usage",
        lambda _path: namedtuple("Usage", "free")(1_000_000),  # noqa: PYI024 - one member of three
    )
    assert (
        health(machine.storage(Settings(camera_id="cam-01", root=tmp_path), pi))["disk"] == "fail"
    )


# --- units and walls ---

RUNNING = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "ExecMainStatus": "0",
    "StatusText": "",
}
DIGEST = "ab" * 32


def systemd(*, table="table inet platewarden { }", **units):
    """Stands in for systemctl and nft.

    `units`: what differs, by the unit's short name; None: not installed.
    """

    def runs(command):
        if command[0] == "nft":
            return table
        name = command[2].removeprefix("platewarden-").removesuffix(".service")
        if name not in units:
            name = name.partition(".")[0]
        found = {
            **RUNNING,
            **(
                units.get(name, {}) or {"LoadState": "not-found", "ActiveState": "inactive"}
                if name in units
                else {}
            ),
        }
        return "".join(f"{key}={value}\n" for key, value in found.items())

    return runs


@pytest.fixture
def drop_ins(tmp_path):
    folder = tmp_path / "platewarden-deliver.service.d"
    folder.mkdir()
    (folder / "20-walls.conf").write_text(
        f"# from City, sha256 {DIGEST}\n[Service]\nIPAddressAllow=\nIPAddressAllow=203.0.113.10\n"
    )
    return tmp_path


def look(runs, drop_ins, digest=DIGEST, user=0):
    return health(services.look(digest, runs, drop_ins, lambda: user))


def test_everything_runs(drop_ins):
    assert set(look(systemd(), drop_ins).values()) == {"ok"}


def test_a_unit_that_failed_stopped_or_is_missing(drop_ins):
    refused = {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "3"}
    found = services.look(
        DIGEST,
        systemd(watch=refused, deliver={"ActiveState": "inactive"}, update=None),
        drop_ins,
        lambda: 0,
    )
    assert health(found) | {"watch": "fail", "deliver": "warn", "update.timer": "fail"} == health(
        found
    )
    assert "policy or trust refuses" in next(
        finding.what for finding in found if finding.name == "watch"
    )


@pytest.mark.parametrize("result", ["unit-start-limit-hit", "trigger-limit-hit", "resources"])
def test_a_dead_path_is_brought_back_by_what_doctor_says(drop_ins, result):
    """Five changes within ten seconds ended walls.path for good, and `start` alone is refused."""
    dead = {"ActiveState": "failed", "SubState": "failed", "Result": result}
    found = services.look(DIGEST, systemd(**{"walls.path": dead}), drop_ins, lambda: 0)
    (told,) = (finding for finding in found if finding.name == "walls.path")
    unit = "platewarden-walls.path"
    assert told.health == "fail"
    assert told.fix.startswith(f"sudo systemctl reset-failed {unit} && sudo systemctl start {unit}")
    assert "exit code" not in told.what, "a path has none"
    assert health(found)["walls.timer"] == "ok"


@pytest.mark.parametrize("unit", ["walls", "update"])
def test_what_runs_and_ends_is_told_only_when_it_failed(drop_ins, unit):
    ended = {"ActiveState": "inactive", "SubState": "dead"}
    up = {"walls.path": RUNNING, "walls.timer": RUNNING, "update.timer": RUNNING}
    assert unit not in look(systemd(**up, **{unit: ended}), drop_ins)
    failed = {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "1"}
    found = services.look(DIGEST, systemd(**up, **{unit: failed}), drop_ins, lambda: 0)
    (told,) = (finding for finding in found if finding.name == unit)
    assert told.health == "fail"
    assert f"sudo systemctl restart platewarden-{unit}.service" in told.fix


def test_a_service_that_systemd_gave_up_is_reset_first(drop_ins):
    gone = {"ActiveState": "failed", "Result": "start-limit-hit", "ExecMainStatus": "1"}
    found = services.look(DIGEST, systemd(watch=gone), drop_ins, lambda: 0)
    (told,) = (finding for finding in found if finding.name == "watch")
    assert told.fix.startswith("sudo systemctl reset-failed platewarden-watch.service")


def test_no_systemd_and_no_units(drop_ins):
    assert look(lambda _command: None, drop_ins) == {"services": "skip"}
    assert look(systemd(watch=None, deliver=None, update=None, walls=None), drop_ins) == {
        "services": "warn"
    }


def test_the_units_can_tell_that_the_clock_is_synchronised(drop_ins):
    """With ProtectClock= only by timesyncd's marker; with chrony they need the drop-in that lets
    them ask the kernel.
    """
    gone = {"systemd-timesyncd": {"ActiveState": "inactive"}}
    assert (
        look(systemd(watch={"ProtectClock": "yes"}, **gone), drop_ins)["clock of the units"]
        == "warn"
    )
    assert "clock of the units" not in look(systemd(watch={"ProtectClock": "no"}, **gone), drop_ins)
    assert "clock of the units" not in look(systemd(watch={"ProtectClock": "yes"}), drop_ins)


def test_no_table_is_a_failure_for_root_and_unknown_to_others(drop_ins):
    assert look(systemd(table=None), drop_ins)["walls nftables"] == "fail"
    assert look(systemd(table=None), drop_ins, user=1000)["walls nftables"] == "skip"


def test_the_drop_in_must_be_the_policys(drop_ins, tmp_path):
    assert look(systemd(), drop_ins, digest="cd" * 32)["walls systemd"] == "fail"
    (drop_ins / "platewarden-deliver.service.d/20-walls.conf").write_text(
        "[Service]\nIPAddressAllow=\n"
    )
    assert look(systemd(), drop_ins)["walls systemd"] == "warn"
    assert look(systemd(), tmp_path / "nothing")["walls systemd"] == "fail"


# --- parts ---


def child(code):
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def gathered(code, within_s=30.0):
    return parts.gather(Part.EYES, child(code), time.monotonic() + within_s)


def test_what_a_part_prints_is_its_report():
    printed = json.dumps(
        {"findings": [as_table(ok("models", "fine"))], "closed": "barred", "digest": None}
    )
    report = gathered(f"print({printed!r})")
    assert report == parts.Report((ok("models", "fine"),), "barred", None)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "SIGILL"),
        ("raise SystemExit(7)", "exit code 7"),
        ("print('no json')", "exit code 0"),
        (
            "import sys; sys.exit(print('platewarden: /x: cannot open', file=sys.stderr) or 1)",
            "/x: cannot open",
        ),
        ("import sys; sys.exit(print('Traceback: 7XKD419', file=sys.stderr) or 1)", "exit code 1"),
    ],
)
def test_a_part_that_dies_is_a_line_and_foreign_words_are_not_repeated(code, told):
    (found,) = gathered(code).findings
    assert (str(found.health), found.name, told in found.what, "7XKD419" in found.what) == (
        "fail",
        "eyes",
        True,
        False,
    )


def test_a_part_that_hangs_is_ended():
    process = child("import time; time.sleep(600)")
    (found,) = parts.gather(Part.EYES, process, time.monotonic()).findings
    assert "did not answer" in found.what
    assert process.poll() is not None


def test_root_looks_as_watch_and_dials_as_deliver(monkeypatch):
    monkeypatch.setattr(parts.os, "geteuid", lambda: 0)
    monkeypatch.setattr(parts.pwd, "getpwnam", lambda _name: None)
    monkeypatch.setattr(parts.grp, "getgrnam", lambda _name: None)
    assert parts.as_user(Part.EYES) == {
        "user": "platewarden-watch",
        "group": "platewarden",
        "extra_groups": ["platewarden-watch", "video"],
    }
    assert parts.as_user(Part.BROKER) == {
        "user": "platewarden-deliver",
        "group": "platewarden",
        "extra_groups": [],
    }
    assert parts.as_user(Part.TRUST) == {}
    monkeypatch.setattr(parts.os, "geteuid", lambda: 1000)
    assert parts.as_user(Part.EYES) == {}
