"""A city's fleet for tests: cameras with keys, the messages that they send, a store of many, and
what is said of them by reading every row.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_message import HealthMessage
from agent.core.camera.health.health_report import Health, Reading
from agent.core.log.checkpoint import origin_of
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust
from agent.fleet.fleet_store import CameraRow, FleetStore
from agent.fleet.fleet_view import Counts, Fleet, states_of
from agent.storage.health.health_note import signed
from agent.storage.log_key import TrustedLogKeys

AT = datetime(2027, 1, 15, 12, 34, 56, tzinfo=UTC)
AT_S = int(AT.timestamp())
HOUR = timedelta(hours=1)
CAMERAS = tuple(f"cam-{number}" for number in range(1, 6))


def key_of(camera: str) -> Ed25519PrivateKey:
    """Of a camera's deliver log: the same each time."""
    return Ed25519PrivateKey.from_private_bytes(camera.encode().ljust(32, b"."))


def keys_for(*cameras: str) -> TrustedLogKeys:
    """As a roster gives them."""
    found = {}
    for camera in cameras:
        public = key_of(camera).public_key()
        found |= {origin_of(camera, process): public for process in ("watch", "deliver")}
    return TrustedLogKeys(found, "roster.jws")


def well(camera: str, at: datetime = AT, **more: object) -> Health:
    """A camera with nothing to complain of, but for `more`."""
    told = {
        "alarms": frozenset(),
        "temperature_c": 55,
        "throttled": False,
        "hotlist_age_h": 9,
        "hotlist_stale": False,
        "outbox_filled": 0.0,
        "brokers_away": 0,
        "lapsed": 0,
        "policy_in_force": True,
        "policy_version": 7,
        "policy_age_h": 12,
        "clock": ClockTrust.TRUSTED,
        "watch_silent_h": 0,
    } | more
    return Health(camera, "0.1.0", at, **told)


def sent(
    camera: str, number: int = 1, at: datetime = AT, *, unsent: int = 0, **more: object
) -> bytes:
    """A message as the camera signs it."""
    origin = origin_of(camera, "deliver", "exampleville.gov")
    return signed(HealthMessage(number, unsent, well(camera, at, **more)), origin, key_of(camera))


ILL = (
    {"alarms": frozenset({Alarm.DIRTY, Alarm.MOVED})},
    {"watch_silent_h": 40, "temperature_c": 85},
    {"closed": Reason.NOT_WITNESSED, "hotlist_stale": True, "hotlist_age_h": 200},
    {"reading": Reading.WORSE, "policy_version": 6},
)
"""What is wrong with every hundredth of a large fleet, one after the other."""


def large_store(folder: Path, cameras: int, now: datetime) -> FleetStore:
    """A store of many cameras, of which one in a hundred is ill, silent, or was never heard."""
    store = FleetStore(folder, write=True)
    now_s = int(now.timestamp())
    names = [f"camera-{number:06}" for number in range(cameras)]
    store.enrol(names)
    with store.transaction():
        for number, name in enumerate(names):
            hundreds, rest = divmod(number, 100)
            if rest == 7 and hundreds % 3 == 0:
                continue
            more = ILL[hundreds % len(ILL)] if rest == 5 else {}
            heard_s = now_s - (9 * 3_600 if rest == 3 and hundreds % 3 == 1 else 900)
            message = HealthMessage(1_000 + rest, 0, well(name, now, **more))
            store.keep(message, heard_s, heard_s, missed=int(rest == 9), anew=False)
    return store


def fleet_of(
    rows: Iterable[CameraRow],
    at: datetime,
    silent_after_h: int,
    *,
    strangers: int = 0,
    run: Mapping[str, str] | None = None,
) -> Fleet:
    """Of every row, each read. `at`: UTC."""
    found = tuple(rows)
    healths = [row.message.health for row in found if row.message]
    policies = Counter(one.policy_version for one in healths if one.policy_version is not None)
    states = states_of(found, at, silent_after_h, max(policies, default=0))
    counts = Counts(
        len(states),
        Counter(one.who for one in states),
        Counter(trouble.code for one in states for trouble in one.troubles),
        dict(Counter(one.version for one in healths).most_common()),
        dict(sorted(policies.items(), reverse=True)),
    )
    return Fleet(at, states, counts, strangers, run or {})
