"""An enrolled camera in one process, on simulated time: real bundles, keys, log and outbox; its
eyes and its clock are scripted.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyrage

from agent.bundles import follower
from agent.bundles.layout import HOTLIST, HOTLIST_PATH, KEYS_PREFIX, POLICY, keys_path
from agent.core.hotlist.compiled_format import encode
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.reading.sighting import Frame
from agent.demo.throwaway_city import RECIPIENT
from agent.host.clock import TrustedClock
from agent.sealing.device_keys import HOTLIST_KEY
from agent.settings import Settings, load
from agent.sides import watch as watch_side
from agent.sides import watch_parts
from tests.fakes.machine import FakeMachine
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.support.bundle_city import BundleCity
from tests.support.camera_rig import PLATE, CameraRig

HOUR = timedelta(hours=1)
# Frames with a car in them, and frames without until its track has surely ended.
SHOWN, GONE = 8, 40
LONG_AGO_S = 605.0  # between two cars: what was told at a place is remembered for ten minutes
WANTED = FakePlate(PLATE, box=(40, 60, 120, 30), confidence=0.99, state="US-CA")
HEADER = "plate,state,category,agency,case,source_date,expires"


def sealed_list(identity: pyrage.x25519.Identity, now: datetime) -> bytes:
    """The rig's list of one plate, compiled and encrypted as `hotlist publish` does."""
    row = (
        f"{PLATE},US-CA,stolen-vehicle,Exampleville "
        f"PD,2026-1,{now:%Y-%m-%d},{now + timedelta(days=30):%Y-%m-%d}"
    )
    compiled = import_list(
        Source([f"{HEADER}\n{row}\n".encode()], "hotlist.csv", now), None, now.date()
    ).compiled
    return pyrage.encrypt(bytes(encode(compiled.header, compiled.columns)), [identity.to_public()])


@dataclass
class SignedCamera:
    """`script`: what happens after each frame, by the number of the car that has just passed (0:
    before the first).
    """

    settings: Settings
    city: BundleCity
    machine: FakeMachine
    identity: pyrage.x25519.Identity
    script: dict[int, Callable[[], None]] = field(default_factory=dict)
    opened: int = 0
    cars_seen: int = 0
    networks_asked: list[tuple[object, ...]] = field(default_factory=list)

    def new_list(self) -> None:
        """The department's cron job: a list of now."""
        self.city.now = self.machine.real
        self.city.files[HOTLIST][HOTLIST_PATH] = sealed_list(self.identity, self.machine.real)
        self.city.release(HOTLIST)
        self.city.online()
        self.publish()

    def publish(self) -> None:
        """Bring what the city has published."""
        self.city.write(self.settings.bundles)

    def passes(self, days: float) -> None:
        self.machine.advance(days * 86_400)

    def watch(self, monkeypatch, cars: int) -> None:
        """Run watch over so many cars, all of them the same wanted one."""
        monkeypatch.setattr(
            watch_parts,
            "load_vision",
            lambda *asked, **_more: (
                self.networks_asked.append(asked)
                or (FakeDetector(plates_in), FakeReader(plates_in))
            ),
        )
        built = self.machine.real - timedelta(days=30)
        monkeypatch.setattr(
            watch_side,
            "TrustedClock",
            lambda folder: TrustedClock(folder, self.machine, build_time=built),
        )
        monkeypatch.setattr(watch_side, "SystemClock", None)  # an enrolled camera has no use for it
        monkeypatch.setattr(
            watch_side,
            "open_source",
            lambda _source, _settings, clock, **_: _Street(self, cars, clock),
        )
        monkeypatch.setattr(follower, "LOOK_EVERY_S", 0.0)
        watch_side.run(self.settings, "scripted", settle_s=0, allow_unsigned=False)


def plates_in(frame: Frame) -> list[FakePlate]:
    """The car, or nothing."""
    return [WANTED] if frame.sequence % (SHOWN + GONE) < SHOWN else []


class _Street:
    """A frame source: one car after another, with what the script does in between."""

    def __init__(self, camera: SignedCamera, cars: int, clock: TrustedClock) -> None:
        self._camera, self._cars, self._clock, self.closed = camera, cars, clock, False
        camera.opened += 1

    def frames(self):
        """The picture changes as the car comes and goes, since the detector looks only then."""
        camera, image = self._camera, np.zeros((240, 640, 3), np.uint8)
        car = image.copy()
        car[20:200, 20:300] = 90
        while camera.cars_seen < self._cars and not self.closed:
            camera.script.pop(camera.cars_seen, lambda: None)()
            for number in range(SHOWN + GONE):
                camera.machine.advance(
                    0.1 if number else LONG_AGO_S
                )  # the keeper looks once a second
                yield Frame(
                    car if number < SHOWN else image,
                    self._clock.now(),
                    camera.cars_seen * (SHOWN + GONE) + number,
                )
            camera.cars_seen += 1

    def close(self) -> None:
        self.closed = True


def signed_camera(rig: CameraRig, *, max_age_hours: int = 168) -> SignedCamera:
    """Enrol an installed rig: its unsigned city becomes a signed one, published an hour ago."""
    work = rig.installation.work
    machine = FakeMachine(datetime.now(UTC))
    identity = pyrage.x25519.Identity.generate()
    key = work / "device" / HOTLIST_KEY
    key.write_text(f"{identity}\n")
    key.chmod(0o600)
    policy = (
        work / "city/policy.toml"
    ).read_bytes() + f"\n[hotlist]\nmax_age_hours = {max_age_hours}\n".encode()
    files = {
        POLICY: {
            "policy/policy.toml": policy,
            "policy/roster.jws": (work / "city/roster.jws").read_bytes(),
            "policy/root.json": (work / "city/root.json").read_bytes(),
            "policy/ca/city-hall-ca.pem": (work / "city/ca/city-hall-ca.pem").read_bytes(),
        },
        HOTLIST: {HOTLIST_PATH: sealed_list(identity, machine.real - HOUR)},
        f"{KEYS_PREFIX}{RECIPIENT}": {
            keys_path(RECIPIENT): (work / f"city/keys/{RECIPIENT}.jws").read_bytes()
        },
    }
    city = BundleCity(machine.real - HOUR, folder=work / "city", files=files)
    city.anchor(work)
    camera = SignedCamera(load(rig.installation.settings), city, machine, identity)
    camera.publish()
    (work / "city").rename(work / "city-unsigned")  # whoever read it would fail
    return camera


def leaves(settings: Settings, kind: str | None = None) -> list[dict[str, object]]:
    """What watch's log says, opened."""
    with sqlite3.connect(settings.state / "watch/log.sqlite") as log:
        found = [
            json.loads(bytes(details))
            for (details,) in log.execute("SELECT details FROM leaf ORDER BY rowid")
        ]
    return [leaf for leaf in found if kind is None or leaf["kind"] == kind]
