"""First boot of a card in a booted tree: with everything, and without camera library, sensor,
firewall, network or the city's root. What it says stands on the boot partition.
"""

import shutil
from pathlib import Path

import pytest

from tests.boot.city import SETTINGS
from tests.boot.conftest import UNITS, base_tree, lend_camera, packages
from tests.boot.machine import Machine, run

ROOT = Path(__file__).parents[2]
UNIT, CARD = "platewarden-first-boot.service", "boot/firmware/platewarden"
LIBRARY = "usr/lib/python3/dist-packages/picamera2.py"
NFT, NETWORK = "usr/sbin/nft", "etc/systemd/network/10-host0.network"
NOT_YET = "NOT A CAMERA YET, nothing was started"
SAID_WITHIN_S = 240.0
# The library as it is where no ribbon cable is in its socket.
NO_SENSOR = """\
class Picamera2:
    def __init__(self, *_given, **_named):
        raise IndexError("list index out of range")
"""


def without(path: str):
    return lambda root: (root / path).unlink()


LACKS = {
    "camera library": (without(LIBRARY), ["the camera library is missing", "python3-picamera2"]),
    "sensor": (
        lambda root: (root / LIBRARY).write_text(NO_SENSOR),
        ["doctor says fail   camera: ", "check the ribbon cable"],
    ),
    "firewall": (without(NFT), ["the firewall is missing: nft is not installed", "nftables"]),
    "city's root": (without(f"{CARD}/1.root.json"), ["1.root.json is missing", "city's clerk"]),
}


@pytest.fixture(scope="module")
def alone(machine):
    """The machine of the other tests is down, and up again at the end however that comes."""
    machine.stop()
    yield
    machine.start()
    machine.wait_up(*UNITS)


@pytest.fixture(scope="module")
def made(alone, city, work):
    """A tree with the package, the stand-in for the camera and a card's folder, never started.

    The folder's camera sees an empty street, so that its reads mix with nobody's.
    """
    folder = work / "first-boot"
    fresh = Machine(base_tree(), folder)
    fresh.install(packages())
    lend_camera(fresh)
    for picture in (fresh.root / "opt/boot/street").glob("car-*.png"):
        picture.unlink()
    program = fresh.root / "usr/libexec/platewarden/first-boot"
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "debian/first_boot.py", program)
    program.chmod(0o755)
    shutil.copyfile(ROOT / "debian" / UNIT, fresh.root / "usr/lib/systemd/system" / UNIT)
    fresh.enable(UNIT)
    give_card(city, fresh.root / CARD)
    run("umount", fresh.root)
    return folder / "upper"


def give_card(city, card: Path) -> None:
    """What an installer's computer leaves there: settings, root, keys of a batch, bundles."""
    device = card / "device"
    device.mkdir(parents=True)
    (card / "platewarden.toml").write_text(SETTINGS.format(camera=city.id))
    shutil.copyfile(city.work / "trust/root.json", card / "1.root.json")
    for file in (city.work / "device").iterdir():
        if file.suffix in {".key", ".json"}:
            shutil.copyfile(file, device / file.name)
    city.camera.city.write(card / "bundles")


class FirstBoot:
    """One card, started once."""

    def __init__(self, made: Path, folder: Path, spoil=None) -> None:
        self.machine = Machine(made, folder, base_tree())
        if spoil:
            spoil(self.machine.root)

    def says(self) -> str:
        report = self.machine.root / CARD / "first-boot.txt"
        self.machine.until(
            lambda: report.exists() and self.machine.show(UNIT, "SubState") in {"dead", "failed"},
            "the report on the boot partition",
            SAID_WITHIN_S,
        )
        return report.read_text()

    def end(self) -> None:
        self.machine.stop()
        run("umount", self.machine.root)


@pytest.fixture
def first_boot(made, work):
    started = []

    def start(name: str, spoil=None) -> FirstBoot:
        one = FirstBoot(made, work / f"card-{name.replace(' ', '-')}", spoil)
        started.append(one)
        one.machine.start()
        return one

    yield start
    for one in started:
        one.end()


@pytest.mark.parametrize("lack", LACKS)
def test_a_card_that_lacks_a_part_is_no_camera_and_says_which(first_boot, lack):
    spoil, told = LACKS[lack]
    boot = first_boot(lack, spoil)
    report = boot.says()
    print(f"without {lack}: {report.splitlines()[-1]}")
    assert report.splitlines()[-1].startswith(NOT_YET)
    assert [words for words in told if words not in report] == []
    issue = boot.machine.root / "run/issue.d/platewarden.issue"
    running = Path(f"/proc/{boot.machine.leader}/root")
    assert NOT_YET in (running / issue.relative_to(boot.machine.root)).read_text()
    enabled = boot.machine.ask("systemctl", "is-enabled", *UNITS).split()
    assert enabled == ["disabled", "disabled"]
    assert boot.machine.show(UNIT, "Result") == "exit-code"


def test_a_card_without_a_network_is_a_camera_that_says_so(first_boot):
    """Bundles came with the card; what it seals waits for its broker."""
    boot = first_boot("network", without(NETWORK))
    report = boot.says()
    print("without network:", *fails(report), report.splitlines()[-1], sep="\n  ")
    assert report.splitlines()[-1].startswith("this card is a camera now")
    assert [line for line in fails(report) if "broker" in line]
    boot.machine.wait_up(*UNITS)


def test_a_card_with_everything_is_a_camera(first_boot):
    boot = first_boot("everything")
    report = boot.says()
    print("with everything:", *fails(report), report.splitlines()[-1], sep="\n  ")
    assert report.splitlines()[-1].startswith("this card is a camera now")
    told = {line.split(":")[0].removeprefix("fail").strip() for line in fails(report)}
    assert told <= {"exposure", "mount"}, "a picture of one grey, in a tree of overlays"
    assert "broker city-hall: " in report
    assert not list((boot.machine.root / CARD).rglob("*.key"))
    boot.machine.wait_up(*UNITS)
    boot.machine.until(
        lambda: '"connected"' in boot.machine.ask("platewarden", "status", "--json"),
        "deliver to reach the broker",
        60,
    )


def fails(report: str) -> list[str]:
    return [line for line in report.splitlines() if line.startswith("fail")]
