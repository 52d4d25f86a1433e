"""The city of the fleet: one broker that was set up by `broker init`, two receivers, and every
camera's certificate, key and place in the roster.
"""

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.broker.broker_folder import CAMERAS, Wanted, policy_table
from agent.mqtt.client_request import make_request
from tests.fleet.brokers import FleetBroker
from tests.fleet.cameras import Cameras
from tests.fleet.sessions import device_key
from tests.fleet.sizes import Sizes
from tests.support.city_broker import HOST
from tests.support.delivery_rig import CHARTER, one_rule, raw
from tests.support.shared_receivers import COPIED, SharedReceivers

CA = "city-hall-ca.pem"


class FleetCity:
    """`cameras`: of the real processes; `sessions`: the simulated ones. `signing_s`: how long all
    their certificates took.
    """

    def __init__(self, folder: Path, broker: FleetBroker, url: str, sizes: Sizes) -> None:
        self.folder, self.desk = folder, broker.desk
        self.cameras = [f"real-{number:04}" for number in range(sizes.cameras)]
        self.sessions = [f"cam-{number:06}" for number in range(sizes.sessions)]
        self.shared = SharedReceivers(folder / "desk", url, broker)
        self._sign([*self.cameras, *self.sessions])
        enrolled = self.shared.enrolled
        enrolled.enrol({name: raw(device_key(name)) for name in [*self.cameras, *self.sessions]})
        for place in self.shared.folders[1:]:
            roster = enrolled.folder / COPIED[COPIED.index("roster.jws")]
            (place / roster.name).write_bytes(roster.read_bytes())
        self.city = self._city()

    def _sign(self, names: Sequence[str]) -> None:
        keys = self.folder / "keys"
        keys.mkdir(parents=True)
        wanted = []
        for name in names:
            key, csr = make_request(name)
            (keys / f"{name}.key").write_bytes(key)
            wanted.append(Wanted(CAMERAS, name, csr, name))
        began_s = time.monotonic()
        self.desk.sign_all(wanted, datetime.now(UTC))
        self.signing_s = time.monotonic() - began_s
        (self.folder / "certificates").symlink_to(self.desk.folder / CAMERAS)
        (self.folder / "ca.pem").write_bytes((self.desk.folder / "ca.pem").read_bytes())

    def _city(self) -> Path:
        """The unsigned folder that the real cameras share."""
        city, day = self.folder / "city", datetime.now(UTC).date()
        (city / "ca").mkdir(parents=True)
        (city / "ca" / CA).write_bytes((self.folder / "ca.pem").read_bytes())
        (city / "charter.toml").write_text(CHARTER)
        head = 'city = "City of Exampleville"\n'
        tables = (
            f'[[camera]]\nid = "{name}"\nstands = "a street of the tests"\nnear = []\n'
            'mount = "fixed"\n'
            for name in self.cameras
        )
        (city / "roster.toml").write_text(head + "".join(tables))
        policy = one_rule(self.shared.enrolled.signing_key, day, max_per_hour=1000)
        (city / "policy.toml").write_text(policy + policy_table(self.desk, CA))
        return city

    def made_cameras(self) -> Cameras:
        """The real ones, each with its certificate; not started."""
        enrolled = self.shared.enrolled
        made = Cameras(
            self.folder / "cameras",
            *(self.city, self.cameras, enrolled.key_list(), enrolled.signing_key),
        )
        for camera in made.all:
            self.give_certificates(camera.folder, camera.name)
        return made

    def give_certificates(self, folder: Path, name: str) -> None:
        """Into a real camera's device folder."""
        for source, kind in (("certificates", "crt"), ("keys", "key")):
            data = (self.folder / source / f"{name}.{kind}").read_bytes()
            path = folder / "device" / f"tls.{kind}"
            path.write_bytes(data)
            path.chmod(0o600)

    def tasks(self, sizes: Sizes) -> list[dict[str, object]]:
        """For the processes of simulated sessions."""
        place, names = self.desk.place, self.sessions
        groups = [names[at : at + sizes.a_process] for at in range(0, len(names), sizes.a_process)]
        share = sizes.sessions / max(1, sizes.sessions + sizes.cameras)
        return [
            {
                "folder": str(self.folder),
                "cameras": group,
                "host": HOST,
                "addresses": [(address, place.port) for address in place.addresses],
                "pins": [pin.hex() for pin in self.desk.pin_digests],
                "signing_key": self.shared.enrolled.signing_key.hex(),
                "key_list": str(self.shared.enrolled.folder / "key-list.jws"),
                "rate": sizes.rate * share * len(group) / len(names),
                "plant": sizes.plant if number == 0 else "",
                "seed": secrets.randbits(32),
            }
            for number, group in enumerate(groups)
        ]
