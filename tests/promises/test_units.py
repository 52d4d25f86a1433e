"""P2, P4, P9 as systemd enforces them: the units' sandboxes, judged by systemd's own tools."""

import configparser
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.units import Unit

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = ("platewarden-watch.service", "platewarden-deliver.service")
WALLS, UPDATE = "platewarden-walls.service", "platewarden-update.service"
HEALTH = "platewarden-health.service"
SOFTWARE = ("platewarden-software.service", "platewarden-software-boot.service")
BESIDE = (WALLS, UPDATE, HEALTH, *SOFTWARE)
RECEIVER = ("platewarden-receiver.service", "platewarden-receiver-keys.service")
RING = "platewarden-receiver-ring.service"
INBOX = "platewarden-receiver-inbox.service"
FLEET = "platewarden-fleet.service"
EXPOSURE_TENTHS = {
    "platewarden-watch.service": 10,
    "platewarden-deliver.service": 15,
    "platewarden-walls.service": 18,
    "platewarden-update.service": 15,
    "platewarden-health.service": 14,
    "platewarden-software.service": 16,
    "platewarden-software-boot.service": 16,
    "platewarden-receiver.service": 15,
    "platewarden-receiver-keys.service": 10,
    "platewarden-receiver-ring.service": 15,
    "platewarden-receiver-inbox.service": 15,
    "platewarden-fleet.service": 15,
}


FIRST_BOOT = Path(__file__).parents[2] / "debian/platewarden-first-boot.service"


def unit_of(name: str) -> Unit:
    """The [Service] section of one of our units."""
    return Unit(SYSTEMD / name)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", [*UNITS, *BESIDE, *RECEIVER, RING, INBOX, FLEET])
def test_systemd_understands_every_line(name, tmp_path):
    program = tmp_path / "platewarden"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / name
    unit.write_text((SYSTEMD / name).read_text().replace("/usr/bin/platewarden", str(program)))
    done = run("systemd-analyze", "verify", unit)
    # An unknown key is only a warning there: none is allowed here.
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [*UNITS, *BESIDE, *RECEIVER, RING, INBOX, FLEET])
def test_exposure_stays_below_what_was_asked(name):
    done = run(
        "systemd-analyze",
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={EXPOSURE_TENTHS[name]}",
        SYSTEMD / name,
    )
    assert done.returncode == 0, done.stdout


def exposed(unit: Path, tenths: int) -> bool:
    """Is it more open than that?"""
    done = run(
        "systemd-analyze",
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={tenths}",
        unit,
    )
    return done.returncode != 0


def test_first_boot_may_write_and_call_only_what_it_needs(tmp_path):
    """It runs as root, places keys and starts units: 3.9, and 9.0 before."""
    assert not exposed(FIRST_BOOT, 40)
    assert exposed(FIRST_BOOT, 20), "the threshold can fail"
    program = tmp_path / "first-boot"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / FIRST_BOOT.name
    text = FIRST_BOOT.read_text()
    unit.write_text(text.replace("/usr/libexec/platewarden/first-boot", str(program)))
    done = run("systemd-analyze", "verify", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    written = Unit(FIRST_BOOT).words("ReadWritePaths")
    assert written == {
        "/etc/platewarden",
        "/etc/systemd/system",
        "/run",
        "/boot/firmware",
        "/var/lib/platewarden",
        "/sys/devices/platform/leds",
    }


@pytest.mark.parametrize("name", [*UNITS, *RECEIVER, RING, INBOX, FLEET])
def test_exposure_rises_when_the_walls_fall(name, tmp_path):
    """The threshold can fail: the same unit without its sandbox lines is over it."""
    bare = tmp_path / name
    kept = [
        line
        for line in (SYSTEMD / name).read_text().splitlines()
        if not line.startswith(("Private", "Protect", "Restrict", "System", "Capability"))
    ]
    bare.write_text("\n".join(kept))
    done = run(
        "systemd-analyze",
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={EXPOSURE_TENTHS[name]}",
        bare,
    )
    assert done.returncode != 0


def test_a_certificate_that_the_broker_shows_does_not_keep_the_receiver_down():
    """A refusal ends its start with 3; whoever stands on the way can show a certificate, once."""
    unit = unit_of(RECEIVER[0])
    assert unit.one("Restart") == "on-failure"
    assert unit.words("RestartPreventExitStatus") == {"2"}
    assert Unit(SYSTEMD / RECEIVER[0], "[Unit]").one("StartLimitIntervalSec") == "0"


def test_the_receiver_holds_its_folder_and_one_broker_and_nothing_else():
    run_unit, keys = map(unit_of, RECEIVER)
    for unit in (run_unit, keys):
        assert unit.words("ReadWritePaths") == {"/var/lib/platewarden-receiver"}
        assert unit.one("ProtectSystem") == "strict"
        assert {"/var/lib/platewarden", "/etc/platewarden"} <= unit.words("InaccessiblePaths")
        assert (unit.one("LimitCORE"), unit.one("MemorySwapMax"), unit.one("UMask")) == (
            "0",
            "0",
            "0077",
        )
    assert run_unit.one("IPAddressDeny") == "any"
    assert keys.one("PrivateNetwork") == "yes"
    timer = Unit(SYSTEMD / "platewarden-receiver-keys.timer", "[Timer]")
    assert (timer.one("OnCalendar"), timer.one("Persistent")) == ("*-*-* 00:01:00 UTC", "yes")


def test_what_rings_holds_no_key_and_reaches_nobody_until_told():
    unit = unit_of(RING)
    assert unit.words("ReadWritePaths") == {"/var/lib/platewarden-receiver/store"}
    hidden = unit.words("InaccessiblePaths")
    for name in ("epochs", "signing.key", "tls.key"):
        assert f"/var/lib/platewarden-receiver/{name}" in hidden
    assert unit.one("IPAddressDeny") == "any"
    assert "IPAddressAllow" not in unit


def test_the_fleet_holds_its_folder_and_reaches_nobody_until_told():
    unit = unit_of(FLEET)
    assert unit.words("ReadWritePaths") == {"/var/lib/platewarden-fleet"}
    hidden = unit.words("InaccessiblePaths")
    assert {"/var/lib/platewarden", "/etc/platewarden", "/var/lib/platewarden-receiver"} <= hidden
    assert unit.one("IPAddressDeny") == "any"
    assert "IPAddressAllow" not in unit
    assert unit.words("RestartPreventExitStatus") == {"2"}
    assert (unit.one("LimitCORE"), unit.one("MemorySwapMax")) == ("0", "0")


def test_the_inbox_is_reached_from_this_machine_alone_and_signs_no_receipt():
    unit = unit_of(INBOX)
    assert unit.words("ReadWritePaths") == {"/var/lib/platewarden-receiver"}
    hidden = unit.words("InaccessiblePaths")
    assert "/var/lib/platewarden-receiver/signing.key" in hidden
    assert "/var/lib/platewarden-receiver/epochs" not in hidden
    assert (unit.one("IPAddressDeny"), unit.one("IPAddressAllow")) == ("any", "localhost")
    assert (unit.one("LimitCORE"), unit.one("MemorySwapMax")) == ("0", "0")


def test_health_has_no_network_no_key_and_one_folder():
    """It runs as root, to read what watch and deliver keep for themselves."""
    unit = unit_of(HEALTH)
    assert unit.one("PrivateNetwork") == "yes"
    assert unit.words("ReadWritePaths") == {"/var/lib/prometheus/node-exporter"}
    hidden = unit.words("InaccessiblePaths")
    for name in ("seal.key", "hotlist.key", "watch-log.key", "deliver-log.key", "tls.key"):
        assert f"/etc/platewarden/device/{name}" in hidden
    timer = Unit(SYSTEMD / "platewarden-health.timer", "[Timer]")
    assert (timer.one("OnCalendar"), timer.one("RandomizedDelaySec")) == ("hourly", "30min")


def test_watch_has_no_network():
    unit = unit_of("platewarden-watch.service")
    assert unit.one("PrivateNetwork") == "yes"
    assert unit.words("RestrictAddressFamilies") == {"AF_UNIX"}
    assert unit.one("IPAddressDeny") == "any"
    assert "IPAddressAllow" not in unit


def test_deliver_reaches_nobody_until_told_and_has_no_devices():
    unit = unit_of("platewarden-deliver.service")
    assert unit.one("IPAddressDeny") == "any"
    assert "IPAddressAllow" not in unit  # a drop-in names the brokers
    assert unit.one("PrivateDevices") == "yes"
    assert "DeviceAllow" not in unit
    assert "SupplementaryGroups" not in unit


def test_watch_may_open_camera_devices_only():
    unit = unit_of("platewarden-watch.service")
    assert unit.one("DevicePolicy") == "closed"
    assert set(unit["DeviceAllow"]) == {"char-video4linux rw", "char-media rw", "char-dma_heap rw"}


def test_deliver_cannot_see_plates_or_the_sealing_key():
    hidden = unit_of("platewarden-deliver.service").words("InaccessiblePaths")
    assert {
        "/etc/platewarden/device/seal.key",
        "/etc/platewarden/city-hotlist",
        "/etc/platewarden/city/hotlist.csv",
        "/var/lib/platewarden/watch",
    } <= hidden


@pytest.mark.parametrize("name", UNITS)
def test_no_core_dump_and_no_swap(name):
    unit = unit_of(name)
    assert (unit.one("LimitCORE"), unit.one("CoredumpFilter")) == ("0", "0")
    assert unit.one("MemorySwapMax") == "0"


def test_walls_has_one_capability_no_network_and_sees_no_plate():
    unit = unit_of(WALLS)
    assert unit.words("CapabilityBoundingSet") == {"CAP_NET_ADMIN"}
    assert (unit.one("IPAddressDeny"), unit.words("RestrictAddressFamilies")) == (
        "any",
        {"AF_UNIX", "AF_NETLINK"},
    )
    assert {
        "/var/lib/platewarden/watch",
        "/var/lib/platewarden/outbox",
        "/etc/platewarden/device",
    } <= unit.words("InaccessiblePaths")


def test_what_was_fetched_is_read_only_for_those_who_verify():
    for name in UNITS:
        assert "/var/lib/platewarden/bundles-in" in unit_of(name).words("ReadOnlyPaths")
    assert not any(
        "bundles-in" in path
        for name in (*UNITS, WALLS)
        for path in unit_of(name).words("ReadWritePaths")
    )
    update = unit_of(UPDATE)
    assert update.words("ReadWritePaths") == {
        "/var/lib/platewarden/bundles-in",
        "/var/lib/platewarden/update",
    }
    assert {
        "/var/lib/platewarden/watch",
        "/var/lib/platewarden/outbox",
        "/etc/platewarden/device",
    } <= update.words("InaccessiblePaths")
    assert update.one("IPAddressDeny") == "any"
    assert "IPAddressAllow" not in update


def test_one_writer_per_file():
    watch, deliver = (unit_of(name) for name in UNITS)
    assert watch.words("ReadWritePaths") == {
        "/var/lib/platewarden/outbox",
        "/var/lib/platewarden/watch",
    }
    assert deliver.words("ReadWritePaths") == {
        "/var/lib/platewarden/receipts",
        "/var/lib/platewarden/deliver",
    }
    assert not watch.words("ReadWritePaths") & deliver.words("ReadWritePaths")
    assert watch.one("User") != deliver.one("User")
    for unit in (watch, deliver):
        assert unit.one("ProtectSystem") == "strict"
        assert unit.one("ProtectHome") == "yes"


@pytest.mark.parametrize("name", UNITS)
def test_a_hang_is_killed_and_a_refusal_is_not_retried(name):
    unit = unit_of(name)
    assert unit.one("Type") == "notify"
    assert unit.one("NotifyAccess") == "main"
    assert int(unit.one("WatchdogSec")) > 0
    assert unit.one("Restart") == "on-failure"
    assert unit.words("RestartPreventExitStatus") == {"2", "3"}


def test_the_example_drop_in_only_adds_addresses():
    drop_in = configparser.ConfigParser()
    drop_in.optionxform = str
    drop_in.read(SYSTEMD / "platewarden-deliver.service.d/10-brokers.conf.example")
    assert {section: dict(drop_in[section]) for section in drop_in.sections()} == {
        "Service": {"IPAddressAllow": "203.0.113.10"}
    }


def test_users_and_folders(tmp_path):
    """sysusers and tmpfiles, run for real into an empty root: two users, each the only writer of
    its own folders.
    """
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", f"--root={tmp_path}", SYSTEMD / "sysusers.d/platewarden.conf")
    assert made.returncode == 0, made.stderr
    users = {
        line.split(":")[0]: int(line.split(":")[2])
        for line in (tmp_path / "etc/passwd").read_text().splitlines()
    }
    assert {unit_of(name).one("User") for name in (*UNITS, UPDATE)} == set(users)
    if os.geteuid() != 0:
        pytest.skip("giving folders to other users needs root")
    keys = tmp_path / "etc/platewarden/device"
    keys.mkdir(parents=True)
    for key in ("seal.key", "deliver-log.key"):
        (keys / key).write_text("fictitious")
    made = run(
        "systemd-tmpfiles",
        f"--root={tmp_path}",
        "--create",
        SYSTEMD / "tmpfiles.d/platewarden.conf",
    )
    assert (made.returncode, made.stderr) == (0, "")
    owners = {
        path: ((tmp_path / path).stat().st_uid, (tmp_path / path).stat().st_mode & 0o7777)
        for path in (
            "var/lib/platewarden/bundles-in",
            "var/lib/platewarden/outbox",
            "var/lib/platewarden/receipts",
            "etc/platewarden/device/seal.key",
            "etc/platewarden/device/deliver-log.key",
        )
    }
    assert owners == {
        "var/lib/platewarden/bundles-in": (users["platewarden-update"], 0o2755),
        "var/lib/platewarden/outbox": (users["platewarden-watch"], 0o2750),
        "var/lib/platewarden/receipts": (users["platewarden-deliver"], 0o2750),
        "etc/platewarden/device/seal.key": (users["platewarden-watch"], 0o600),
        "etc/platewarden/device/deliver-log.key": (users["platewarden-deliver"], 0o600),
    }
