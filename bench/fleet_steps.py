"""The steps that `bench.fleet` measures, each in a process of its own."""

import json
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.commands.fleet.status import MOST_LINES
from agent.core.camera.health.health_message import HealthMessage
from agent.core.camera.health.health_report import Health
from agent.core.log.checkpoint import origin_of
from agent.fleet.camera_troubles import Who
from agent.fleet.fleet_intake import take_in
from agent.fleet.fleet_metrics import as_prometheus
from agent.fleet.fleet_page import MOST_ROWS, fleet_page
from agent.fleet.fleet_run import census_of, seen
from agent.fleet.fleet_settings import FleetSettings
from agent.fleet.fleet_store import FleetStore
from agent.fleet.fleet_view import fleet_table
from agent.fleet.silence import look
from agent.storage.health.health_note import signed
from agent.storage.log_key import TrustedLogKeys

MESSAGES = 200


def step(folder: Path, name: str) -> int:
    """Do one; how many bytes it made."""
    now = datetime.now(UTC)
    if name == "silence":
        with FleetStore(folder, write=True) as store:
            rows = tuple(store.maybe_silent(int(now.timestamp()) - 3 * 3_600))
            look(store, rows, ("desk",), int(now.timestamp()), 0, 3 * 3_600)
        return 0
    if name == "messages":
        return _messages(folder, now)
    settings = FleetSettings()
    with FleetStore(folder) as store:
        if name == "page":
            return len(fleet_page(seen(store, settings, now, MOST_ROWS)).encode())
        if name == "metrics":
            each = census_of(store, settings, now).briefs()
            return len(as_prometheus(seen(store, settings, now, 0), each).encode())
        if name == "json":
            return len(json.dumps(fleet_table(seen(store, settings, now))))
        fleet = seen(store, settings, now, MOST_LINES, 0, (Who.LADDER, Who.DESK))
    return sum(len(one.row.name) for one in fleet.cameras)


def _messages(folder: Path, now: datetime) -> int:
    """So many of one camera, each newer than the last: signing them counts too."""
    camera, key = "camera-000001", Ed25519PrivateKey.from_private_bytes(bytes(32))
    origin = origin_of(camera, "deliver")
    keys = TrustedLogKeys({origin: key.public_key()}, "bench")
    with FleetStore(folder, write=True) as store:
        last = store.last(camera)
        first = last[0] + 1 if last else 1
        sent = [
            signed(HealthMessage(first + number, 0, Health(camera, "0.1.0", now)), origin, key)
            for number in range(MESSAGES)
        ]
        for one in sent:
            take_in(store, {camera: [one]}, keys, int(now.timestamp()))
    return sum(map(len, sent))
