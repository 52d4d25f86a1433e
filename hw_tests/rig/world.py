"""A city around the camera under test: its policy, keys and played street on the camera, broker and
recipient on this machine, the rig's cable between.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from cryptography.hazmat.primitives import serialization

from agent.bundles.hotlist_file import beside
from agent.core.wire.sealed_read import split, tags_of
from agent.core.wire.tags import Tags
from agent.demo import throwaway_city as demo_city
from agent.demo.embedded_broker import LOOPBACK
from agent.demo.installation import Installation, install
from agent.demo.processes import background
from hw_tests.rig import chart
from hw_tests.rig.device import Device, Process
from hw_tests.rig.ethernet import Ethernet
from tests.support.drawn import drawn_car
from tests.support.hostile import HostileBroker, idle
from tests.support.mosquitto import Mosquitto
from tests.support.pki import Authority, Credentials

FRAMES = 6
WITHIN_S = 60.0


class World:
    """`plate`: the fictitious one that the played street shows and the hot list asks for.

    `place`: the installation's folder on the camera.
    """

    def __init__(self, device: Device, ethernet: Ethernet, here: Path, seed: int) -> None:
        self.device, self.ethernet, self.here, self.seed = device, ethernet, here, seed
        self.plate = chart.fictitious(np.random.default_rng(seed))
        self.installation: Installation = install(here / "work", datetime.now(UTC), (self.plate,))
        work = self.installation.work
        for path in (work / "city/policy.toml", self.installation.recipient / "receiver.toml"):
            path.write_text(
                path.read_text(encoding="utf-8").replace(LOOPBACK, ethernet.address),
                encoding="utf-8",
            )
        settings = work / "platewarden.toml"
        settings.write_text(settings.read_text(encoding="utf-8") + "rig = true\n", encoding="utf-8")
        frames = here / "frames"
        frames.mkdir()
        for number in range(FRAMES):
            cv2.imwrite(
                str(frames / f"{number:03d}.png"), drawn_car(self.plate, 0.8 - 0.02 * number)
            )
        files = [work / "city", beside(work / "city"), work / "device", settings, frames]
        self.place = device.put_files({path.name: path for path in files}, "camera")

    @property
    def settings(self) -> str:
        return f"{self.place}/platewarden.toml"

    @property
    def street(self) -> str:
        return f"{self.place}/frames"

    @property
    def port(self) -> int:
        return self.installation.port

    def watch(self, settle_s: float, source: str = "") -> Process:
        """The camera's side over the played street, or another source; afterwards it waits for
        receipts.
        """
        words = (
            "watch",
            "--config",
            self.settings,
            "--allow-unsigned",
            "--source",
            source or self.street,
            "--settle",
            str(settle_s),
        )
        return self.device.start("watch", *self.device.platewarden(*words))

    def deliver(self) -> Process:
        """The network's side."""
        return self.device.start(
            "deliver",
            *self.device.platewarden("deliver", "--config", self.settings, "--allow-unsigned"),
        )

    @contextlib.contextmanager
    def broker(self) -> Iterator[Mosquitto]:
        """The listed broker, as the policy describes it."""
        server = self.installation.server
        credentials = Credentials(server.certificate, server.key, b"")
        with Mosquitto(
            self.here / "mosquitto", credentials, address=self.ethernet.address, port=self.port
        ) as running:
            yield running

    @contextlib.contextmanager
    def expired(self) -> Iterator[Mosquitto]:
        """The listed broker, by its own key and authority, but its certificate ended yesterday."""
        server, authority = self.installation.server, self.installation.city.authority._made
        key = serialization.load_pem_private_key(server.key.read_bytes(), None)
        begun = datetime.now(UTC) - timedelta(days=2)
        ended = authority.server(key.public_key(), (demo_city.HOST,), begun, 1)
        certificate = self.here / "expired.crt"
        certificate.write_bytes(ended.public_bytes(serialization.Encoding.PEM))
        with Mosquitto(
            self.here / "expired",
            Credentials(certificate, server.key, b""),
            address=self.ethernet.address,
            port=self.port,
        ) as running:
            yield running

    @contextlib.contextmanager
    def receiver(self) -> Iterator[None]:
        """The recipient's real process, on this machine; needs the broker."""
        with background(
            self.installation,
            "receiver",
            "run",
            str(self.installation.recipient),
            "--json",
            ready="READY",
        ):
            yield

    @contextlib.contextmanager
    def impostor(self) -> Iterator[HostileBroker]:
        """At the listed address and port, with the right name, but certified by nobody whom the
        policy names.
        """
        server = Authority(self.here / "impostor", "another-ca").server(
            hosts=(demo_city.HOST, self.ethernet.address)
        )
        with HostileBroker(server, idle, self.ethernet.address, self.port) as running:
            yield running

    def received(self) -> list[int]:
        """Sequence numbers that the recipient took and stored, in order of arrival."""
        return [one["seq"] for one in self._taken()]

    def released(self) -> set[str]:
        """Ids of all reads that were ever seen outside of watch: in the outbox, or at the
        recipient.

        Grows only by a new release.
        """
        _, names = self.device.shell(f"ls {self.place}/state/outbox 2>/dev/null", check=False)
        return {Path(name).stem for name in names.split() if name.endswith(".sealed")} | {
            one["read"] for one in self._taken()
        }

    def _taken(self) -> list[dict]:
        lines = (
            self.installation.log.read_text(encoding="utf-8", errors="replace").splitlines()
            if self.installation.log.exists()
            else []
        )
        return [json.loads(line) for line in lines if line.startswith('{"read"')]

    def waiting(self) -> int:
        """Sealed reads in the camera's outbox."""
        return int(
            self.device.shell(
                f"ls {self.place}/state/outbox 2>/dev/null | grep -c sealed$ || true"
            )[1]
            or 0
        )

    def log(self, process: str = "watch") -> dict:
        """What the camera's log says; empty before there is one."""
        path = f"{self.place}/state/{process}/log.sqlite"
        if self.device.run("test", "-e", path, check=False)[0]:
            return {"releases": [], "receipts": {}, "kinds": {}}
        return self.device.probe("leaves", "--log", path)

    def sealed(self, read_id: str) -> Tags:
        """The readable tags of a read that waits in the outbox."""
        fetched = self.device.fetch(
            f"{self.place}/state/outbox/{read_id}.sealed", self.here / "read.sealed"
        )
        return tags_of(split(fetched.read_bytes()))

    def verify_logs(self) -> list[str]:
        """`audit verify` over both logs; the faults."""
        faults = []
        for process in ("watch", "deliver"):
            words = self.device.platewarden(
                "audit",
                "verify",
                f"{self.place}/state/{process}",
                "--key",
                f"{self.place}/device/public.json",
                "--json",
            )
            code, told = self.device.run(*words, within_s=WITHIN_S, check=False)
            if code:
                faults.append(f"{process}: exit code {code}: {told[-300:]}")
        return faults

    def until(self, done, what: str, within_s: float = WITHIN_S) -> None:
        """Wait for something; fails with what both processes printed last."""
        end_s = time.monotonic() + within_s
        while not done():
            if time.monotonic() > end_s:
                _, told = self.device.shell(
                    f"tail -n 3 {self.device.folder}/watch.out "
                    f"{self.device.folder}/deliver.out 2>/dev/null",
                    check=False,
                )
                raise AssertionError(
                    f"not within {within_s:g} s: {what}; the camera's processes said last: "
                    f"{told[-800:]}"
                )
            time.sleep(0.3)
