"""The city of the rounds: one enrolled camera under signed bundles, two recipients, one broker."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.bundles.layout import (
    HOTLIST,
    HOTLIST_PATH,
    POLICY,
    POLICY_PATH,
    keys_path,
    keys_role,
)
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical, public_jwk
from agent.core.time.instant import Instant
from agent.receiver.receiver_settings import BrokerSettings
from agent.receiver.workplace import Workplace
from agent.sealing import device_keys
from agent.sealing.device_keys import HOTLIST_KEY
from agent.verifying.roster_check import Roster, format_roster
from tests.support.bundle_city import BundleCity
from tests.support.pki import HOST, Authority
from tests.support.sealed import sign_compact
from tests.support.signed_camera import sealed_list

CAMERA, CITY = "cam-01", "City of Exampleville"
POLICE, SHERIFF = "exampleville-pd", "example-county-sheriff"
RECIPIENTS = (POLICE, SHERIFF)
# A read captured so long ago is past its deadline, and the recipient still lists a key for it.
LATE = timedelta(days=3, hours=1)
_KEYS_SINCE, _LISTED_SINCE = timedelta(days=3), timedelta(days=5)
_CHARTER = """\
name = "Exampleville ALPR charter"
forbidden_recipients = ["agency-from-elsewhere"]
forbidden_purposes = ["immigration-enforcement"]
allowed_categories = ["stolen-vehicle"]
max_retention = "30d"
"""
_ROSTER = f"""\
city = "{CITY}"
[[camera]]
id = "{CAMERA}"
stands = "a street of the tests"
near = []
mount = "fixed"
"""
_HEAD = """\
name = "City of Exampleville ALPR policy"
version = {version}
jurisdiction = "US-CA"
effective = {effective}
expires = {expires}
[hotlist]
max_age_hours = 168
"""
_RULE = """\
[[release]]
rule = "stolen-{recipient}"
categories = ["stolen-vehicle"]
match = ["exact", "text"]
min_confidence = 0.8
max_per_hour = 1000
recipient = "{recipient}"
purpose = "stolen-vehicle-recovery"
retention = "3d"
include = ["plate", "crop", "captured_at", "camera"]
"""
_RECIPIENT = """\
[[recipient]]
id = "{recipient}"
legal_name = "{recipient} of Exampleville"
basis = "Ordinance 2026-14"
expires = {expires}
signing_key = "{key}"
"""
_BROKER = """\
[[broker]]
id = "city-hall"
host = "{host}"
addresses = ["{address}:{port}"]
ca = "city-hall-ca.pem"
spki_pins = [{pins}]
recipients = [{recipients}]
"""


@dataclass
class City:
    """`camera`, `recipients`: folders on those machines' own disks; `address`, `port`: of the
    broker, as the policy lists it. Nothing is published until `publish`.
    """

    folder: Path
    camera: Path
    recipients: dict[str, Path]
    address: str
    port: int
    version: int = 0
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.authority = Authority(self.folder / "pki", "city-hall-ca")
        names = (HOST, self.address)
        self.server = self.authority.server(hosts=names)
        # its pin is listed: only the date refuses it
        self.expired = self.authority.server("expired", hosts=names, days=(-9, -1))
        self.stranger = self.authority.server("stranger", hosts=names)  # a key that nobody lists
        self._root_key = Ed25519PrivateKey.generate()
        self._keys = {name: self._found(name, place) for name, place in self.recipients.items()}
        self._found_camera()

    @property
    def settings(self) -> Path:
        return self.camera / "platewarden.toml"

    def publish(self, served: tuple[str, ...] = RECIPIENTS) -> None:
        """A new policy, signed by two, that releases to these recipients."""
        self.version += 1
        self.bundles.now = datetime.now(UTC).replace(microsecond=0)
        self.bundles.files[POLICY][POLICY_PATH] = self._policy(served).encode()
        self.bundles.release(POLICY)
        self.bundles.online()
        self.bundles.write(self.camera / "bundles-in")

    def _policy(self, served: tuple[str, ...]) -> str:
        day = self.now.date()
        dates = {"effective": day - timedelta(days=60), "expires": day + timedelta(days=90)}
        listed = ", ".join(f'"{name}"' for name in served)
        pins = ", ".join(f'"{one.pin_text}"' for one in (self.server, self.expired))
        text = _HEAD.format(version=self.version, **dates)
        for name in served:
            text += _RULE.format(recipient=name)
            text += _RECIPIENT.format(recipient=name, key=self._keys[name], **dates)
        return text + _BROKER.format(
            host=HOST, address=self.address, port=self.port, pins=pins, recipients=listed
        )

    def _found(self, name: str, folder: Path) -> str:
        """A recipient's folder; its signing key, as a policy writes it."""
        broker = BrokerSettings(
            host=HOST, address=self.address, port=self.port, ca=Path("broker-ca.pem")
        )
        place = Workplace.create(folder, name, Instant(self.now - _KEYS_SINCE), broker)
        shutil.copy(self.authority.pem, folder / "broker-ca.pem")
        return b64url(place.signer().public_key)

    def _found_camera(self) -> None:
        public = device_keys.create(self.camera / "device", CAMERA)
        identity = pyrage.x25519.Identity.generate()
        key = self.camera / "device" / HOTLIST_KEY
        key.write_text(f"{identity}\n")
        key.chmod(0o600)
        root = canonical(public_jwk("Ed25519", self._root_key.public_key().public_bytes_raw()))
        roster = sign_compact(
            self._root_key,
            "platewarden-roster",
            format_roster(Roster(CITY, self.now, {CAMERA: public.seal})),
        )
        for folder in self.recipients.values():
            (folder / "root.json").write_bytes(root)
            (folder / "roster.jws").write_bytes(roster)
        for name, text in (("charter", _CHARTER), ("roster", _ROSTER), ("policy", "")):
            (self.folder / f"{name}.toml").write_text(text)
        self.settings.write_text(f'camera_id = "{CAMERA}"\n')
        files = {
            POLICY: {
                "policy/roster.jws": roster,
                "policy/root.json": root,
                "policy/ca/city-hall-ca.pem": self.authority.pem.read_bytes(),
            },
            HOTLIST: {HOTLIST_PATH: sealed_list(identity, self.now - _LISTED_SINCE)},
        }
        for name, folder in self.recipients.items():
            key_list = (folder / "key-list.jws").read_bytes()
            files[keys_role(name)] = {keys_path(name): key_list}
        self.bundles = BundleCity(self.now, folder=self.folder, files=files, recipients=RECIPIENTS)
        self.bundles.anchor(self.camera)
