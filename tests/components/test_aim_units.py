"""The units of an aim: started by a person only, in watch's place, without keys, without a network
of their own.
"""

import subprocess
from pathlib import Path

import pytest

from tests.support.units import Unit

SYSTEMD = Path(__file__).parents[2] / "systemd"
SERVICES = {
    "platewarden-aim.service": 10,
    "platewarden-survey.service": 10,
    "platewarden-hotspot.service": 16,
}
ALL = (*SERVICES, "platewarden-aim.socket")
CAMERA = ("platewarden-aim.service", "platewarden-survey.service")


def run(*command):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False
    )


def test_systemd_understands_every_line(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in ALL:
        text = (SYSTEMD / name).read_text()
        (tmp_path / name).write_text(
            text.replace("/usr/bin/platewarden", str(program)).replace(
                "/usr/bin/nmcli", str(program)
            )
        )
    for other in ("NetworkManager", "platewarden-watch", "platewarden-deliver"):
        (tmp_path / f"{other}.service").write_text(f"[Service]\nExecStart={program}\n")
    done = run("systemd-analyze", "verify", *(tmp_path / name for name in ALL))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SERVICES)
def test_exposure_stays_below_what_was_reached(name):
    done = run(
        "systemd-analyze",
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={SERVICES[name]}",
        SYSTEMD / name,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ALL)
def test_only_a_person_starts_it(name):
    text = (SYSTEMD / name).read_text()
    assert "[Install]" not in text.replace("no [Install]", "")
    assert "Restart=always" not in text
    for timer in SYSTEMD.glob("*.timer"):
        assert "aim" not in timer.read_text()


@pytest.mark.parametrize("name", CAMERA)
def test_watch_and_deliver_are_stopped_meanwhile_and_started_afterwards(name):
    unit = Unit(SYSTEMD / name, "[Unit]")
    both = {"platewarden-watch.service", "platewarden-deliver.service"}
    assert both <= unit.words("Conflicts")
    assert both <= unit.words("After"), "stopped before it starts, not at the same time"
    assert unit.words("OnSuccess") == unit.words("OnFailure") == both


@pytest.mark.parametrize("name", CAMERA)
def test_it_has_no_network_no_keys_and_one_folder(name):
    unit = Unit(SYSTEMD / name)
    assert unit.one("PrivateNetwork") == "yes"
    assert unit.words("RestrictAddressFamilies") == {"AF_UNIX"}
    assert unit.one("IPAddressDeny") == "any"
    assert "IPAddressAllow" not in unit
    assert unit.words("ReadWritePaths") == {"/var/lib/platewarden/watch"}
    assert {
        "/etc/platewarden/device",
        "/etc/platewarden/city",
        "/var/lib/platewarden/outbox",
    } <= unit.words("InaccessiblePaths")
    # The log's name is told by public.json: without it neither aim nor survey started.
    given = {one.split(":")[0] for one in unit["LoadCredential"]}
    assert {"watch-log.key", "public.json"} <= given <= {"watch-log.key", "public.json", "aim.json"}
    assert unit.one("User") != "root"


@pytest.mark.parametrize("name", SERVICES)
def test_no_core_dump_and_no_swap(name):
    unit = Unit(SYSTEMD / name)
    assert (unit.one("LimitCORE"), unit.one("MemorySwapMax")) == ("0", "0")


def test_the_door_opens_on_the_hotspot_only_and_closes_with_the_aim():
    door = Unit(SYSTEMD / "platewarden-aim.socket", "[Socket]")
    assert door.one("ListenStream") == "10.42.0.1:8480"
    assert door.one("BindToDevice") == "wlan0"
    assert (door.one("IPAddressAllow"), door.one("IPAddressDeny")) == ("10.42.0.0/24", "any")
    for name in ("platewarden-aim.socket", "platewarden-hotspot.service"):
        assert Unit(SYSTEMD / name, "[Unit]").one("StopWhenUnneeded") == "yes"
        assert name in Unit(SYSTEMD / "platewarden-aim.service", "[Unit]").words("Requires")


def test_the_hotspot_sees_no_camera_and_no_state():
    unit = Unit(SYSTEMD / "platewarden-hotspot.service")
    assert unit.one("PrivateDevices") == "yes"
    assert {"/var/lib/platewarden", "/etc/platewarden/city"} <= unit.words("InaccessiblePaths")
    assert unit.words("CapabilityBoundingSet") == {"CAP_NET_ADMIN"}


def test_the_page_is_where_the_label_says():
    from agent.aim.hotspot import HOTSPOT_ADDRESS
    from agent.commands.aim_options import PORT

    assert (
        Unit(SYSTEMD / "platewarden-aim.socket", "[Socket]").one("ListenStream")
        == f"{HOTSPOT_ADDRESS}:{PORT}"
    )


@pytest.mark.parametrize("name", CAMERA)
def test_after_provision_credential_the_units_load_no_plain_key(name):
    """Else each start ends with 243/CREDENTIALS: the plain file is gone."""
    unit = (SYSTEMD / name).read_text()
    drop_in = (SYSTEMD / f"{name}.d/20-credentials.conf.example").read_text()
    lines = [line for line in f"{unit}\n{drop_in}".splitlines() if line.startswith("LoadCred")]
    loaded = []
    for line in lines:
        loaded = [] if line == "LoadCredential=" else [*loaded, line.partition("=")[2]]
    sources = {one.partition(":")[0]: one.partition(":")[2] for one in loaded}
    asked = {line.partition("=")[2].partition(":")[0] for line in unit.splitlines()
             if line.startswith("LoadCredential=")}  # fmt: skip
    assert set(sources) == asked
    assert sources["watch-log.key"].endswith("/watch-log.key.cred")
    assert len(loaded) == len(asked)
