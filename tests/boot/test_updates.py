"""Updates by the city on a booted camera: to a new version, to a broken one, to what must be
refused, and with the power pulled. It always runs one whole signed version, and no read is lost.

Last of this folder: it gives the city a role that the others know nothing of.
"""

import hashlib
import json
import random
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.bundles.layout import CHARTER_PATH, SOFTWARE, SOFTWARE_PATH, TARGETS, package_path
from agent.core.software.health_verdict import STEADY_S
from agent.core.software.signed_release import (
    STATEMENT_TYP,
    PackageFile,
    Release,
    Statement,
    format_release,
    format_statement,
)
from agent.core.software.software_version import parse_version
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical
from tests.boot.city import SETTLE_S, leaves, released
from tests.boot.conftest import UNITS
from tests.support.bundle_city import PEOPLE, person
from tests.support.small_package import SOFTWARE as PRIVATE
from tests.support.small_package import deb

ARCHITECTURE, PYTHON = "amd64", "3.13"
UNIT, BOOT_UNIT = "platewarden-software.service", "platewarden-software-boot.service"
STATE = "var/lib/platewarden/software"
BACK_WITHIN_S, TRIED_WITHIN_S, INSTANTS = 120.0, 400.0, 20


@dataclass
class Updates:
    """`key`: the release key."""

    machine: object
    city: object
    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        """The charter names the release key, and three people release software."""
        city, public = self.city.camera.city, self.key.public_key().public_bytes_raw().hex()
        rules = f'\n[software]\nrelease_keys = ["{public}"]\nfloor = "0.1.0"\n'
        city.files[TARGETS][CHARTER_PATH] += rules.encode()
        city.files[SOFTWARE] = {SOFTWARE_PATH: b"{}"}
        city.signers[SOFTWARE] = [person(name) for name in PEOPLE[SOFTWARE]]
        city.release(TARGETS, change=self._delegates)
        self.folder.mkdir()

    def _delegates(self, targets) -> None:
        targets.delegations = self.city.camera.city.delegations()

    def package(self, version: str, spoilt: str = "", architecture: str = ARCHITECTURE) -> Path:
        """The modules that the tree runs, as another version; the libraries stay the tree's."""
        path = self.folder / f"{version}-{architecture}-{bool(spoilt)}.deb"
        if path.exists():
            return path
        here = self.machine.root / PRIVATE
        files = {
            f"{PRIVATE}/{file.relative_to(here)}": file.read_bytes()
            for part in ("agent", "models")
            for file in sorted((here / part).rglob("*"))
            if file.is_file() and "__pycache__" not in file.parts
        }
        name = f"{PRIVATE}/agent/__init__.py"
        text = re.sub(r'__version__ = "[^"]+"', f'__version__ = "{version}"', files[name].decode())
        files[name] = f'{text}\nimport sys\n\nsys.path.append("/{PRIVATE}")\n'.encode()
        if spoilt:
            files[f"{PRIVATE}/agent/commands/{spoilt}.py"] = b"raise SystemExit(1)\n"
        return deb(path, version, files, architecture=architecture, python=PYTHON, kind="gz")

    def release(self, package: Path, version: str, *, key=None, signers=None, **kind) -> None:
        """Signed, published, and fetched."""
        data = package.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        one = PackageFile(kind.get("architecture", ARCHITECTURE), PYTHON, sha256, len(data))
        payload = format_statement(Statement(parse_version(version), 1, (one,)))
        header = b64url(canonical({"alg": "Ed25519", "typ": STATEMENT_TYP}))
        signed = f"{header}.{b64url(payload)}"
        statement = f"{signed}.{b64url((key or self.key).sign(signed.encode()))}"
        city = self.city.camera.city
        city.files[SOFTWARE][SOFTWARE_PATH] = format_release(Release(statement))
        city.release(SOFTWARE, signers=signers)
        city.online()
        to = self.machine.root / "var/lib/platewarden/bundles-in" / package_path(sha256)
        to.parent.mkdir(exist_ok=True)
        shutil.copyfile(package, to)
        self.city.publish(self.machine.root)

    def apply(self) -> dict:
        """As the timer does; what runs afterwards."""
        self.machine.inside("systemctl", "start", UNIT, timeout=TRIED_WITHIN_S)
        assert self.machine.show(UNIT, "Result") == "success", self.machine.journal(UNIT)
        return self.runs()

    def runs(self) -> dict:
        told = self.machine.inside("platewarden", "software", "status", "--json")
        return json.loads(told)

    def version(self) -> str:
        """What watch itself says that it runs."""
        started = [leaf for leaf in leaves(self.machine.root, "watch") if leaf["kind"] == "start"]
        return str(started[-1]["software"])

    def steps(self) -> list[tuple[str, str, str]]:
        self.machine.until(self._told, "every step to be a leaf", 30)
        return [
            (str(leaf["what"]), str(leaf["software"]), str(leaf.get("reason", "")))
            for leaf in leaves(self.machine.root, "watch")
            if leaf["kind"] == "software"
        ]

    def _told(self) -> bool:
        path = self.machine.root / STATE / "trial.json"
        steps = json.loads(path.read_bytes())["steps"] if path.exists() else []
        found = [leaf for leaf in leaves(self.machine.root, "watch") if leaf["kind"] == "software"]
        return len(found) >= len(steps)

    def nothing_lost(self) -> None:
        """What was released by now is stored."""
        wanted = released(self.machine.root)
        self.machine.until(
            lambda: wanted <= self.city.take_stored(), "all released reads", SETTLE_S
        )


@pytest.fixture(scope="module")
def updates(machine, city, work):
    machine.wait_up(*UNITS)
    return Updates(machine, city, work / "packages")


def test_a_new_version_is_tried_and_kept(updates):
    updates.release(updates.package("0.2.0"), "0.2.0")
    assert updates.apply()["runs"]["version"] == "0.2.0"
    assert updates.steps() == [("trial begins", "0.2.0", ""), ("confirmed", "0.2.0", "")]
    assert updates.version() == "0.2.0"
    updates.nothing_lost()


def test_a_broken_one_is_rolled_back_within_two_minutes(updates):
    updates.release(updates.package("0.3.0", "watch_start"), "0.3.0")
    updates.machine.inside("systemctl", "start", "--no-block", UNIT)
    updates.machine.until(
        lambda: ("trial begins", "0.3.0", "") in updates.steps(), "the trial", TRIED_WITHIN_S
    )
    began = time.monotonic()
    updates.machine.until(
        lambda: updates.steps()[-1] == ("rolled back", "0.3.0", "software-unhealthy"),
        "the way back",
        BACK_WITHIN_S,
    )
    print(f"back after {time.monotonic() - began:.0f} s")
    updates.machine.wait_up(*UNITS)
    assert updates.version() == updates.runs()["runs"]["version"] == "0.2.0"
    updates.nothing_lost()


def test_what_must_be_refused_is_refused_for_its_own_reason(updates):
    signers = updates.city.camera.city.signers[SOFTWARE]
    new = updates.package("0.4.0")
    stranger = [person("vendor one"), person("vendor two")]
    for how in ({"signers": signers[:1]}, {"signers": stranger}):
        updates.release(new, "0.4.0", **how)
        assert updates.apply()["runs"]["version"] == "0.2.0"
    updates.release(new, "0.4.0", key=Ed25519PrivateKey.generate())
    updates.apply()
    updates.release(updates.package("0.1.0"), "0.1.0")
    updates.apply()
    other = updates.package("0.4.0", architecture="arm64")
    updates.release(other, "0.4.0", architecture="arm64")
    updates.apply()
    assert [why for what, _, why in updates.steps() if what == "refused"][-3:] == [
        "software-release-key",
        "software-older",
        "software-platform",
    ]
    assert updates.version() == "0.2.0"
    updates.nothing_lost()


def in_trial(memory: Path) -> bool:
    return json.loads(memory.read_bytes())["trial"] is not None


def test_with_the_power_pulled_at_twenty_instants(updates):
    """A trial takes STEADY_S and what the units need to start. Most instants are drawn from its
    beginning on, so that few of them come after it; every fourth from the unit's start on, while
    it checks and unpacks.
    """
    chance, machine = random.Random(22), updates.machine
    machine.inside("systemctl", "enable", BOOT_UNIT)
    runs, offered, cut_off, kept = "0.2.0", 5, 0, set()
    memory = machine.root / STATE / "trial.json"
    for number in range(INSTANTS):
        updates.release(updates.package(f"0.{offered}.0"), f"0.{offered}.0")  # signed anew
        machine.inside("systemctl", "start", "--no-block", UNIT)
        if number % 4:
            machine.until(lambda: in_trial(memory), "the trial to begin", TRIED_WITHIN_S)
        time.sleep(chance.uniform(0, STEADY_S + 10))
        machine.crash()
        cut_off += in_trial(memory)
        machine.start()
        machine.wait_up(*UNITS)
        told = updates.runs()
        now = told["runs"]["version"]
        assert (now in {runs, f"0.{offered}.0"}, told["trial"]) == (True, None), f"cut {number}"
        machine.until(lambda now=now: updates.version() == now, "watch to say so", 60)
        updates.nothing_lost()
        kept |= {now} - {runs}
        offered, runs = offered + (now != runs), now
    told = updates.steps()
    print(f"{cut_off} of {INSTANTS} cuts fell into a trial, {len(kept)} versions were kept")
    assert kept <= {version for what, version, _ in told if what == "confirmed"}
    assert cut_off > INSTANTS // 3, "hardly a cut fell into a trial: nothing was shown"
