"""walls: the kernel's rules follow the verified policy, and nothing else opens them."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from agent.core.policy import wall_rules
from agent.host.clock import TrustedClock
from agent.settings import load
from agent.sides import walls as walls_side
from tests.fakes.machine import FakeMachine
from tests.support.bundle_city import POLICY, BundleCity
from tests.support.judging import EXAMPLE

pytestmark = pytest.mark.usefixtures("quick_disk")

HOUR = timedelta(hours=1)
LISTED = (("198.51.100.7", 8883), ("2001:db8::7", 8884))


class Machine:
    def __init__(self, folder, monkeypatch):
        (folder / "platewarden.toml").write_text('camera_id = "main-street-2"\n')
        self.settings = load(folder / "platewarden.toml")
        self.out = folder / "out"
        self.machine = FakeMachine(datetime(2026, 12, 1, tzinfo=UTC))
        self.city = BundleCity(self.machine.real - HOUR)
        self.city.anchor(folder)
        monkeypatch.setattr(
            walls_side,
            "TrustedClock",
            lambda state: TrustedClock(
                state, self.machine, build_time=datetime(2026, 11, 1, tzinfo=UTC)
            ),
        )

    def raised(self):
        self.city.write(self.settings.bundles)
        return walls_side.run(self.settings, self.out)

    def allowed(self):
        return re.findall(
            r"^IPAddressAllow=(.+)$",
            (self.out / "platewarden-deliver.service.d/20-walls.conf").read_text(),
            re.MULTILINE,
        )


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


def test_the_walls_name_the_brokers_of_the_verified_policy(here):
    done = here.raised()
    assert done.refused is None
    assert [address for address, _ in done.gates.brokers] == here.allowed() != []
    for address, port in done.gates.brokers:
        assert f"{address} . {port}" in (here.out / "platewarden.nft").read_text()
        assert address.encode() in (EXAMPLE / "policy.toml").read_bytes()


class Meanwhile:
    """Bundles that come while the walls are written: each time, or `times` times."""

    def __init__(self, here, monkeypatch, times):
        self.here, self.left, self.written = here, times, 0
        self._write = walls_side._write
        monkeypatch.setattr(walls_side, "_write", self)

    def __call__(self, *arguments):
        files = self._write(*arguments)
        self.written += 1
        if self.left:
            self.left -= 1
            self.here.city.edit_policy(
                b"version = %d" % (6 + self.written), b"version = %d" % (7 + self.written)
            )
            self.here.city.write(self.here.settings.bundles)
        return files


def test_bundles_that_come_meanwhile_are_not_left_for_the_hourly_look(here, monkeypatch):
    meanwhile = Meanwhile(here, monkeypatch, times=1)
    done = here.raised()
    assert (meanwhile.written, done.refused) == (2, None)
    assert ", version 8," in done.made_from
    assert walls_side.run(here.settings, here.out).made_from == done.made_from


def test_bundles_that_come_again_and_again_do_not_keep_the_walls_for_ever(here, monkeypatch):
    meanwhile = Meanwhile(here, monkeypatch, times=100)
    here.raised()
    assert meanwhile.written == walls_side.MOST_LOOKS


def test_without_bundles_nobody_is_reached(here):
    done = walls_side.run(here.settings, here.out)
    assert (done.gates.brokers, here.allowed()) == ((), [])
    assert "no bundles have come yet" in str(done.refused) or "no such file" in str(done.refused)


def test_an_address_that_one_person_adds_stays_behind_the_wall(here):
    before = here.raised().gates
    text = here.city.files[POLICY]["policy/policy.toml"]
    old = next(line for line in text.splitlines() if line.startswith(b"addresses"))
    here.city.edit_policy(
        old, b'addresses = ["203.0.113.99:8883"]', signers=here.city.signers[POLICY][:1]
    )
    done = here.raised()
    assert (done.gates, done.refused.reason) == (before, "bundle-signature-threshold")
    assert "203.0.113.99" not in (here.out / "platewarden.nft").read_text()


def test_when_the_bundles_lapse_the_gates_close(here):
    here.raised()
    here.machine.advance(4 * 86_400)
    done = walls_side.run(here.settings, here.out)
    assert (done.gates.brokers, here.allowed()) == ((), [])
    assert done.refused.exit_code == 3


def test_the_way_to_newer_bundles_stays_open_when_the_old_ones_lapse(here):
    source = b"""
[[bundle_source]]
id = "hall"
host = "bundles.exampleville.example"
addresses = ["203.0.113.50:443"]
ca = "city-hall-ca.pem"
spki_pins = ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
"""
    here.city.files[POLICY]["policy/policy.toml"] += source
    here.city.release(POLICY)
    here.city.online()
    assert here.raised().gates.sources == (("203.0.113.50", 443),)
    here.machine.advance(4 * 86_400)
    assert walls_side.run(here.settings, here.out).gates == wall_rules.Gates(
        sources=(("203.0.113.50", 443),)
    )
    assert (
        "IPAddressAllow=203.0.113.50"
        in (here.out / "platewarden-update.service.d/20-walls.conf").read_text()
    )


def test_deliver_is_started_anew_where_its_addresses_changed_and_only_there(
    here, monkeypatch, tmp_path
):
    """Systemd reads a drop-in at a reload and puts it around a running process only when some other
    unit happens to start (seen with 257).
    """
    commands = []
    monkeypatch.setattr(walls_side, "RUN", tmp_path / "run")
    monkeypatch.setattr(walls_side, "DROP_INS", tmp_path / "drop-ins")
    monkeypatch.setattr(
        walls_side.subprocess,
        "run",
        lambda command, **_: (
            commands.append(command[:2]) or subprocess.CompletedProcess(command, 0, "", "")
        ),
    )
    always, anew = [["nft", "-f"], ["systemctl", "daemon-reload"]], ["systemctl", "try-restart"]
    here.raised()
    for expected in ([*always, anew], always):
        commands.clear()
        walls_side.run(here.settings)
        assert commands == expected
    here.machine.advance(4 * 86_400)  # the bundles lapse: deliver may reach nobody
    commands.clear()
    walls_side.run(here.settings)
    assert commands == [*always, anew]


def test_the_command_says_what_is_reached_and_ends_with_3_where_nothing_is(tmp_path):
    (tmp_path / "platewarden.toml").write_text('camera_id = "main-street-2"\n')
    BundleCity().anchor(tmp_path)
    command = [
        sys.executable,
        "-m",
        "agent",
        "walls",
        "--config",
        str(tmp_path / "platewarden.toml"),
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, json.loads(done.stdout)["deliver"]) == (3, [])
    assert "bundle-incomplete" in done.stderr


def test_a_citys_name_cannot_write_rules_of_its_own():
    assert "\naccept" not in wall_rules.nftables(wall_rules.Gates(), "Town\naccept")
    assert "\nIPAddressAllow=0" not in wall_rules.drop_in((), "Town\nIPAddressAllow=0.0.0.0/0")


@pytest.mark.skipif(shutil.which("nft") is None, reason="nftables is not installed")
@pytest.mark.parametrize("listed", [(), LISTED])
def test_nftables_understands_the_table(listed, tmp_path):
    rules = tmp_path / "walls.nft"
    rules.write_text(
        wall_rules.nftables(wall_rules.Gates(listed, listed[:1]), "a test", users=(1, 2, 3))
    )
    done = subprocess.run(
        ["nft", "--check", "-f", str(rules)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("asking the kernel needs root")
    assert (done.returncode, done.stderr) == (0, "")
