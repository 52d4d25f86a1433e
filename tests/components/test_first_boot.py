"""debian/first_boot.py: what it places, what it refuses, and that it leaves no private key on the
boot partition.

`make test-deb` runs it in a tree.
"""

import json
import runpy
import stat
import subprocess
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from agent.provision import device_files as files
from agent.sealing.camera_keys import make_kit
from tests.support.sealed import CAPTURED

pytestmark = pytest.mark.usefixtures("quick_disk")

ROOT = Path(__file__).parents[2]
SETTINGS = '[paths]\nstate = "/var/lib/platewarden"\n'
WELL = [
    {"name": name, "health": "ok", "what": "well", "fix": "", "exit_code": 1}
    for name in ("settings", "models", "camera", "enrolment", "keys")
]
NO_BROKER = {
    "name": "broker",
    "health": "fail",
    "what": "no route",
    "fix": "connect a network",
    "exit_code": 1,
}
LIBRARY, FIREWALL = "-c", "list"  # what python and nft are asked


class Boot:
    """A card in a folder; the commands that it would run, and what they answer."""

    def __init__(self, root, monkeypatch):
        self.code = runpy.run_path(str(ROOT / "debian/first_boot.py"))
        self.card = self.code["Card"](root)
        self.card.given.mkdir(parents=True)
        for folder in (
            "etc/platewarden/device",
            "etc/platewarden/trust",
            "var/lib/platewarden",
            "run",
        ):
            (root / folder).mkdir(parents=True)
        self.asked = []
        self.answers = {"doctor": (1, json.dumps({"findings": [*WELL, NO_BROKER]}), "")}
        monkeypatch.setitem(self.code["main"].__globals__, "run", self.run)
        monkeypatch.setitem(self.code["must"].__globals__, "run", self.run)

    def run(self, *words):
        self.asked.append(" ".join(words))
        answer = self.answers.get(words[1], (0, "", ""))
        code, out, complaint = answer.pop(0) if isinstance(answer, list) else answer
        if words[:2] == ("platewarden", "provision") and code == 0:
            (self.card.device / "enrolment.json").write_text("{}")
        return CompletedProcess(words, code, out, complaint)

    def give(self, name, content):
        file = self.card.given / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def give_batch(self, camera="cam-1"):
        for name, file in files.device_files(make_kit(camera, CAPTURED)).items():
            self.give(f"device/{name}", file.data)
        self.give("trust/root.json", b"{}")
        return {file.name: file.read_bytes() for file in (self.card.given / "device").iterdir()}

    def main(self):
        return self.code["main"](self.card)

    @property
    def enabled(self):
        return [words for words in self.asked if words.startswith("systemctl")]

    @property
    def report(self):
        return (self.card.given / "first-boot.txt").read_text()


@pytest.fixture
def boot(tmp_path, monkeypatch):
    return Boot(tmp_path, monkeypatch)


def test_keys_of_a_batch_are_placed_and_leave_the_boot_partition(boot):
    boot.give("platewarden.toml", SETTINGS)
    held = boot.give_batch()
    boot.give("device/._seal.key", b"what a Mac leaves beside a file")
    watched = (boot.card.given / "device/seal.key").open("rb")
    assert boot.main() == 0
    assert {file.name: file.read_bytes() for file in boot.card.device.iterdir()} == held
    modes = {stat.S_IMODE(file.stat().st_mode) for file in boot.card.device.glob("*.key")}
    assert modes == {0o600}
    assert not list(boot.card.given.rglob("*.key"))
    assert not any(watched.read()), "overwritten, not only unlinked"
    secrets = [content for name, content in held.items() if name.endswith(".key")]
    assert not any(
        secret in file.read_bytes()
        for file in boot.card.given.rglob("*")
        if file.is_file()
        for secret in secrets
    )
    assert boot.enabled
    assert "connect a network" in boot.report
    assert (boot.card.root / "var/lib/platewarden/first-boot-done").exists()


def test_without_a_batch_the_camera_makes_its_own_keys_under_the_city_s_root(boot):
    boot.give("platewarden.toml", SETTINGS)
    boot.give("1.root.json", b"{}")
    assert boot.main() == 0
    assert f"platewarden provision --anchor {boot.card.given / '1.root.json'}" in boot.asked
    assert (boot.card.given / "enrolment.json").exists(), "for the clerk"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda boot: (boot.card.given / "platewarden.toml").rename(
                boot.card.given / "platewarden.toml.txt"
            ),
            "platewarden.toml.txt",
        ),
        (
            lambda boot: boot.give("platewarden.toml", 'camera_id = "cam-1"\n'),
            'state = "/var/lib/platewarden"',
        ),
        (lambda boot: boot.give("platewarden.toml", "camera_id = \n"), "platewarden.toml"),
        (lambda boot: boot.give("platewarden.toml", bytes(2 << 20)), "not a plain file"),
        (
            lambda boot: boot.give("platewarden.toml", f'camera_id = "put-your-own"\n{SETTINGS}'),
            "still holds put-your-own… of the example",
        ),
        (lambda boot: (boot.card.given / "trust/root.json").unlink(), "the city's clerk gives it"),
        (lambda boot: boot.give("device/notes.txt", "x"), "notes.txt"),
        (lambda boot: (boot.card.given / "device/public.json").unlink(), "holds no camera's keys"),
        (lambda boot: (boot.card.etc / "platewarden.toml").write_text("another"), "differs"),
        (lambda boot: (boot.card.device / "public.json").write_text("{}"), "another camera's keys"),
        (
            lambda boot: boot.answers.update(status=(2, "", "camera_id: too long")),
            "camera_id: too long",
        ),
    ],
)
def test_what_it_cannot_finish_starts_nothing_and_says_why(boot, spoil, told):
    boot.give("platewarden.toml", SETTINGS)
    boot.give_batch()
    spoil(boot)
    assert boot.main() == 1
    assert not boot.enabled
    assert "NOT A CAMERA YET" in boot.report
    assert told in boot.report
    assert "PRIVATE KEYS STILL LIE ON THE BOOT PARTITION: deliver-log.key" in boot.report
    assert "NOT A CAMERA YET" in (boot.card.root / "run/issue.d/platewarden.issue").read_text()
    assert not (boot.card.root / "var/lib/platewarden/first-boot-done").exists()


@pytest.mark.parametrize(
    "name", ["settings", "models", "camera", "enrolment", "keys", "key seal.key"]
)
def test_nothing_is_enabled_while_doctor_says_fail(boot, name):
    boot.give("platewarden.toml", SETTINGS)
    boot.give_batch()
    bad = {"name": name, "health": "fail", "what": "not well", "fix": "mend it", "exit_code": 1}
    boot.answers["doctor"] = (1, json.dumps({"findings": [*WELL, bad]}), "")
    assert boot.main() == 1
    assert not boot.enabled
    assert "mend it" in boot.report


@pytest.mark.parametrize(
    ("asked", "answer", "told"),
    [
        (LIBRARY, (1, "", "No module named 'picamera2'"), "camera library is missing"),
        (FIREWALL, (127, "", "nft is not installed"), "firewall is missing: nft is not installed"),
        (FIREWALL, (1, "", "netlink: Protocol not supported\nmore"), "Protocol not supported. It"),
    ],
)
def test_no_camera_is_made_of_a_card_that_lacks_a_part(boot, asked, answer, told):
    """Library and firewall can only be recommended by the package: each is named, and the keys are
    safe all the same.
    """
    boot.give("platewarden.toml", SETTINGS)
    boot.give_batch()
    boot.answers[asked] = answer
    assert boot.main() == 1
    assert not boot.enabled
    assert told in boot.report.splitlines()[-1]
    assert told in (boot.card.root / "run/issue.d/platewarden.issue").read_text()
    assert not list(boot.card.given.rglob("*.key")), "placed and wiped"
    boot.answers.pop(asked)
    assert boot.main() == 0


def test_a_program_that_is_not_there_is_said_and_no_crash():
    asks = runpy.run_path(str(ROOT / "debian/first_boot.py"))["run"]
    assert asks("no-such-program-here").returncode == 127


def test_the_led_blinks_fast_until_the_card_is_a_camera(boot):
    led = boot.card.root / "sys/class/leds/ACT"
    led.mkdir(parents=True)
    boot.give("platewarden.toml", SETTINGS)
    assert boot.main() == 1
    told = {name: (led / name).read_text() for name in ("trigger", "delay_on", "delay_off")}
    assert told == {"trigger": "timer", "delay_on": "100", "delay_off": "100"}
    boot.give_batch()
    assert boot.main() == 0
    assert (led / "trigger").read_text() == "default-on"


def test_what_the_start_has_mended_is_no_complaint(boot):
    """Before it there are no walls, and no bundles are verified: that stood in each report."""
    (boot.card.root / "run/systemd/system").mkdir(parents=True)
    boot.give("platewarden.toml", SETTINGS)
    boot.give_batch()
    early = {**NO_BROKER, "name": "walls nftables", "what": "no table yet"}
    looks = [[*WELL, early], [*WELL, NO_BROKER]]
    boot.answers["doctor"] = [(1, json.dumps({"findings": look}), "") for look in looks]
    boot.answers["is-active"] = (0, "active\nactive\n", "")
    assert boot.main() == 0
    assert "no table yet" not in boot.report
    assert "connect a network" in boot.report
    assert "the keys are in place" in boot.report


@pytest.mark.parametrize(
    ("active", "second", "told"),
    [
        ("active\nactive\n", "", "not known: doctor gave no answer: Killed"),
        ("active\nfailed\n", json.dumps({"findings": WELL}), "are not both up yet"),
    ],
    ids=["doctor is killed", "a unit fails"],
)
def test_what_the_start_comes_to_is_told_and_undoes_nothing(
    boot, monkeypatch, active, second, told
):
    """It said that nothing was started, while the units ran; or nothing of a unit that did not."""
    (boot.card.root / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setitem(boot.code["main"].__globals__, "UP_WITHIN_S", 0.0)
    boot.give("platewarden.toml", SETTINGS)
    boot.give_batch()
    first = json.dumps({"findings": WELL})
    boot.answers["doctor"] = [(0, first, ""), (1, second, "Killed")]
    boot.answers["is-active"] = (0, active, "")
    assert boot.main() == 0
    assert boot.report.splitlines()[-1].startswith("this card is a camera now")
    assert told in boot.report


def test_a_doctor_without_an_answer_enables_nothing(boot):
    boot.give("platewarden.toml", SETTINGS)
    boot.give_batch()
    boot.answers["doctor"] = (1, "", "Killed")
    assert boot.main() == 1
    assert not boot.enabled


@pytest.mark.parametrize("gone", range(1, 9))
def test_a_power_cut_while_wiping_is_finished_at_the_next_start(boot, gone):
    """Placed, and some of the card's copies gone already."""
    boot.give("platewarden.toml", SETTINGS)
    held = boot.give_batch()
    for step in ("place_settings", "place_keys"):
        boot.code[step](boot.card)
    for file in sorted(
        (boot.card.given / "device").iterdir(), key=lambda file: file.name == "public.json"
    )[:gone]:
        file.unlink()
    assert boot.main() == 0
    assert {file.name: file.read_bytes() for file in boot.card.device.iterdir()} == held
    assert not (boot.card.given / "device").exists()


def test_a_settings_file_that_does_not_load_can_be_mended(boot):
    boot.give("platewarden.toml", SETTINGS)
    boot.give_batch()
    boot.answers["status"] = (2, "", "no")
    assert boot.main() == 1
    boot.answers["status"] = (0, "", "")
    boot.give("platewarden.toml", SETTINGS + "# mended\n")
    assert boot.main() == 0


def test_a_link_is_not_followed(boot):
    boot.give("platewarden.toml", SETTINGS)
    boot.give_batch()
    secret = boot.card.root / "shadow"
    secret.write_text("x")
    (boot.card.given / "device/x.json").symlink_to(secret)
    assert boot.main() == 1
    assert not boot.enabled


@pytest.mark.parametrize(
    "before",
    [
        "console=tty1 root=PARTUUID=1-02 rootwait\n",
        "console=tty1 cgroup_enable=memory root=PARTUUID=1-02\n",
    ],
)
def test_the_kernel_s_line_gets_one_word_once(boot, before):
    line = boot.card.given.parent / "cmdline.txt"
    line.write_text(before)
    boot.code["switch_on_memory_controller"](boot.card)
    boot.code["switch_on_memory_controller"](boot.card)
    after = line.read_text()
    assert after.split().count("cgroup_enable=memory") == 1
    assert after.count("\n") == 1
    assert set(before.split()) <= set(after.split())
    kept = boot.card.given.parent / "cmdline.before-platewarden.txt"
    assert not kept.exists() if "cgroup" in before else kept.read_text() == before


def test_a_card_that_is_tried_again_tells_what_apt_says_now(tmp_path):
    """The log went on from try to try, and each report quoted the first."""
    text = (ROOT / "config/first-boot/user-data").read_text()
    lines = text.partition("  - |\n")[2].splitlines()
    script = "\n".join(line for line in lines if line.startswith("    "))
    for place in ("/boot/firmware", "/var/log", "/run/issue.d", "/sys/class", "/dev/console"):
        script = script.replace(place, f"{tmp_path}{place}")
    card, programs = tmp_path / "boot/firmware/platewarden", tmp_path / "bin"
    for folder in (card, programs, tmp_path / "var/log", tmp_path / "run"):
        folder.mkdir(parents=True)
    (card.parent / "user-data").write_text("a key\n")
    (card / "platewarden_1_none.deb").touch()
    for name, does in {"dpkg": "echo none", "python3": "exit 1", "systemctl": "exit 1"}.items():
        stand_in(programs / name, does)
    for words in ("first words", "second words"):
        stand_in(programs / "apt-get", f"echo 'E: {words}'; exit 100")
        path = {"PATH": f"{programs}:/usr/bin:/bin"}
        done = subprocess.run(["sh", "-c", script], env=path, timeout=60, check=False)
        told = (card / "first-boot.txt").read_text()
        assert (done.returncode, words in told) == (1, True)
    assert "first words" not in told


def stand_in(program, does):
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
