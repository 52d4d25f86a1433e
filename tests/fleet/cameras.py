"""Real `deliver` processes, a folder each; the part of watch is played here: it seals into the
outbox, and takes out what has a receipt.
"""

import hashlib
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.core.wire.device_public import DevicePublic, format_device_public
from agent.core.wire.epochs import EpochKeys
from agent.sealing.sealer import Sealer
from agent.verifying.receipt_check import ReceiptVerifier
from tests.fleet.session_pool import resident_bytes
from tests.fleet.sessions import device_key
from tests.support.delivery_rig import ROOT, clean_environment, raw
from tests.support.receiving import this_instant
from tests.support.sealed import RECIPIENT, release, sighting


@dataclass
class Camera:
    """One folder and its process."""

    name: str
    folder: Path
    sealer: Sealer
    process: "subprocess.Popen[bytes] | None" = None
    sequence: int = 0
    waiting: dict[str, str] = field(default_factory=dict)  # digests, by read id

    @property
    def outbox(self) -> Path:
        return self.folder / "state" / "outbox"


class Cameras:
    """`sent`, `got`: read ids and when, as SessionPool has them. `turn` plays watch."""

    def __init__(
        self, folder: Path, city: Path, names: Sequence[str], keys: EpochKeys, signing_key: bytes
    ) -> None:
        self.sent: dict[str, float] = {}
        self.got: dict[str, float] = {}
        self.odd, self._next, self._scene = 0, 0, sighting()
        self._verifier = ReceiptVerifier({RECIPIENT: signing_key})
        self.all = [self._made(folder / name, city, name, keys) for name in names]

    def _made(self, folder: Path, city: Path, name: str, keys: EpochKeys) -> Camera:
        camera = Camera(name, folder, Sealer(name, device_key(name), {RECIPIENT: keys}))
        camera.outbox.mkdir(parents=True)
        (folder / "device").mkdir()
        (folder / "platewarden.toml").write_text(
            f'camera_id = "{name}"\n[paths]\ncity = "{city}"\n'
        )
        log_key = Ed25519PrivateKey.generate()
        public = DevicePublic(
            name, raw(device_key(name)), raw(Ed25519PrivateKey.generate()), raw(log_key)
        )
        (folder / "device/public.json").write_bytes(format_device_public(public))
        pem = log_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "device/deliver-log.key").write_bytes(pem)
        (folder / "device/deliver-log.key").chmod(0o600)
        return camera

    def start(self) -> None:
        clean = clean_environment()
        for camera in self.all:
            command = [sys.executable, "-m", "agent", "deliver", "--allow-unsigned"]
            with (camera.folder / "out").open("ab") as said:
                camera.process = subprocess.Popen(
                    [*command, "--config", str(camera.folder / "platewarden.toml")],
                    cwd=ROOT,
                    env=clean,
                    stdout=said,
                    stderr=said,
                )

    def send(self) -> None:
        """The next camera seals one read."""
        camera = self.all[self._next % len(self.all)]
        self._next, camera.sequence = self._next + 1, camera.sequence + 1
        seen = replace(self._scene, captured=this_instant(), camera=camera.name)
        read = camera.sealer.seal(seen, release(), camera.sequence)
        name = read.tags.read_id
        camera.waiting[name] = hashlib.sha256(read.wire).hexdigest()
        self.sent[name] = time.monotonic()
        part = camera.outbox / f"{name}.part"
        part.write_bytes(read.wire)
        part.rename(part.with_suffix(".sealed"))

    def settle(self) -> None:
        """Take out of each outbox what has a receipt that fits."""
        for camera in self.all:
            for path in (camera.folder / "state/receipts").glob("*.receipt"):
                digest = camera.waiting.get(path.stem)
                if digest is None:
                    continue  # taken out already; deliver tidies it up
                receipt = self._verifier.verify(path.read_bytes())
                if (receipt.outcome, receipt.wire_sha256) != ("stored", digest):
                    self.odd += 1
                    continue
                (camera.outbox / f"{path.stem}.sealed").unlink()
                del camera.waiting[path.stem]
                self.got[path.stem] = time.monotonic()

    def waiting(self) -> int:
        return sum(len(camera.waiting) for camera in self.all)

    def dead(self) -> list[str]:
        """Those that have ended, and what they said last."""
        return [
            f"{camera.name}: {(camera.folder / 'out').read_text()[-500:]}"
            for camera in self.all
            if camera.process is not None and camera.process.poll() is not None
        ]

    def resident_bytes(self) -> int:
        """Memory of all of them."""
        return sum(resident_bytes(one.process.pid) for one in self.all if one.process)

    def end(self) -> None:
        for camera in self.all:
            if camera.process is not None:
                camera.process.terminate()
        for camera in self.all:
            if camera.process is not None:
                try:
                    camera.process.wait(30)
                except subprocess.TimeoutExpired:
                    camera.process.kill()
                    camera.process.wait()
