"""A camera that tries versions of the software: real bundles, packages, files and links. The
launcher is run for real each time that its processes are started. Their health and the time are
scripted.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.bundles.layout import CHARTER_PATH, SOFTWARE, SOFTWARE_PATH, TARGETS, package_path
from agent.core.software.choice import Machine
from agent.core.software.health_verdict import Seen, Unit
from agent.core.software.installed import FOLDER, Installed
from agent.core.software.signed_release import (
    STATEMENT_TYP,
    PackageFile,
    Release,
    Statement,
    format_release,
    format_statement,
)
from agent.core.software.software_version import SoftwareVersion, parse_version
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical
from agent.host.clock import TrustedClock
from agent.settings import load
from agent.sides.software.camera_software import CameraSoftware
from agent.sides.software.trial_run import Times
from agent.software.memory_file import read_memory
from agent.software.version_store import VersionStore
from tests.fakes.machine import FakeMachine
from tests.support.bundle_city import BundleCity
from tests.support.judging import EXAMPLE
from tests.support.small_package import ARCHITECTURE, PYTHON, deb
from tests.support.small_package import SOFTWARE as PRIVATE

LAUNCHER = Path(__file__).parents[2] / "debian/platewarden.launcher"
BASE = Installed(SoftwareVersion(1, 0, 0), "", 1)
HERE = Machine("main-street-2", ARCHITECTURE, PYTHON)
WATCH, DELIVER = "platewarden-watch.service", "platewarden-deliver.service"
KEPT = {"outbox/a.read": b"sealed", "receipts/a": b"receipt", "watch/log.sqlite": b"leaves"}
WELL, BROKEN, DEAF, SICK = "", "raise SystemExit(1)", "# deaf", "# sick"


def modules(version: str, spoilt: str = WELL) -> dict[str, bytes]:
    """A whole program that says its version; a broken one ends at once."""
    entry = f'{spoilt}\n\n\ndef main():\n    print("{version}")\n'
    files = {"__init__.py": f'__version__ = "{version}"\n', "cli.py": entry}
    files |= {f"part_{number}.py": f"VALUE = {number}\n" for number in range(4)}
    return {f"{PRIVATE}/agent/{name}": text.encode() for name, text in files.items()}


class ScriptedUnits:
    """Each start runs the launcher; what it says is what runs. A version that is deaf reaches no
    broker, and a sick one has a new fault.
    """

    def __init__(self, launcher: Path) -> None:
        self.launcher, self.spoilt = launcher, ""
        self.said, self.starts = "", 0
        self.start_anew()

    def start_anew(self) -> None:
        done = subprocess.run(
            [sys.executable, "-IB", self.launcher], capture_output=True, text=True, check=False
        )
        self.said = done.stdout.strip() if done.returncode == 0 else "failed"
        self.starts += 1

    def seen(self) -> Seen:
        state = Unit("failed" if self.said == "failed" else "active")
        deaf = self.spoilt == DEAF and self.said != "1.0.0"
        return Seen({WATCH: state, DELIVER: state}, frozenset() if deaf else frozenset({"hall"}))

    def faults(self) -> frozenset[str]:
        sick = self.spoilt == SICK and self.said != "1.0.0"
        return frozenset({"disk", "keys"} if sick else {"disk"})


@dataclass
class SoftwareCamera:
    """`passed_s`: by which the scripted time went on."""

    folder: Path
    city: BundleCity
    key: Ed25519PrivateKey
    machine: FakeMachine
    software: CameraSoftware = field(init=False)
    units: ScriptedUnits = field(init=False)
    passed_s: float = 0.0

    def __post_init__(self) -> None:
        (self.folder / "platewarden.toml").write_text('camera_id = "main-street-2"\n')
        settings = load(self.folder / "platewarden.toml")
        self.run = self.folder / "run"
        store = VersionStore(settings.state / FOLDER, self.run, BASE)
        store.folder.mkdir(parents=True)
        self.city.anchor(self.folder)
        base = self.folder / "base"
        for name, text in modules("1.0.0").items():
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        for name, data in KEPT.items():
            path = settings.state / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.units = ScriptedUnits(self._launcher(store.folder, base))
        built = self.machine.real - timedelta(days=30)
        clock = TrustedClock(store.folder, self.machine, build_time=built)
        times = Times(
            lambda: self.machine.real, lambda: self.passed_s, self._sleep, lambda _seconds: None
        )
        self.software = CameraSoftware(
            settings, store, self.units, clock, times, HERE, self.folder / "system"
        )

    def _launcher(self, software: Path, base: Path) -> Path:
        """The shipped one, with this folder's paths in place of a camera's."""
        text = LAUNCHER.read_text()
        links = f'TRIAL, CONFIRMED = "{self.run}/trial", "{software}/confirmed"'
        text, changed = re.subn(r"^TRIAL, CONFIRMED = .*$", links, text, flags=re.MULTILINE)
        text = text.replace("package=PACKAGE", f'package="{base}" + PACKAGE')
        assert changed == 1
        path = self.folder / "launcher.py"
        path.write_text(text)
        return path

    def _sleep(self, seconds: float) -> None:
        self.passed_s += seconds

    def statement(self, version: str, package: Path, *, key=None, state: int = 1, **kind) -> str:
        data = package.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        one = replace(PackageFile(ARCHITECTURE, PYTHON, sha256, len(data)), **kind)
        payload = format_statement(Statement(parse_version(version), state, (one,)))
        header = b64url(canonical({"alg": "Ed25519", "typ": STATEMENT_TYP}))
        signed = f"{header}.{b64url(payload)}"
        return f"{signed}.{b64url((key or self.key).sign(signed.encode()))}"

    def release(
        self, version: str, spoilt: str = WELL, *, signers=None, package=None, back=False, **how
    ) -> Path:
        """The city releases a version, and `update` has fetched bundles and package."""
        made = package or deb(
            self.folder / f"{version}.deb", version, modules(version, spoilt), **how.pop("deb", {})
        )
        release = Release(self.statement(version, made, **how), back=back)
        self.city.files[SOFTWARE][SOFTWARE_PATH] = format_release(release)
        self.city.release(SOFTWARE, signers=signers)
        self.city.online()
        self.city.write(self.software.settings.bundles)
        self.units.spoilt = spoilt
        return self.bring(made)

    def bring(self, package: Path) -> Path:
        sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
        to = self.software.settings.bundles / package_path(sha256)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package, to)
        return to

    def power_cut(self) -> None:
        """What lies in memory is gone; the machine boots."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.software.settle(booting=True)
        self.units.start_anew()

    def runs(self) -> str:
        """The version that a process runs which is started now."""
        self.units.start_anew()
        return self.units.said

    def steps(self) -> list[tuple[str, str, str]]:
        steps = read_memory(self.software.store.folder).steps
        return [(one.what, one.version, one.why) for one in steps]

    def require_kept(self) -> None:
        """Reads and logs are as they were."""
        for name, data in KEPT.items():
            assert (self.software.settings.state / name).read_bytes() == data


def software_camera(folder: Path, floor: str = "0.9.0", signers: int = 2) -> SoftwareCamera:
    """A camera of a city that has released its very version."""
    key = Ed25519PrivateKey.generate()
    machine = FakeMachine(datetime(2026, 12, 1, tzinfo=UTC))
    public = key.public_key().public_bytes_raw().hex()
    rules = f'[software]\nrelease_keys = ["{public}"]\nfloor = "{floor}"\nsigners = {signers}\n'
    charter = (EXAMPLE / "charter.toml").read_text() + f"\n{rules}"
    files = {
        TARGETS: {CHARTER_PATH: charter.encode()},
        SOFTWARE: {SOFTWARE_PATH: b"{}"},
    }
    city = BundleCity(machine.real - timedelta(hours=1), files=files)
    return SoftwareCamera(folder, city, key, machine)
